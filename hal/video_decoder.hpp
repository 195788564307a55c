// SPDX-License-Identifier: Apache-2.0
/// The seam to an H.264 decoder: snapshots on the hub, and tests.
#pragma once

#include <optional>

#include "core/result.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal {

/// Turns access units into YU12 pictures. Feed it nothing that was not verified. Thread-bound.
class VideoDecoder {
 public:
  virtual ~VideoDecoder() = default;

  /// Decodes one access unit (Annex B), with no delay for streams without B-frames. The picture's
  /// planes are valid until the next call; number and captured are not set.
  /// Errors: malformed (the decoder waits for the next key frame), no_memory.
  [[nodiscard]] Result<std::optional<Picture>> decode(ByteView access_unit) { return do_decode(access_unit); }

 private:
  virtual Result<std::optional<Picture>> do_decode(ByteView access_unit) = 0;
};

}  // namespace sealcam::hal
