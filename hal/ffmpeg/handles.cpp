// SPDX-License-Identifier: Apache-2.0
#include "hal/ffmpeg/handles.hpp"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libswscale/swscale.h>
}

namespace sealcam::hal::ffmpeg {

void Deleter::operator()(AVCodecContext* p) const noexcept { avcodec_free_context(&p); }
void Deleter::operator()(AVFrame* p) const noexcept { av_frame_free(&p); }
void Deleter::operator()(AVPacket* p) const noexcept { av_packet_free(&p); }
void Deleter::operator()(SwsContext* p) const noexcept { sws_freeContext(p); }

}  // namespace sealcam::hal::ffmpeg
