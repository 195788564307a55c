SUMMARY = "A board as a Sealcam camera"
HOMEPAGE = "https://sealcam.invalid"

# kernel-modules are the machine's.
PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit packagegroup

EXCLUDE_FROM_WORLD = "1"

RDEPENDS:${PN} = "sealcam-camera sealcam-appliance"
# Drivers of sensors and encoders, by whatever name the board's kernel has them.
RRECOMMENDS:${PN} = "kernel-modules"
