// SPDX-License-Identifier: Apache-2.0
/// The interfaces that turn opened pictures into MPEG-TS for players, MP4 files, and JPEG for snapshots.
#pragma once

#include <chrono>
#include <memory>
#include <span>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal {

/// One H.264 access unit (Annex B) of a stream.
struct StreamUnit {
  ByteView bytes;
  std::chrono::microseconds at{0};  ///< since the start of the stream; larger than that of the previous unit
  bool key = false;                 ///< a player can start here: IDR with SPS and PPS
};

/// Writes one MPEG transport stream (ISO/IEC 13818-1) with one H.264 track, without delay. Thread-bound.
class StreamMuxer {
 public:
  virtual ~StreamMuxer() = default;
  /// Returns whole packets of 188 bytes, valid until the next call. Errors: invalid_argument (the first unit is not a
  /// key frame, or the time does not increase), malformed (not H.264), no_memory.
  [[nodiscard]] Result<ByteView> write(const StreamUnit& unit) { return do_write(unit); }

 private:
  virtual Result<ByteView> do_write(const StreamUnit& unit) = 0;
};

/// Writes one fragmented MP4 file (ISO/IEC 14496-12) with one H.264 track of one size. The first fragment contains only
/// the first picture, and each later one ends before a key frame, so that a file plays up to its last fragment. Keeps
/// one unit, because its duration is known when the next one arrives. Thread-bound.
class Mp4Muxer {
 public:
  virtual ~Mp4Muxer() = default;
  /// Returns the bytes that follow in the file, valid until the next call; empty within a fragment. The first bytes
  /// contain the first picture. Errors:
  /// invalid_argument (the first unit is not a key frame, or the time does not increase), malformed (the first unit has
  /// no parameter sets, or is not H.264), no_memory.
  [[nodiscard]] Result<ByteView> write(const StreamUnit& unit) { return do_write(unit); }
  /// Returns the rest of the file. Do not call write() afterwards. Nothing was written: returns nothing.
  [[nodiscard]] Result<ByteView> finish() { return do_finish(); }

 private:
  virtual Result<ByteView> do_write(const StreamUnit& unit) = 0;
  virtual Result<ByteView> do_finish() = 0;
};

/// Makes stills from streams. It keeps no state between calls, so that it cannot mix pictures of two cameras.
/// Thread-bound.
class StillBuilder {
 public:
  virtual ~StillBuilder() = default;
  /// Decodes one group of pictures, which starts with a key frame, and returns its last picture as a JPEG. Takes up to
  /// 5 ms per access unit of 1080p. Errors: malformed (a unit does not decode), unsupported, no_memory.
  [[nodiscard]] Result<Bytes> make(std::span<const ByteView> group) { return do_make(group); }

 private:
  virtual Result<Bytes> do_make(std::span<const ByteView> group) = 0;
};

/// Creates muxers and still builders. They must not outlive it, and may be used on other threads. Thread-bound.
class Media {
 public:
  virtual ~Media() = default;
  /// Errors: not_found, unsupported (the library is missing), no_memory.
  [[nodiscard]] Result<std::unique_ptr<StreamMuxer>> open_muxer() { return do_open_muxer(); }
  /// `size`: of all pictures. Errors: not_found, unsupported (the library is missing), no_memory.
  [[nodiscard]] Result<std::unique_ptr<Mp4Muxer>> open_mp4_muxer(Size size) { return do_open_mp4_muxer(size); }
  /// Errors: not_found, unsupported (the library is missing), no_memory.
  [[nodiscard]] Result<std::unique_ptr<StillBuilder>> open_still_builder() { return do_open_still_builder(); }

 private:
  virtual Result<std::unique_ptr<StreamMuxer>> do_open_muxer() = 0;
  virtual Result<std::unique_ptr<Mp4Muxer>> do_open_mp4_muxer(Size size) = 0;
  virtual Result<std::unique_ptr<StillBuilder>> do_open_still_builder() = 0;
};

}  // namespace sealcam::hal
