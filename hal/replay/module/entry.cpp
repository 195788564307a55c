// SPDX-License-Identifier: Apache-2.0
#include "hal/modules/modules.hpp"
#include "hal/replay/module/replay_source.hpp"

extern "C" {
#include <libavutil/log.h>
}

using namespace sealcam;
using namespace sealcam::hal;

namespace {

class Backend final : public replay::ReplayBackend {
  Result<std::unique_ptr<FrameSource>> do_open(const replay::ReplayConfig& config, const Clock& clock,
                                               Log& log) override {
    av_log_set_level(AV_LOG_FATAL);  // a damaged recording would fill the journal
    auto source = replay::ReplaySource::open(config, clock);
    if (source) return std::move(*source);
    const Error error = located(source.error(), config.file.string());
    if (error.code != Errc::canceled) log.error("replay: {}", to_string(error));
    return std::unexpected(error);
  }
};

}  // namespace

extern "C" [[gnu::visibility("default")]] replay::ReplayBackend* sealcam_replay_open(
    modules::ModuleCall* call) noexcept {
  return modules::open_module<replay::ReplayBackend>(*call, SEALCAM_VERSION,
                                                     [] { return std::make_unique<Backend>(); });
}
