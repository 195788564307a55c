# From the checkout that this layer lies in, as it is there. Chosen before the archive; without a checkout it is skipped.
# Another checkout: EXTERNALSRC:pn-sealcam = "/path", or `devtool modify -n sealcam /path`.
require sealcam.inc

PV = "0.1.0+git"

SEALCAM_CHECKOUT := "${@os.path.realpath(os.path.join(d.getVar('THISDIR'), '..', '..', '..', '..', '..'))}"

inherit externalsrc
EXTERNALSRC ?= "${@d.getVar('SEALCAM_CHECKOUT') if os.path.exists(d.getVar('SEALCAM_CHECKOUT') + '/firmware/protocol/sealcam.cddl') else ''}"
# Nothing is written into the checkout.
EXTERNALSRC_SYMLINKS = ""

# What a build reads; a test compares it with CMake's files.
SEALCAM_SOURCES = "CMakeLists.txt LICENSE firmware hal board/README.md board/board.schema.json board/common board/qemu-virt board/raspberrypi"

# Whether it changed, the class would ask git, which writes into the checkout's repository; and where there is none, or TOPDIR
# lies in the same one, it would hash all that lies there, build folders and BitBake's own files too.
python () {
    checkout = d.getVar('EXTERNALSRC')
    if not checkout:
        raise bb.parse.SkipRecipe('the layer does not lie in a checkout of Sealcam')
    sources = [os.path.join(checkout, name) for name in d.getVar('SEALCAM_SOURCES').split()]
    lists = [os.path.join(folder, name) for source in sources for folder, _, names in os.walk(source) for name in names
             if name == 'CMakeLists.txt' or name.endswith('.cmake')]
    for task, files in (('do_configure', sources[:1] + sorted(lists)), ('do_compile', sources)):
        d.setVarFlag(task, 'file-checksums', ' '.join('%s:%s' % (file, os.path.exists(file)) for file in files))
}
