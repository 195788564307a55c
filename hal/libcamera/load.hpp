// SPDX-License-Identifier: Apache-2.0
/// libcamera through a module that is loaded with the first call: README.md has what it costs.
#pragma once

#include <optional>

#include "hal/libcamera/libcamera_backend.hpp"

namespace sealcam::hal::libcamera {

/// Loads sealcam-libcamera.so as hal/modules/load.hpp says, once: a module that was missing is not looked for again.
/// Thread-bound.
class ModuleLibcamera final : public LibcameraBackend {
 private:
  Result<std::unique_ptr<FrameSource>> do_open(const LibcameraConfig& config, const Clock& clock, Log& log) override;
  Result<std::vector<CameraEntry>> do_list(Log& log) override;
  [[nodiscard]] Result<LibcameraBackend*> loaded(Log& log);

  std::optional<Result<std::unique_ptr<LibcameraBackend>>> loaded_;
};

}  // namespace sealcam::hal::libcamera
