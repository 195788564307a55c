# From the archive of a release, where the layer is used without the checkout it comes with. The sha256 of an archive that
# contains this file cannot stand in it: it is added here, or in a bbappend, once the archive is made (README.md).
require sealcam.inc

SRC_URI = "https://sealcam.invalid/releases/sealcam-${PV}.tar.gz"
