// SPDX-License-Identifier: Apache-2.0
/// Converts pixel formats, sizes and colors with libswscale, also to the input format and the size of an encoder.
#pragma once

#include <span>

#include "base/picture_area.hpp"
#include "base/result.hpp"
#include "hal/ffmpeg/support.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal::ffmpeg {

/// Converts the samples of one frame to those of another one: format, size, matrix and range. It does not convert
/// primaries and transfer. Keeps its tables while frames have the same properties. Thread-bound.
class Scaler {
 public:
  /// `to` has its buffers, and its properties describe the result. Errors: unsupported (format, or no memory).
  [[nodiscard]] Result<> scale(const AVFrame& from, AVFrame& to);

 private:
  struct Image {
    int format = -1;
    Size size;
    std::uint8_t matrix = 0;
    bool full_range = false;
    friend bool operator==(const Image&, const Image&) = default;
  };
  static Image image_of(const AVFrame& frame) noexcept;
  static ScalerPtr open(const Image& from, const Image& to, int flags) noexcept;

  ScalerPtr context_;
  Image from_, to_;
};

/// The colors of a frame. Where the frame does not specify them, they are those of `fallback`.
[[nodiscard]] Colors colors_of(const AVFrame& frame, const Colors& fallback = {}) noexcept;
void set_colors(AVFrame& frame, const Colors& colors) noexcept;

/// Converts into one frame that it owns. Thread-bound.
class Converter {
 public:
  /// `target` is yu12 or nv12, `size` and `colors` are those of the result. Errors: no_memory.
  [[nodiscard]] static Result<Converter> open(Size size, PixelFormat target, const Colors& colors = {});

  /// Returns a frame that is valid until the next call. `picture` is not h264. Errors: malformed (a JPEG that does not
  /// decode or is smaller), unsupported, no_memory.
  [[nodiscard]] Result<AVFrame*> convert(const Picture& picture);

 private:
  explicit Converter(FramePtr target) : target_(std::move(target)) {}
  Result<AVFrame*> decode_jpeg(const Picture& picture);
  void expand_range(const Picture& picture);

  FramePtr target_;
  FramePtr view_;   // the picture's planes as a frame
  Bytes expanded_;  // RGB or gray of a sensor with limited range
  // Only for JPEG.
  CodecPtr jpeg_;
  PacketPtr jpeg_packet_;
  FramePtr jpeg_frame_;
  Scaler scaler_;
};

/// Paints the areas of a frame in yu12 or nv12 black. The frame's buffer is writable. Scaling mixes neighbors, so each
/// area grows by `paint_margin` pixels on each side.
void paint_areas(AVFrame& frame, std::span<const PictureArea> areas) noexcept;
inline constexpr int paint_margin = 2;

/// Points `frame` at the picture's planes without a copy, and sets its colors. Does not change its buffer reference.
void view_planes(AVFrame& frame, const Picture& picture) noexcept;

/// The AVPixelFormat of an uncompressed format.
[[nodiscard]] int av_format(PixelFormat format) noexcept;

}  // namespace sealcam::hal::ffmpeg
