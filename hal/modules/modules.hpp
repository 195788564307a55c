// SPDX-License-Identifier: Apache-2.0
/// Parts of a program that are loaded on first use. Their libraries (libavformat, libavcodec, libcamera) cost up to 30
/// MiB and 50 ms at the start, so that programs that do not use them must not load them.
///
/// A module is the file sealcam-NAME.so. The loader searches the folders in $SEALCAM_MODULE_PATH (absolute, separated
/// by colons), the folder of the program, the library folder of the same installation, and the installed library
/// folder. A module stays loaded until the process ends, because its libraries keep threads and tables. Each failure is
/// also logged, with the next step.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/log.hpp"
#include "hal/libcamera/libcamera_backend.hpp"
#include "hal/media.hpp"
#include "hal/replay/replay_backend.hpp"

namespace sealcam::hal::modules {

/// Loads sealcam-libcamera.so with the first call and keeps it. After a failure, the next call tries again and logs
/// again. Errors: also not_found (the file is missing), unsupported (it does not load, or has another version).
/// Thread-bound.
class LibcameraModule final : public libcamera::LibcameraBackend {
 private:
  Result<std::unique_ptr<FrameSource>> do_open(const libcamera::LibcameraConfig& config, const Clock& clock,
                                               Log& log) override;
  Result<std::vector<libcamera::CameraEntry>> do_list(Log& log) override;
  [[nodiscard]] Result<libcamera::LibcameraBackend*> backend(Log& log);

  std::unique_ptr<libcamera::LibcameraBackend> backend_;
};

/// Loads the module. Returns why that failed and the next step, or an empty text.
[[nodiscard]] std::string libcamera_problem();

/// Loads sealcam-media.so with the first call. After a failure it does not try again. Thread-bound.
class MediaModule final : public Media {
 public:
  /// `log` must outlive it.
  explicit MediaModule(Log& log) : log_(log) {}

 private:
  Result<std::unique_ptr<StreamMuxer>> do_open_muxer() override;
  Result<std::unique_ptr<Mp4Muxer>> do_open_mp4_muxer(Size size) override;
  Result<std::unique_ptr<StillBuilder>> do_open_still_builder() override;
  [[nodiscard]] Result<Media*> media();

  Log& log_;
  std::optional<Result<std::unique_ptr<Media>>> loaded_;
};

/// Loads sealcam-replay.so and opens a recording. `clock` must outlive the source. Errors: not_found (module or file),
/// unsupported (another version of the module, or no decoder for the file), invalid_argument (size, rate), malformed
/// (no pictures in the file), permission, no_memory, io.
[[nodiscard]] Result<std::unique_ptr<FrameSource>> open_replay(const replay::ReplayConfig& config, const Clock& clock,
                                                               Log& log);

}  // namespace sealcam::hal::modules
