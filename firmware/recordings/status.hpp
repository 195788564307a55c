// SPDX-License-Identifier: Apache-2.0
/// The state of the recorder, for the page, the API and /metrics.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/types.hpp"

namespace sealcam::recordings {

/// When the hub records a camera.
enum class Mode : std::uint8_t {
  off,
  continuous,
  motion,  ///< around motion, and while a person looks
};
[[nodiscard]] std::string_view name(Mode mode) noexcept;

/// Why the recorder does not record. It tries again every few seconds.
enum class RecorderFault : std::uint8_t {
  none,
  full,       ///< no space, and the hub may delete no more files for it
  read_only,  ///< the folder is not writable
  missing,    ///< the folder is not there, or another file system is in its place
  io,         ///< the disk reports errors
  slow,       ///< pictures were lost within the last minute because of a slow disk, or it does not answer
  index,      ///< the index cannot be written (recording continues), or the keys (nothing is recorded)
};
[[nodiscard]] std::string_view name(RecorderFault fault) noexcept;

struct RecordedCamera {
  DeviceId camera;
  Mode mode = Mode::off;
  bool recording = false;             ///< a picture was stored within the last 10 s
  std::optional<CaptureTime> newest;  ///< time of the newest stored picture since the start
};

struct Status {
  bool enabled = false;  ///< a camera has a mode other than off
  RecorderFault fault = RecorderFault::none;
  std::optional<CaptureTime> fault_since;
  std::string fault_text;  ///< with the path, for people who configure the hub
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
  std::uint64_t quota = 0;      ///< bytes; 0: none
  std::uint64_t disk_free = 0;  ///< bytes; 0 if the folder is missing
  std::optional<CaptureTime> oldest;
  std::uint64_t stored_frames = 0;      ///< since the start
  std::uint64_t stored_bytes = 0;       ///< since the start
  std::uint64_t dropped_frames = 0;     ///< since the start: a fault, or the queue to the disk was full
  std::uint64_t deleted_files = 0;      ///< since the start, for the quota
  std::vector<RecordedCamera> cameras;  ///< those with a mode other than off
};

}  // namespace sealcam::recordings
