// SPDX-License-Identifier: Apache-2.0
/// Brings a picture of any format into the one an encoder takes.
#pragma once

#include "core/result.hpp"
#include "hal/ffmpeg/handles.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal::ffmpeg {

/// Converts into one frame of its own that is made once. Thread-bound.
class Converter {
 public:
  /// `target` is yu12 or nv12. Errors: no_memory.
  [[nodiscard]] static Result<Converter> open(Size size, PixelFormat target);

  /// The frame is valid until the next call and belongs to the converter. `picture` has the size given to open()
  /// and is not h264. Errors: malformed (a JPEG that does not decode or has another size), unsupported, no_memory.
  [[nodiscard]] Result<AVFrame*> convert(const Picture& picture);

 private:
  Converter(Size size, FramePtr target) : size_(size), target_(std::move(target)) {}
  Result<AVFrame*> decode_jpeg(const Picture& picture);
  Result<> scale(const AVFrame& from);

  Size size_;
  FramePtr target_;
  FramePtr view_;  // the picture's planes as a frame
  // For JPEG, made when the first one comes.
  CodecPtr jpeg_;
  PacketPtr jpeg_packet_;
  FramePtr jpeg_frame_;
  ScalerPtr scaler_;
  int scaler_format_ = -1;
  int scaler_range_ = -1;
};

struct SampleFormat {
  int av_format = -1;       ///< an AVPixelFormat, none of the J formats
  bool full_range = false;  ///< 0 to 255 (JPEG) instead of 16 to 235 (video)
};
/// Converts pictures of one size between formats and ranges. Null when it cannot.
[[nodiscard]] ScalerPtr open_scaler(Size size, SampleFormat from, SampleFormat to) noexcept;

/// Points `frame` at the picture's planes without copying. Its buffer reference is left alone.
void view_planes(AVFrame& frame, const Picture& picture) noexcept;

/// The AVPixelFormat of an uncompressed format.
[[nodiscard]] int av_format(PixelFormat format) noexcept;

}  // namespace sealcam::hal::ffmpeg
