// SPDX-License-Identifier: Apache-2.0
#include "hal/ffmpeg/codec.hpp"

extern "C" {
#include <libavcodec/avcodec.h>
}

#include "hal/ffmpeg/converter.hpp"
#include "hal/ffmpeg/support.hpp"
#include "hal/h264.hpp"

namespace sealcam::hal::ffmpeg {

namespace {

Picture view_of(const AVFrame& frame) {
  Picture picture;
  picture.format = PixelFormat::yu12;
  picture.size = {frame.width, frame.height};
  picture.colors = colors_of(frame);
  for (std::size_t i = 0; i < 3; ++i)
    picture.planes[i] = {reinterpret_cast<const std::byte*>(frame.data[i]),
                         static_cast<std::size_t>(frame.linesize[i])};
  return picture;
}

}  // namespace

Result<std::unique_ptr<FfmpegDecoder>> FfmpegDecoder::open(const DecoderConfig& config) {
  const LogCapture quiet;
  const AVCodec* codec = avcodec_find_decoder(AV_CODEC_ID_H264);
  if (codec == nullptr) return fail(Errc::unsupported, "this FFmpeg has no H.264 decoder");
  std::unique_ptr<FfmpegDecoder> decoder(new FfmpegDecoder);
  decoder->context_.reset(avcodec_alloc_context3(codec));
  decoder->packet_.reset(av_packet_alloc());
  decoder->frame_.reset(av_frame_alloc());
  if (!decoder->context_ || !decoder->packet_ || !decoder->frame_)
    return fail(Errc::no_memory, "opening the H.264 decoder");
  AVCodecContext& context = *decoder->context_;
  context.thread_count = config.threads;
  context.thread_type = FF_THREAD_SLICE;
  context.flags |= AV_CODEC_FLAG_LOW_DELAY;
  context.err_recognition = AV_EF_EXPLODE | AV_EF_BITSTREAM | AV_EF_BUFFER;
  context.max_pixels = max_pixels;  // rejects larger pictures before it allocates memory for them
  if (const int rc = avcodec_open2(&context, codec, nullptr); rc < 0)
    return av_fail(rc, Errc::unsupported, "opening the H.264 decoder");
  return decoder;
}

Result<> FfmpegDecoder::feed(ByteView access_unit) {
  // FFmpeg copies a packet without a buffer and adds the padding that its parsers need.
  packet_->data = const_cast<std::uint8_t*>(c_bytes(access_unit));
  packet_->size = static_cast<int>(access_unit.size());
  if (const int rc = avcodec_send_packet(context_.get(), packet_.get()); rc < 0)
    return av_fail(rc, Errc::malformed, "decoding an access unit");
  return {};
}

Result<Picture> FfmpegDecoder::as_picture() {
  const Size size{frame_->width, frame_->height};
  if (!is_valid(size)) return fail(Errc::malformed, "size of a decoded picture");
  if (frame_->format == AV_PIX_FMT_YUV420P || frame_->format == AV_PIX_FMT_YUVJ420P) return view_of(*frame_);
  if (!converted_ || converted_->width != size.width || converted_->height != size.height) {
    converted_.reset(av_frame_alloc());
    if (!converted_) return fail(Errc::no_memory, "making a frame");
    converted_->format = AV_PIX_FMT_YUV420P;
    converted_->width = size.width;
    converted_->height = size.height;
    if (const int rc = av_frame_get_buffer(converted_.get(), 0); rc < 0)
      return av_fail(rc, Errc::no_memory, "making a frame");
  }
  Colors colors = colors_of(*frame_);
  if (colors.matrix == Colors::rgb) colors = {.primaries = colors.primaries, .transfer = colors.transfer};
  set_colors(*converted_, colors);
  if (!scaler_.scale(*frame_, *converted_)) return fail(Errc::malformed, "pixel format of a decoded picture");
  return view_of(*converted_);
}

Result<std::optional<Picture>> FfmpegDecoder::do_decode(ByteView access_unit) {
  const auto info = check_access_unit(access_unit);
  if (!info) {
    waiting_ = true;
    return std::unexpected(info.error());
  }
  if (waiting_ && !info->keyframe) return std::optional<Picture>();
  if (waiting_) avcodec_flush_buffers(context_.get());
  waiting_ = true;  // until the picture is complete
  const auto fed = feed(access_unit);
  if (!fed) return std::unexpected(fed.error());
  const int rc = avcodec_receive_frame(context_.get(), frame_.get());
  if (rc == AVERROR(EAGAIN)) {
    waiting_ = false;
    return std::optional<Picture>();
  }
  if (rc < 0) return av_fail(rc, Errc::malformed, "decoding an access unit");
  if (frame_->decode_error_flags != 0 || (frame_->flags & AV_FRAME_FLAG_CORRUPT) != 0)
    return fail(Errc::malformed, "damaged picture");
  auto picture = as_picture();
  if (!picture) return std::unexpected(picture.error());
  waiting_ = false;
  return std::optional<Picture>(std::move(*picture));
}

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
