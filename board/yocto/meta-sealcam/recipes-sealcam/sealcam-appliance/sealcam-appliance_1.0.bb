SUMMARY = "What makes a board with a read-only root and no login a Sealcam camera"
DESCRIPTION = "Keys and state on a partition of their own, without which the camera does not start; the pairing string \
on the board's console, since there is no other way to see it."
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

# Not allarch: it needs sealcam-camera, which is another one for each architecture.
inherit systemd features_check

REQUIRED_DISTRO_FEATURES = "systemd"

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

RDEPENDS:${PN} = "sealcam-camera"
# The partition is looked over before it is mounted.
RRECOMMENDS:${PN} = "e2fsprogs-e2fsck util-linux-fsck"
