# H.264 on the cores, for boards without an encoder (Raspberry Pi 5) and for USB cameras. libavcodec is GPL then. Where a
# board's own encoder is enough: SEALCAM_FFMPEG = "".
SEALCAM_FFMPEG ?= "gpl x264"
PACKAGECONFIG:append = " ${SEALCAM_FFMPEG}"
