// SPDX-License-Identifier: Apache-2.0
/// An H.264 decoder as consumer displays have it: what is damaged is patched up and shown all the same.
#pragma once

#include <memory>

#include "hal/ffmpeg/handles.hpp"
#include "hal/picture.hpp"

namespace sealcam::test {

/// For judging what somebody may have seen; the shipped decoder refuses damaged pictures. Thread-bound.
class LenientDecoder {
 public:
  /// Errors: unsupported, no_memory.
  [[nodiscard]] static Result<std::unique_ptr<LenientDecoder>> open();
  /// One picture that stands alone (a key frame or still). Its planes are valid until the next call.
  /// Errors: malformed (nothing at all could be made of it).
  [[nodiscard]] Result<hal::Picture> decode_alone(ByteView access_unit);

 private:
  LenientDecoder() = default;
  hal::ffmpeg::CodecPtr context_;
  hal::ffmpeg::PacketPtr packet_;
  hal::ffmpeg::FramePtr frame_;
};

}  // namespace sealcam::test
