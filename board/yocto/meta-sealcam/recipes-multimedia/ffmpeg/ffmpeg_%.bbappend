# A separate file, so that the signatures of other distros remain the same.
require ${@bb.utils.contains('DISTRO_FEATURES', 'sealcam', 'ffmpeg-sealcam.inc', '', d)}
