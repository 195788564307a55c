// SPDX-License-Identifier: Apache-2.0
/// The seams to what the hub makes of opened pictures for others: MPEG-TS for players, JPEG for snapshots.
#pragma once

#include <chrono>
#include <memory>
#include <span>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace sealcam::hal {

/// One H.264 access unit (Annex B) on its way into a stream.
struct StreamUnit {
  ByteView bytes;
  std::chrono::microseconds at{0};  ///< since the stream began; larger than that of the unit before
  bool key = false;                 ///< a player can begin here: IDR with SPS and PPS
};

/// Writes one MPEG transport stream (ISO/IEC 13818-1) with one H.264 track. Nothing is delayed. Thread-bound.
class StreamMuxer {
 public:
  virtual ~StreamMuxer() = default;
  /// Whole packets of 188 bytes, valid until the next call. Errors: invalid_argument (the first unit is not a key, time
  /// does not grow), malformed (no H.264), no_memory.
  [[nodiscard]] Result<ByteView> write(const StreamUnit& unit) { return do_write(unit); }

 private:
  virtual Result<ByteView> do_write(const StreamUnit& unit) = 0;
};

/// Makes stills of streams. Keeps nothing from one call to the next, so that no camera's picture can get into
/// another's. Thread-bound.
class StillMaker {
 public:
  virtual ~StillMaker() = default;
  /// Decodes one group of pictures, key frame first, and gives its last picture as a JPEG. Takes up to 5 ms for each
  /// access unit of 1080p. Errors: malformed (it does not decode to its end), unsupported, no_memory.
  [[nodiscard]] Result<Bytes> make(std::span<const ByteView> group) { return do_make(group); }

 private:
  virtual Result<Bytes> do_make(std::span<const ByteView> group) = 0;
};

/// Makes the two above. What it makes must not outlive it. Thread-bound; what it makes may go to other threads.
class Media {
 public:
  virtual ~Media() = default;
  /// Errors: not_found, unsupported (no such library here), no_memory.
  [[nodiscard]] Result<std::unique_ptr<StreamMuxer>> open_muxer() { return do_open_muxer(); }
  /// Errors: not_found, unsupported (no such library here), no_memory.
  [[nodiscard]] Result<std::unique_ptr<StillMaker>> open_still_maker() { return do_open_still_maker(); }

 private:
  virtual Result<std::unique_ptr<StreamMuxer>> do_open_muxer() = 0;
  virtual Result<std::unique_ptr<StillMaker>> do_open_still_maker() = 0;
};

}  // namespace sealcam::hal
