// SPDX-License-Identifier: Apache-2.0
#include "hal/ffmpeg/converter.hpp"

#include "hal/ffmpeg/support.hpp"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
}

namespace sealcam::hal::ffmpeg {

namespace {

/// FFmpeg's JPEG decoder still answers with the J formats, whose only meaning is "full range".
AVPixelFormat without_range(int format) noexcept {
  switch (format) {
    case AV_PIX_FMT_YUVJ420P: return AV_PIX_FMT_YUV420P;
    case AV_PIX_FMT_YUVJ422P: return AV_PIX_FMT_YUV422P;
    case AV_PIX_FMT_YUVJ444P: return AV_PIX_FMT_YUV444P;
    default: return static_cast<AVPixelFormat>(format);
  }
}

}  // namespace

int av_format(PixelFormat format) noexcept {
  switch (format) {
    case PixelFormat::yu12: return AV_PIX_FMT_YUV420P;
    case PixelFormat::nv12: return AV_PIX_FMT_NV12;
    case PixelFormat::yuyv: return AV_PIX_FMT_YUYV422;
    case PixelFormat::mjpeg:
    case PixelFormat::h264: break;
  }
  return AV_PIX_FMT_NONE;
}

void view_planes(AVFrame& frame, const Picture& picture) noexcept {
  frame.format = av_format(picture.format);
  frame.width = picture.size.width;
  frame.height = picture.size.height;
  for (std::size_t i = 0; i < picture.planes.size(); ++i) {
    // FFmpeg's frames are not const; encoders and the scaler only read them.
    frame.data[i] = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(picture.planes[i].data));
    frame.linesize[i] = static_cast<int>(picture.planes[i].stride);
  }
  frame.extended_data = frame.data;
}

// The ranges must be known before the context is initialised: for two equal formats it would settle on copying.
ScalerPtr open_scaler(Size size, SampleFormat from, SampleFormat to) noexcept {
  ScalerPtr scaler(sws_alloc_context());
  if (!scaler) return nullptr;
  const auto set = [&](const char* name, int value) { return av_opt_set_int(scaler.get(), name, value, 0) >= 0; };
  const bool good = set("srcw", size.width) && set("srch", size.height) && set("dstw", size.width) &&
                    set("dsth", size.height) && set("src_format", from.av_format) && set("dst_format", to.av_format) &&
                    set("src_range", from.full_range) && set("dst_range", to.full_range) &&
                    set("sws_flags", SWS_FAST_BILINEAR);
  if (!good || sws_init_context(scaler.get(), nullptr, nullptr) < 0) return nullptr;
  return scaler;
}

Result<Converter> Converter::open(Size size, PixelFormat target) {
  SC_ASSERT(is_valid(size) && (target == PixelFormat::yu12 || target == PixelFormat::nv12));
  FramePtr frame(av_frame_alloc());
  if (!frame) return fail(Errc::no_memory, "making a frame");
  frame->format = av_format(target);
  frame->width = size.width;
  frame->height = size.height;
  if (const int rc = av_frame_get_buffer(frame.get(), 0); rc < 0) return av_fail(rc, Errc::no_memory, "making a frame");
  Converter converter(size, std::move(frame));
  converter.view_.reset(av_frame_alloc());
  if (!converter.view_) return fail(Errc::no_memory, "making a frame");
  return converter;
}

Result<AVFrame*> Converter::decode_jpeg(const Picture& picture) {
  if (!jpeg_) {
    const AVCodec* codec = avcodec_find_decoder(AV_CODEC_ID_MJPEG);
    if (codec == nullptr) return fail(Errc::unsupported, "this FFmpeg has no JPEG decoder");
    CodecPtr context(avcodec_alloc_context3(codec));
    jpeg_packet_.reset(av_packet_alloc());
    jpeg_frame_.reset(av_frame_alloc());
    if (!context || !jpeg_packet_ || !jpeg_frame_) return fail(Errc::no_memory, "opening the JPEG decoder");
    context->thread_count = 1;
    context->err_recognition = AV_EF_EXPLODE;
    if (const int rc = avcodec_open2(context.get(), codec, nullptr); rc < 0)
      return av_fail(rc, Errc::unsupported, "opening the JPEG decoder");
    jpeg_ = std::move(context);
  }
  jpeg_packet_->data = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(picture.planes[0].data));
  jpeg_packet_->size = static_cast<int>(picture.planes[0].stride);
  int rc = avcodec_send_packet(jpeg_.get(), jpeg_packet_.get());
  if (rc >= 0) rc = avcodec_receive_frame(jpeg_.get(), jpeg_frame_.get());
  if (rc < 0) return av_fail(rc, Errc::malformed, "decoding a JPEG picture");
  if (jpeg_frame_->width != size_.width || jpeg_frame_->height != size_.height)
    return fail(Errc::malformed, "size of a JPEG picture");
  return jpeg_frame_.get();
}

Result<> Converter::scale(const AVFrame& from) {
  const int full_range = from.color_range == AVCOL_RANGE_JPEG || without_range(from.format) != from.format ? 1 : 0;
  if (!scaler_ || scaler_format_ != from.format || scaler_range_ != full_range) {
    scaler_ = open_scaler(size_, {without_range(from.format), full_range != 0}, {target_->format, false});
    if (!scaler_) return fail(Errc::unsupported, "converting this pixel format");
    scaler_format_ = from.format;
    scaler_range_ = full_range;
  }
  const int rows =
      sws_scale(scaler_.get(), from.data, from.linesize, 0, size_.height, target_->data, target_->linesize);
  if (rows != size_.height) return fail(Errc::no_memory, "converting a picture");
  return {};
}

Result<AVFrame*> Converter::convert(const Picture& picture) {
  SC_ASSERT(picture.size == size_ && picture.format != PixelFormat::h264);
  const AVFrame* from = view_.get();
  if (picture.format == PixelFormat::mjpeg) {
    const auto decoded = decode_jpeg(picture);
    if (!decoded) return std::unexpected(decoded.error());
    from = *decoded;
  } else {
    view_planes(*view_, picture);
  }
  const auto scaled = scale(*from);
  if (!scaled) return std::unexpected(scaled.error());
  return target_.get();
}

}  // namespace sealcam::hal::ffmpeg
