// SPDX-License-Identifier: Apache-2.0
/// libcamera through a module that is loaded with the first call: README.md has what it costs.
#pragma once

#include <string>

#include "hal/libcamera/libcamera_backend.hpp"

namespace sealcam::hal::libcamera {

/// Loads sealcam-libcamera.so as hal/modules/load.hpp says, and keeps it; one that is missing, or does not load, is
/// looked for again with the next call, and the log told again. Thread-bound.
class ModuleLibcamera final : public LibcameraBackend {
 private:
  Result<std::unique_ptr<FrameSource>> do_open(const LibcameraConfig& config, const Clock& clock, Log& log) override;
  Result<std::vector<CameraEntry>> do_list(Log& log) override;
  [[nodiscard]] Result<LibcameraBackend*> loaded(Log& log);

  std::unique_ptr<LibcameraBackend> loaded_;
};

/// Why the module cannot be used here, in a sentence with what to do; empty when it can. Loads it.
[[nodiscard]] std::string module_problem();

}  // namespace sealcam::hal::libcamera
