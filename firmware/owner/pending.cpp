// SPDX-License-Identifier: Apache-2.0
#include "owner/pending.hpp"

#include <algorithm>
#include <format>

#include "owner/wanted.hpp"

namespace sealcam::owner {

bool waits(const CameraRecord& camera) noexcept {
  return camera.confirmed != camera.version || command_waits(camera) || camera.contradicted || camera.unlearned;
}

std::string pending_sentence(const CameraRecord& camera) {
  if (!waits(camera)) return "";
  if (camera.unlearned) return "restored from a backup, and the camera was not heard yet; run: sealcam sync";
  if (camera.contradicted)
    return "it follows a roster that this account does not know, from another copy of the account; run: sealcam sync "
           "--learn";
  if (camera.published != camera.version || camera.command.published != camera.command.newest)
    return "pending, the broker does not have it yet; run: sealcam sync";
  if (camera.command.reset) return "told to reset, and it has not said goodbye yet";
  if (camera.removed) return "being removed, the camera has not confirmed it: its hubs may still watch";
  if (camera.confirmed != camera.version)
    return "published, the camera has not confirmed its roster: a hub that was taken away may still watch";
  return "told, the camera has not obeyed yet";
}

std::string wifi_sentence(const CameraRecord& camera) {
  if (camera.command.wifi_lost)
    return std::format(
        "its Wi-Fi network was left out, since the passphrase was lost on this machine; say it again: "
        "sealcam camera wifi '{}' --ssid …",
        camera.name);
  if (!camera.wifi_trouble) return "";
  static constexpr auto again = "say it again: sealcam camera wifi";
  switch (*camera.wifi_trouble) {
    case protocol::WifiTrouble::cannot:
      return "its board could not join the Wi-Fi network; 'sealcam-camera --doctor' there says why";
    case protocol::WifiTrouble::not_found:
      return std::format("it did not find the Wi-Fi network and went back; check the name, and {}", again);
    case protocol::WifiTrouble::refused:
      return std::format("the Wi-Fi network refused the passphrase and it went back; {}", again);
    case protocol::WifiTrouble::no_address:
      return "the Wi-Fi network gave it no address and it went back; look at the router's DHCP";
    case protocol::WifiTrouble::no_broker: return "it did not reach the broker over the Wi-Fi network and went back";
    case protocol::WifiTrouble::other: break;
  }
  return std::format("it could not join the Wi-Fi network and went back; {}", again);
}

std::string pending_sentence(const AccountFile& account, const HubRecord& hub) {
  std::vector<DeviceId> cameras;
  for (const auto& camera : account.cameras)
    if (camera.confirmed != camera.version || camera.unlearned) cameras.push_back(camera.id);
  if (cameras.empty()) return "";
  const auto names = names_of(account, cameras);
  if (hub.unlinked) return std::format("unlinked, but {} did not confirm it: it may still watch there", names);
  return std::format("what was changed last is not confirmed by {}", names);
}

std::string names_of(const AccountFile& account, const std::vector<DeviceId>& cameras) {
  std::string out;
  for (const auto& id : cameras) {
    const auto it = std::ranges::find(account.cameras, id, &CameraRecord::id);
    out += out.empty() ? "" : ", ";
    out += it == account.cameras.end() ? id.to_string() : std::format("'{}'", it->name);
  }
  return out;
}

}  // namespace sealcam::owner
