SUMMARY = "State partition and pairing console for a Sealcam camera with a read-only root"
DESCRIPTION = "Keys and state on a separate partition, which the camera needs to start; the pairing string on the console \
of the board, because the board has no login."
HOMEPAGE = "https://sealcam.invalid"
SECTION = "multimedia"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/Apache-2.0;md5=89aea4e17d99a7cacdbeed46a0096b10"

SRC_URI = " \
    file://var-lib-sealcam.mount \
    file://sealcam-camera-state.conf \
    file://sealcam-pairing-console.path \
    file://sealcam-pairing-console.service \
"
S = "${UNPACKDIR}"

# Not allarch, because sealcam-camera depends on the architecture.
inherit systemd features_check

REQUIRED_DISTRO_FEATURES = "sealcam systemd"

INHIBIT_DEFAULT_DEPS = "1"
EXCLUDE_FROM_WORLD = "1"
do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -d ${D}${systemd_system_unitdir}/sealcam-camera.service.d ${D}${localstatedir}/lib/sealcam
    install -m 0644 ${S}/var-lib-sealcam.mount ${S}/sealcam-pairing-console.path ${S}/sealcam-pairing-console.service \
        ${D}${systemd_system_unitdir}
    install -m 0644 ${S}/sealcam-camera-state.conf ${D}${systemd_system_unitdir}/sealcam-camera.service.d/10-state.conf
}

FILES:${PN} = " \
    ${localstatedir}/lib/sealcam \
    ${systemd_system_unitdir}/var-lib-sealcam.mount \
    ${systemd_system_unitdir}/sealcam-camera.service.d/10-state.conf \
    ${systemd_system_unitdir}/sealcam-pairing-console.path \
    ${systemd_system_unitdir}/sealcam-pairing-console.service \
"
SYSTEMD_SERVICE:${PN} = "var-lib-sealcam.mount sealcam-pairing-console.path"

# The mount requires fsck of the partition.
RDEPENDS:${PN} = "sealcam-camera e2fsprogs-e2fsck util-linux-fsck"
