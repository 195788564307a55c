# From the checkout that this layer lies in, as it is there. Chosen before the archive; without a checkout it is skipped.
# Another checkout: EXTERNALSRC:pn-sealcam = "/path", or `devtool modify -n sealcam /path`.
require sealcam.inc

PV = "0.1.0+git"

SEALCAM_CHECKOUT := "${@os.path.realpath(os.path.join(d.getVar('THISDIR'), '..', '..', '..', '..', '..'))}"

inherit externalsrc
EXTERNALSRC ?= "${@d.getVar('SEALCAM_CHECKOUT') if os.path.exists(d.getVar('SEALCAM_CHECKOUT') + '/firmware/protocol/sealcam.cddl') else ''}"
# Nothing is written into the checkout.
EXTERNALSRC_SYMLINKS = ""

python () {
    if not d.getVar('EXTERNALSRC'):
        raise bb.parse.SkipRecipe('the layer does not lie in a checkout of Sealcam')
}
