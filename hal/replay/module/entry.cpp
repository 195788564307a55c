// SPDX-License-Identifier: Apache-2.0
#include <exception>
#include <string_view>

#include "hal/replay/module/replay_source.hpp"

extern "C" {
#include <libavutil/log.h>
}

using namespace sealcam;
using namespace sealcam::hal;
using namespace sealcam::hal::replay;

namespace {

FrameSource* open_source(ModuleCall& call) {
  if (std::string_view(call.version) != SEALCAM_VERSION) {
    call.error = {Errc::unsupported, 0, "the replay module is of another version than the program: install both alike"};
    return nullptr;
  }
  av_log_set_level(AV_LOG_FATAL);  // damaged recordings would fill the journal
  auto source = ReplaySource::open(*call.config, *call.clock);
  if (!source) {
    call.error = source.error();
    call.log->error("replay: {}: {}", call.config->file.string(), to_string(call.error));
    return nullptr;
  }
  return source->release();
}

}  // namespace

extern "C" [[gnu::visibility("default")]] FrameSource* sealcam_replay_open(ModuleCall* call) noexcept {
  try {
    return open_source(*call);
  } catch (const std::exception&) {
    call->error = {Errc::no_memory, 0, "opening a recording"};
    return nullptr;
  }
}
