// SPDX-License-Identifier: Apache-2.0
/// An H.264 decoder that conceals errors and returns damaged pictures, as the decoders of consumer displays do.
#pragma once

#include <memory>

#include "hal/ffmpeg/support.hpp"
#include "hal/picture.hpp"

namespace sealcam::test {

/// Shows what a viewer could see of a picture. Sealcam's own decoder rejects damaged pictures. Thread-bound.
class LenientDecoder {
 public:
  /// Errors: unsupported, no_memory.
  [[nodiscard]] static Result<std::unique_ptr<LenientDecoder>> open();
  /// Decodes a key frame or still. The planes are valid until the next call. Errors: malformed (no picture).
  [[nodiscard]] Result<hal::Picture> decode_alone(ByteView access_unit);

 private:
  LenientDecoder() = default;
  hal::ffmpeg::CodecPtr context_;
  hal::ffmpeg::PacketPtr packet_;
  hal::ffmpeg::FramePtr frame_;
};

}  // namespace sealcam::test
