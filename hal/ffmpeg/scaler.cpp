// SPDX-License-Identifier: Apache-2.0
#include "hal/ffmpeg/scaler.hpp"

extern "C" {
#include <libavutil/frame.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

namespace sealcam::hal::ffmpeg {

namespace {

/// FFmpeg's JPEG decoder returns the J formats, which differ only in the full range.
AVPixelFormat without_range(int format) noexcept {
  switch (format) {
    case AV_PIX_FMT_YUVJ420P: return AV_PIX_FMT_YUV420P;
    case AV_PIX_FMT_YUVJ422P: return AV_PIX_FMT_YUV422P;
    case AV_PIX_FMT_YUVJ444P: return AV_PIX_FMT_YUV444P;
    case AV_PIX_FMT_YUVJ440P: return AV_PIX_FMT_YUV440P;
    case AV_PIX_FMT_YUVJ411P: return AV_PIX_FMT_YUV411P;
    default: return static_cast<AVPixelFormat>(format);
  }
}

std::uint8_t code_point(int value, std::uint8_t fallback) noexcept {
  return value <= 0 || value == Colors::unspecified || value > 255 ? fallback : static_cast<std::uint8_t>(value);
}

/// libswscale treats RGB and gray samples as full range.
bool is_always_full(int format) noexcept {
  const auto* const description = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(format));
  if (description == nullptr) return false;
  return (description->flags & AV_PIX_FMT_FLAG_RGB) != 0 || description->nb_components < 3;
}

}  // namespace

Colors colors_of(const AVFrame& frame, const Colors& fallback) noexcept {
  const auto* const description = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  const bool rgb = description != nullptr && (description->flags & AV_PIX_FMT_FLAG_RGB) != 0;
  const bool full = frame.color_range == AVCOL_RANGE_JPEG || without_range(frame.format) != frame.format ||
                    is_always_full(frame.format) ||
                    (frame.color_range == AVCOL_RANGE_UNSPECIFIED && fallback.full_range);
  return {code_point(frame.color_primaries, fallback.primaries), code_point(frame.color_trc, fallback.transfer),
          rgb ? Colors::rgb : code_point(frame.colorspace, fallback.matrix), full};
}

void set_colors(AVFrame& frame, const Colors& colors) noexcept {
  frame.color_primaries = static_cast<AVColorPrimaries>(colors.primaries);
  frame.color_trc = static_cast<AVColorTransferCharacteristic>(colors.transfer);
  frame.colorspace = static_cast<AVColorSpace>(colors.matrix);
  frame.color_range = colors.full_range ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
}

Scaler::Image Scaler::image_of(const AVFrame& frame) noexcept {
  const Colors colors = colors_of(frame);
  return {without_range(frame.format), {frame.width, frame.height}, colors.matrix, colors.full_range};
}

// The ranges must be set before the initialization, because otherwise it chooses a copy for two equal formats.
ScalerPtr Scaler::open(const Image& from, const Image& to, int flags) noexcept {
  // RGB and gray have no matrix of their own.
  const int matrix_to = to.matrix;
  const int matrix_from = from.matrix == Colors::rgb || is_always_full(from.format) ? matrix_to : from.matrix;
  // Another matrix means a conversion to RGB and back. Then each rounding counts. The fast conversion of BGR24 is less
  // exact than that of RGB24.
  if (matrix_from != matrix_to || from.matrix == Colors::rgb)
    flags |= SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP;
  ScalerPtr context(sws_alloc_context());
  if (!context) return nullptr;
  const auto set = [&](const char* name, int value) { return av_opt_set_int(context.get(), name, value, 0) >= 0; };
  const bool good = set("srcw", from.size.width) && set("srch", from.size.height) && set("dstw", to.size.width) &&
                    set("dsth", to.size.height) && set("src_format", from.format) && set("dst_format", to.format) &&
                    set("src_range", from.full_range) && set("dst_range", to.full_range) && set("sws_flags", flags);
  if (!good || sws_init_context(context.get(), nullptr, nullptr) < 0) return nullptr;
  constexpr int unchanged = 1 << 16;  // contrast and saturation, in 16.16 fixed point
  const int rc = sws_setColorspaceDetails(context.get(), sws_getCoefficients(matrix_from), from.full_range,
                                          sws_getCoefficients(matrix_to), to.full_range, 0, unchanged, unchanged);
  return rc < 0 ? nullptr : std::move(context);
}

Result<> Scaler::scale(const AVFrame& from, AVFrame& to) {
  const Image source = image_of(from), result = image_of(to);
  if (!context_ || source != from_ || result != to_) {
    context_ = open(source, result, SWS_FAST_BILINEAR);
    // On x86 the fast scaler generates code, which fails where memory must not become executable: in the hub's decoder,
    // and in a systemd unit with MemoryDenyWriteExecute=.
    if (!context_) context_ = open(source, result, SWS_BILINEAR);
    if (!context_) return fail(Errc::unsupported, "converting this pixel format");
    from_ = source;
    to_ = result;
  }
  if (sws_scale(context_.get(), from.data, from.linesize, 0, from.height, to.data, to.linesize) != to.height)
    return fail(Errc::no_memory, "converting a picture");
  return {};
}

}  // namespace sealcam::hal::ffmpeg
