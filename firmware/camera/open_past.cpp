// SPDX-License-Identifier: Apache-2.0
#include "camera/open_past.hpp"

#include "base/format.hpp"
#include "device/past_epochs.hpp"
#include "stream/publish/past_frames.hpp"

namespace sealcam::camera {

std::unique_ptr<device::PastStore> open_past(const CameraConfig& config, const device::DeviceState& state,
                                             const device::EpochFile& epochs, const protocol::Route& route, Log& log) {
  if (config.keep_past) {
    const auto digest = stream::PastFrames::digest_of(config.areas.masks);
    auto folder = digest.and_then([&](const auto& of_masks) {
      return device::PastFolder::open(state.files().past(), {.bytes = std::uint64_t{config.past_mib} << 20}, route,
                                      state.keys().identity.public_key(), of_masks);
    });
    const auto reserved = epochs.load();
    if (folder && folder->bytes() > 0 &&
        !(reserved && device::PastEpochStore::covers(state.files().past(), *reserved))) {
      log.info("deleting kept pictures, because a version of the camera that keeps none ran since");
      if (auto r = folder->clear(); !r) folder = std::unexpected(r.error());
    }
    if (folder) return std::make_unique<device::PastFolder>(std::move(*folder));
    log.error("the camera keeps no pictures while it has no broker, until it is restarted: {}",
              to_string(folder.error()));
  }
  if (auto r = device::PastFolder::erase(state.files().past()); !r)
    log.error("cannot delete pictures of a time without a broker, delete them: {}", to_string(r.error()));
  return nullptr;
}

}  // namespace sealcam::camera
