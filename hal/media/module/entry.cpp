// SPDX-License-Identifier: Apache-2.0
#include <exception>
#include <string_view>

#include "hal/media/door.hpp"
#include "hal/media/module/mpegts_muxer.hpp"
#include "hal/media/module/still_maker.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace sealcam::hal::media;

namespace {

class FfmpegMedia final : public Media {
  Result<std::unique_ptr<StreamMuxer>> do_open_muxer() override { return MpegTsMuxer::open(); }
  Result<std::unique_ptr<StillMaker>> do_open_still_maker() override { return std::make_unique<FfmpegStillMaker>(); }
};

Media* open_media(ModuleCall& call) {
  if (std::string_view(call.version) != SEALCAM_VERSION) {
    call.error = {Errc::unsupported, 0, "the media module is of another version than the program: install both alike"};
    return nullptr;
  }
  return new FfmpegMedia;
}

}  // namespace

extern "C" [[gnu::visibility("default")]] Media* sealcam_media_open(ModuleCall* call) noexcept {
  try {
    return open_media(*call);
  } catch (const std::exception&) {
    call->error = {Errc::no_memory, 0, "opening the media module"};
    return nullptr;
  }
}
