// SPDX-License-Identifier: Apache-2.0
/// JPEG (ITU-T T.81, JFIF) with FFmpeg.
#pragma once

#include <memory>

#include "hal/ffmpeg/handles.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal::ffmpeg {

/// Encodes decoded pictures of one size. Their samples are taken for the limited range of video (16 to 235) and
/// stretched to JPEG's full range. Thread-bound.
class JpegEncoder {
 public:
  /// Errors: unsupported (this FFmpeg has no JPEG encoder), no_memory.
  [[nodiscard]] static Result<std::unique_ptr<JpegEncoder>> open(Size size);

  /// `picture`: YU12 of that size. The bytes are valid until the next call. Errors: no_memory, io.
  [[nodiscard]] Result<ByteView> encode(const Picture& picture);

 private:
  explicit JpegEncoder(Size size) : size_(size) {}

  Size size_;
  CodecPtr context_;
  PacketPtr packet_;
  FramePtr view_;  // the picture's planes
  FramePtr full_;  // the same in full range
  ScalerPtr scaler_;
};

}  // namespace sealcam::hal::ffmpeg
