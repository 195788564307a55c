// SPDX-License-Identifier: Apache-2.0
/// Encodes JPEG (ITU-T T.81, JFIF) with FFmpeg.
#pragma once

#include <memory>

#include "hal/ffmpeg/scaler.hpp"
#include "hal/ffmpeg/support.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal::ffmpeg {

/// Encodes pictures of one size. Converts them to the colors of JFIF: BT.601 with full range. Thread-bound.
class JpegEncoder {
 public:
  /// Errors: unsupported (this FFmpeg has no JPEG encoder), no_memory.
  [[nodiscard]] static Result<std::unique_ptr<JpegEncoder>> open(Size size);

  /// `picture`: YU12 of that size. The bytes are valid until the next call. Errors: unsupported, no_memory, io.
  [[nodiscard]] Result<ByteView> encode(const Picture& picture);

 private:
  explicit JpegEncoder(Size size) : size_(size) {}

  Size size_;
  CodecPtr context_;
  PacketPtr packet_;
  FramePtr view_;  // the picture's planes
  FramePtr full_;  // the picture in the colors of JFIF
  Scaler scaler_;
};

}  // namespace sealcam::hal::ffmpeg
