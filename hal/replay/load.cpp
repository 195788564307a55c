// SPDX-License-Identifier: Apache-2.0
#include "hal/replay/load.hpp"

#include "hal/modules/load.hpp"

namespace sealcam::hal::replay {

Result<std::unique_ptr<FrameSource>> open_replay(const ReplayConfig& config, const Clock& clock, Log& log) {
  const auto symbol = modules::load({.file = module_file, .symbol = open_symbol, .purpose = "replay"}, log);
  if (!symbol) return std::unexpected(symbol.error());
  auto* const open = reinterpret_cast<OpenFunction*>(*symbol);
  ModuleCall call;
  call.version = SEALCAM_VERSION;
  call.config = &config;
  call.clock = &clock;
  call.log = &log;
  std::unique_ptr<FrameSource> source(open(&call));
  if (!source) return std::unexpected(call.error);
  return source;
}

}  // namespace sealcam::hal::replay
