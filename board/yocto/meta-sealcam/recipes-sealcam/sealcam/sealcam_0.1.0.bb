# Builds the archive of a release, if the layer is used without its checkout. An archive cannot contain its own sha256. Add the
# checksum here or in a bbappend after you made the archive (README.md).
require sealcam.inc

SRC_URI = "https://sealcam.invalid/releases/sealcam-${PV}.tar.gz"
