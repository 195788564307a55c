# Builds the checkout that contains this layer. It has priority over the archive, and is skipped without a checkout.
# For another checkout: EXTERNALSRC:pn-sealcam = "/path", or `devtool modify -n sealcam /path`.
require sealcam.inc

PV = "0.1.0+git"

SEALCAM_CHECKOUT := "${@os.path.realpath(os.path.join(d.getVar('THISDIR'), '..', '..', '..', '..', '..'))}"

inherit externalsrc
EXTERNALSRC ?= "${@d.getVar('SEALCAM_CHECKOUT') if os.path.exists(d.getVar('SEALCAM_CHECKOUT') + '/firmware/protocol/sealcam.cddl') else ''}"
# The build writes nothing into the checkout.
EXTERNALSRC_SYMLINKS = ""

# The files that a build reads. A test compares them with the CMake files.
SEALCAM_SOURCES = "CMakeLists.txt LICENSE firmware hal board/README.md board/board.schema.json board/common board/qemu-virt board/raspberrypi"

# The class would use git to find changes, and git writes into the repository of the checkout. Without a repository, or with TOPDIR
# in the same one, the class would hash all files, including build folders.
python () {
    checkout = d.getVar('EXTERNALSRC')
    if not checkout:
        raise bb.parse.SkipRecipe('the layer is not in a checkout of Sealcam')
    sources = [os.path.join(checkout, name) for name in d.getVar('SEALCAM_SOURCES').split()]
    lists = [os.path.join(folder, name) for source in sources for folder, _, names in os.walk(source) for name in names
             if name == 'CMakeLists.txt' or name.endswith('.cmake')]
    for task, files in (('do_configure', sources[:1] + sorted(lists)), ('do_compile', sources)):
        d.setVarFlag(task, 'file-checksums', ' '.join('%s:%s' % (file, os.path.exists(file)) for file in files))
}
