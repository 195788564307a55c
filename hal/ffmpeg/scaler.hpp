// SPDX-License-Identifier: Apache-2.0
/// Converts pixel formats, sizes and colors with libswscale.
#pragma once

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

}  // namespace sealcam::hal::ffmpeg
