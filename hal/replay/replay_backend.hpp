// SPDX-License-Identifier: Apache-2.0
/// A recording as a source. hal/modules/modules.hpp opens it.
#pragma once

#include <filesystem>
#include <memory>
#include <stop_token>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "hal/frame_source.hpp"

namespace sealcam::hal::replay {

struct ReplayConfig {
  std::filesystem::path file;  ///< any recording or image that FFmpeg opens, also a FIFO
  Size size{1920, 1080};       ///< pictures are scaled to this size; black bars keep their shape
  double rate = 0;             ///< pictures per second; 0: at the times of the file
  bool loop = true;            ///< false: end_of_stream after the last picture of the file; a FIFO never repeats
  bool realtime = true;        ///< false: next() does not wait
  std::stop_token stop{};      ///< ends open() while it waits for a slow file
};

/// The interface of the module sealcam-replay.so. Reentrant.
class ReplayBackend {
 public:
  virtual ~ReplayBackend() = default;
  /// `clock` must outlive the source, but this object need not. Errors: not_found, unsupported (no decoder for the
  /// file), invalid_argument (size, rate, a folder), malformed (no pictures in the file), permission, canceled,
  /// no_memory, io. Also logged.
  [[nodiscard]] Result<std::unique_ptr<FrameSource>> open(const ReplayConfig& config, const Clock& clock, Log& log) {
    return do_open(config, clock, log);
  }

 private:
  virtual Result<std::unique_ptr<FrameSource>> do_open(const ReplayConfig& config, const Clock& clock, Log& log) = 0;
};

}  // namespace sealcam::hal::replay
