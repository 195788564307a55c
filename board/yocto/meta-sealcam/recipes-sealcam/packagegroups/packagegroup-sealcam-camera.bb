SUMMARY = "Packages of a Sealcam camera"
HOMEPAGE = "https://sealcam.invalid"

# kernel-modules depend on the machine.
PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit packagegroup

EXCLUDE_FROM_WORLD = "1"

RDEPENDS:${PN} = "sealcam-camera sealcam-image-init"
# Drivers of sensors and encoders. Their names depend on the kernel.
RRECOMMENDS:${PN} = "kernel-modules"
