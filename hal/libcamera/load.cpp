// SPDX-License-Identifier: Apache-2.0
#include "hal/libcamera/load.hpp"

#include "hal/modules/load.hpp"

namespace sealcam::hal::libcamera {

namespace {

struct LastLine final : Log {
  void write(LogLevel, std::string_view text) override { line = text; }
  std::string line;
};

Result<std::unique_ptr<LibcameraBackend>> load(Log& log) {
  const auto symbol = modules::load({.file = module_file, .symbol = open_symbol, .purpose = "libcamera"}, log);
  if (!symbol) return std::unexpected(symbol.error());
  auto* const open = reinterpret_cast<OpenFunction*>(*symbol);
  ModuleCall call;
  call.version = SEALCAM_VERSION;
  std::unique_ptr<LibcameraBackend> backend(open(&call));
  if (backend) return backend;
  log.error("libcamera: {}", to_string(call.error));
  return std::unexpected(call.error);
}

}  // namespace

Result<LibcameraBackend*> ModuleLibcamera::loaded(Log& log) {
  if (!loaded_) {
    auto backend = load(log);
    if (!backend) return std::unexpected(backend.error());
    loaded_ = std::move(*backend);
  }
  return loaded_.get();
}

std::string module_problem() {
  LastLine log;
  return load(log) ? std::string() : log.line;
}

Result<std::unique_ptr<FrameSource>> ModuleLibcamera::do_open(const LibcameraConfig& config, const Clock& clock,
                                                              Log& log) {
  const auto backend = loaded(log);
  if (!backend) return std::unexpected(backend.error());
  return (*backend)->open(config, clock, log);
}

Result<std::vector<CameraEntry>> ModuleLibcamera::do_list(Log& log) {
  const auto backend = loaded(log);
  if (!backend) return std::unexpected(backend.error());
  return (*backend)->list(log);
}

}  // namespace sealcam::hal::libcamera
