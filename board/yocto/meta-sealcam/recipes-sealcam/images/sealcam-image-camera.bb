SUMMARY = "Image of a Sealcam camera with a read-only root, a partition for keys, and no logins"
HOMEPAGE = "https://sealcam.invalid"
LICENSE = "Apache-2.0"

inherit core-image features_check

REQUIRED_DISTRO_FEATURES = "sealcam systemd"

IMAGE_INSTALL = "packagegroup-core-boot packagegroup-sealcam-camera ${CORE_IMAGE_EXTRA_INSTALL}"
IMAGE_LINGUAS = ""

IMAGE_FEATURES += "read-only-rootfs"
# Features that local.conf can add for other images.
IMAGE_FEATURES:remove = "allow-empty-password allow-root-login empty-root-password serial-autologin-root \
    post-install-logging ssh-server-dropbear ssh-server-openssh package-management"
PACKAGE_EXCLUDE += "dropbear openssh-sshd"

# Other machines also need a partition with the label sealcam-state; see README.md.
WKS_FILE:rpi ?= "sealcam-raspberrypi.wks"
WKS_FILE:qemuarm64 ?= "sealcam-qemuarm64.wks"

# runqemu starts the kernel itself, with the image as disk.
IMAGE_FSTYPES:append:qemuarm64 = " wic"
QB_DEFAULT_FSTYPE:qemuarm64 = "wic"
QB_FSINFO:qemuarm64 = "wic:no-kernel-in-fs"
QB_KERNEL_ROOT:qemuarm64 = "/dev/vda1 ro"

# Appended, because OE-Core's classes are inherited last: += would come before their additions.
ROOTFS_POSTPROCESS_COMMAND:append = " sealcam_mask_logins"
sealcam_mask_logins() {
    install -d ${IMAGE_ROOTFS}${sysconfdir}/systemd/system
    for unit in getty@ serial-getty@ console-getty container-getty@ debug-shell; do
        ln -sf /dev/null ${IMAGE_ROOTFS}${sysconfdir}/systemd/system/$unit.service
    done
}

# Checks the finished root, after all changes to accounts.
IMAGE_QA_COMMANDS += "sealcam_no_login"
sealcam_no_login() {
    for file in passwd shadow; do
        [ -s ${IMAGE_ROOTFS}${sysconfdir}/$file ] || bbfatal "/etc/$file is missing or empty, so logins cannot be checked"
        if cut -d: -f2 ${IMAGE_ROOTFS}${sysconfdir}/$file | grep -qv '^[x*!]'; then
            bbfatal "an account in /etc/$file has a password or can log in without one"
        fi
    done
}
