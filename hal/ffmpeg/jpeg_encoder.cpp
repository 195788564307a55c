// SPDX-License-Identifier: Apache-2.0
#include "hal/ffmpeg/jpeg_encoder.hpp"

#include "hal/ffmpeg/converter.hpp"
#include "hal/ffmpeg/support.hpp"

extern "C" {
#include <libavcodec/avcodec.h>
}

namespace sealcam::hal::ffmpeg {

namespace {

/// Of 2 (best) to 31: about 200 KB for 1080p.
constexpr int quality = 4;

}  // namespace

Result<std::unique_ptr<JpegEncoder>> JpegEncoder::open(Size size) {
  const LogCapture quiet;
  SC_ASSERT(is_valid(size));
  const AVCodec* codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
  if (codec == nullptr) return fail(Errc::unsupported, "this FFmpeg has no JPEG encoder");
  std::unique_ptr<JpegEncoder> encoder(new JpegEncoder(size));
  encoder->context_.reset(avcodec_alloc_context3(codec));
  encoder->packet_.reset(av_packet_alloc());
  encoder->view_.reset(av_frame_alloc());
  encoder->full_.reset(av_frame_alloc());
  if (!encoder->context_ || !encoder->packet_ || !encoder->view_ || !encoder->full_)
    return fail(Errc::no_memory, "opening the JPEG encoder");
  AVFrame& full = *encoder->full_;
  full.format = AV_PIX_FMT_YUV420P;
  full.width = size.width;
  full.height = size.height;
  set_colors(full, {.matrix = Colors::bt601, .full_range = true});  // JFIF (ITU-T T.871, clause 7)
  full.pts = 0;
  if (const int rc = av_frame_get_buffer(&full, 0); rc < 0) return av_fail(rc, Errc::no_memory, "making a frame");
  AVCodecContext& context = *encoder->context_;
  context.width = size.width;
  context.height = size.height;
  context.pix_fmt = AV_PIX_FMT_YUV420P;
  context.color_range = AVCOL_RANGE_JPEG;
  context.time_base = {1, 25};
  context.thread_count = 1;
  context.flags |= AV_CODEC_FLAG_QSCALE;
  context.global_quality = FF_QP2LAMBDA * quality;
  if (const int rc = avcodec_open2(&context, codec, nullptr); rc < 0)
    return av_fail(rc, Errc::unsupported, "opening the JPEG encoder");
  return encoder;
}

Result<ByteView> JpegEncoder::encode(const Picture& picture) {
  const LogCapture quiet;
  SC_ASSERT(picture.format == PixelFormat::yu12 && picture.size == size_);
  view_planes(*view_, picture);
  if (const int rc = av_frame_make_writable(full_.get()); rc < 0) return av_fail(rc, Errc::no_memory, "making a frame");
  if (auto r = scaler_.scale(*view_, *full_); !r) return std::unexpected(r.error());
  full_->quality = context_->global_quality;
  ++full_->pts;
  int rc = avcodec_send_frame(context_.get(), full_.get());
  if (rc >= 0) rc = avcodec_receive_packet(context_.get(), packet_.get());
  if (rc < 0) return av_fail(rc, Errc::io, "encoding a JPEG picture");
  return std::as_bytes(std::span(packet_->data, static_cast<std::size_t>(packet_->size)));
}

}  // namespace sealcam::hal::ffmpeg
