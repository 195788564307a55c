// SPDX-License-Identifier: Apache-2.0
#include "hal/ffmpeg/converter.hpp"

#include <algorithm>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavutil/frame.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

#include "hal/ffmpeg/support.hpp"

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
  // RGB and gray have no matrix.
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

namespace {

constexpr std::array<std::byte, 256> from_limited_range = [] {
  std::array<std::byte, 256> samples{};
  constexpr int black = 16, steps = 219;
  for (int i = 0; i < 256; ++i) {
    const int in_full_range = ((i - black) * 255 + (i < black ? 0 : steps / 2)) / steps;
    samples[static_cast<std::size_t>(i)] = static_cast<std::byte>(std::clamp(in_full_range, 0, 255));
  }
  return samples;
}();

}  // namespace

int av_format(PixelFormat format) noexcept {
  switch (format) {
    case PixelFormat::yu12: return AV_PIX_FMT_YUV420P;
    case PixelFormat::nv12: return AV_PIX_FMT_NV12;
    case PixelFormat::yuyv: return AV_PIX_FMT_YUYV422;
    case PixelFormat::uyvy: return AV_PIX_FMT_UYVY422;
    case PixelFormat::gray: return AV_PIX_FMT_GRAY8;
    case PixelFormat::rgb24: return AV_PIX_FMT_RGB24;
    case PixelFormat::bgr24: return AV_PIX_FMT_BGR24;
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
  set_colors(frame, picture.colors);
}

void paint_areas(AVFrame& frame, std::span<const PictureArea> areas) noexcept {
  constexpr int black_limited = 16, black_full = 0, no_color = 128;
  const int black = frame.color_range == AVCOL_RANGE_JPEG ? black_full : black_limited;
  const bool interleaved = frame.format == AV_PIX_FMT_NV12;
  // Grown to even numbers, so that each sample of color lies inside or outside.
  const auto begin = [](int from, int side) {
    return std::max(from * side / PictureArea::scale - paint_margin, 0) & ~1;
  };
  const auto end = [](int to, int side) {
    const int last = (to * side + PictureArea::scale - 1) / PictureArea::scale + paint_margin;
    return std::min((last + 1) & ~1, side);
  };
  const auto fill = [&frame](int plane, int left, int top, int right, int bottom, int value) {
    for (int y = top; y < bottom; ++y)
      std::fill_n(frame.data[plane] + static_cast<std::ptrdiff_t>(y) * frame.linesize[plane] + left, right - left,
                  static_cast<std::uint8_t>(value));
  };
  for (const PictureArea& area : areas) {
    const int left = begin(area.left, frame.width), right = end(area.left + area.width, frame.width);
    const int top = begin(area.top, frame.height), bottom = end(area.top + area.height, frame.height);
    fill(0, left, top, right, bottom, black);
    if (interleaved) fill(1, left, top / 2, right, bottom / 2, no_color);
    for (const int plane : {1, 2})
      if (!interleaved) fill(plane, left / 2, top / 2, right / 2, bottom / 2, no_color);
  }
}

Result<Converter> Converter::open(Size size, PixelFormat target, const Colors& colors) {
  SC_ASSERT(is_valid(size) && (target == PixelFormat::yu12 || target == PixelFormat::nv12));
  FramePtr frame(av_frame_alloc());
  if (!frame) return fail(Errc::no_memory, "making a frame");
  frame->format = av_format(target);
  frame->width = size.width;
  frame->height = size.height;
  if (const int rc = av_frame_get_buffer(frame.get(), 0); rc < 0) return av_fail(rc, Errc::no_memory, "making a frame");
  set_colors(*frame, colors);
  Converter converter(std::move(frame));
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
  // A larger picture is cropped: adopt_jpeg() has compared the sizes.
  if (jpeg_frame_->width < picture.size.width || jpeg_frame_->height < picture.size.height)
    return fail(Errc::malformed, "size of a JPEG picture");
  jpeg_frame_->width = picture.size.width;
  jpeg_frame_->height = picture.size.height;
  return jpeg_frame_.get();
}

/// libswscale treats RGB and gray as full range.
void Converter::expand_range(const Picture& picture) {
  const bool always_full = picture.format == PixelFormat::gray || picture.format == PixelFormat::rgb24 ||
                           picture.format == PixelFormat::bgr24;
  if (!always_full || picture.colors.full_range) return;
  const auto row = packed_bytes(picture.format) * static_cast<std::size_t>(picture.size.width);
  const auto rows = static_cast<std::size_t>(picture.size.height);
  expanded_.resize(row * rows + AV_INPUT_BUFFER_PADDING_SIZE);
  for (std::size_t y = 0; y < rows; ++y)
    std::transform(picture.planes[0].data + y * picture.planes[0].stride,
                   picture.planes[0].data + y * picture.planes[0].stride + row, expanded_.data() + y * row,
                   [](std::byte sample) { return from_limited_range[std::to_integer<std::size_t>(sample)]; });
  view_->data[0] = reinterpret_cast<std::uint8_t*>(expanded_.data());
  view_->linesize[0] = static_cast<int>(row);
}

Result<AVFrame*> Converter::convert(const Picture& picture) {
  SC_ASSERT(is_valid(picture.size) && picture.format != PixelFormat::h264);
  const AVFrame* from = view_.get();
  if (picture.format == PixelFormat::mjpeg) {
    const auto decoded = decode_jpeg(picture);
    if (!decoded) return std::unexpected(decoded.error());
    from = *decoded;
  } else {
    view_planes(*view_, picture);
    expand_range(picture);
  }
  const auto scaled = scaler_.scale(*from, *target_);
  if (!scaled) return std::unexpected(scaled.error());
  return target_.get();
}

}  // namespace sealcam::hal::ffmpeg
