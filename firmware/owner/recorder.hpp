// SPDX-License-Identifier: Apache-2.0
/// Where `sealcam watch` puts pictures: a fragmented MP4 file (ISO/IEC 14496-12), or the bare H.264 byte stream
/// (ITU-T H.264, Annex B) on standard output.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "core/bytes.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"

namespace sealcam::owner {

/// One access unit as it was verified.
struct Recordable {
  ByteView access_unit;
  bool key = false;        ///< SPS and PPS are in it
  CaptureTime captured;    ///< by the camera's clock, which may jump
  MonotonicTime received;  ///< by ours
  std::uint16_t width = 0, height = 0;
};

/// Thread-bound.
class Recorder {
 public:
  virtual ~Recorder() = default;
  /// The first picture must be a key picture. Errors: io, invalid_argument (not a key picture), unsupported (another
  /// size than before, where the format cannot have that).
  [[nodiscard]] Result<> add(const Recordable& picture) { return do_add(picture); }
  /// Nothing may be added afterwards. Errors: io.
  [[nodiscard]] Result<> finish() { return do_finish(); }

 private:
  virtual Result<> do_add(const Recordable& picture) = 0;
  virtual Result<> do_finish() = 0;
};

/// Each fragment ends before a key picture and is complete on the disk, so that a recording that is cut off plays up
/// to its last fragment. The file gets mode 0600. Errors: permission, io, not_found (folder).
[[nodiscard]] Result<std::unique_ptr<Recorder>> record_mp4(const std::filesystem::path& file);

/// Writes to a descriptor that the caller owns. A reader that has gone is an io error.
[[nodiscard]] std::unique_ptr<Recorder> record_annex_b(int descriptor);

}  // namespace sealcam::owner
