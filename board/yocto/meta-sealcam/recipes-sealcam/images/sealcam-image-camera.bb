SUMMARY = "A Sealcam camera: read-only root, keys on a partition of their own, nobody can log in"
HOMEPAGE = "https://sealcam.invalid"
LICENSE = "Apache-2.0"

inherit core-image features_check

REQUIRED_DISTRO_FEATURES = "systemd"

IMAGE_INSTALL = "packagegroup-core-boot packagegroup-sealcam-camera ${CORE_IMAGE_EXTRA_INSTALL}"
IMAGE_LINGUAS = ""

IMAGE_FEATURES += "read-only-rootfs"
# What a developer's local.conf may have added for other images.
IMAGE_FEATURES:remove = "allow-empty-password allow-root-login empty-root-password serial-autologin-root \
    post-install-logging ssh-server-dropbear ssh-server-openssh package-management"
PACKAGE_EXCLUDE += "dropbear openssh-sshd"

# Other machines need a partition with the label sealcam-state as well; README.md.
WKS_FILE:rpi = "sealcam-raspberrypi.wks"

# Appended, since += here comes before what OE-Core's classes add: they are inherited last.
ROOTFS_POSTPROCESS_COMMAND:append = " sealcam_mask_logins"
sealcam_mask_logins() {
    install -d ${IMAGE_ROOTFS}${sysconfdir}/systemd/system
    for unit in getty@ serial-getty@ console-getty container-getty@ debug-shell; do
        ln -sf /dev/null ${IMAGE_ROOTFS}${sysconfdir}/systemd/system/$unit.service
    done
}

# Looks at the finished root, when root's empty password has been locked, and whatever else was done to accounts.
IMAGE_QA_COMMANDS += "sealcam_no_login"
sealcam_no_login() {
    for file in passwd shadow; do
        if cut -d: -f2 ${IMAGE_ROOTFS}${sysconfdir}/$file | grep -qv '^[x*!]'; then
            bbfatal "somebody in /etc/$file could log in"
        fi
    done
}
