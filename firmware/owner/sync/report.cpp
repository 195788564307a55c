// SPDX-License-Identifier: Apache-2.0
// The texts of sync.hpp.
#include <algorithm>

#include "base/format.hpp"
#include "owner/sync/sync.hpp"

namespace sealcam::owner {

bool is_unconfirmed(const CameraRecord& camera) noexcept {
  return roster_unconfirmed(camera) || command_unconfirmed(camera) || camera.contradicted || camera.not_stored ||
         camera.out_of_sync;
}

std::string pending_text(const CameraRecord& camera) {
  if (!is_unconfirmed(camera)) return "";
  if (camera.out_of_sync)
    return "restored from a backup, and the camera has not reported its roster; run 'sealcam sync'";
  if (camera.contradicted)
    return "the camera uses a roster from another copy of this account; run 'sealcam sync --resync'";
  if (camera.published != camera.version || camera.command.published != camera.command.newest)
    return "pending: the broker does not have the newest roster or command; run 'sealcam sync'";
  if (camera.not_stored)
    return "not stored: the camera follows the change, but could not store it; after a restart it would follow the old "
           "roster or command; run 'sealcam-camera --doctor' on the camera, free space or replace its card";
  if (camera.command.reset) return "waiting: the camera has not published its deregistration notice";
  if (camera.removed) return "waiting: the camera has not confirmed its removal, and its hubs may still watch";
  if (roster_unconfirmed(camera))
    return "waiting: the camera has not confirmed its roster, and a removed hub may still watch";
  const auto& privacy = camera.command.privacy;
  if (privacy && !privacy->value && privacy->since > camera.command.applied)
    return "waiting: the camera has not applied the command; it can still open its sensor later, unless you switch "
           "privacy on and the camera confirms that";
  return "waiting: the camera has not applied the command";
}

std::string wifi_text(const CameraRecord& camera) {
  if (camera.command.wifi_lost)
    return sealcam::format(
        "the Wi-Fi network was left out, because this machine lost the passphrase; set it again "
        "with: sealcam camera wifi '{}' --ssid …",
        camera.name);
  if (!camera.wifi_fault) return "";
  static constexpr auto again = "run 'sealcam camera wifi' again";
  switch (*camera.wifi_fault) {
    case protocol::WifiFault::cannot:
      return "the board cannot join the Wi-Fi network; run 'sealcam-camera --doctor' on the camera for the reason";
    case protocol::WifiFault::not_found:
      return sealcam::format(
          "the camera did not find the Wi-Fi network and returned to the previous one; check the "
          "name and {}",
          again);
    case protocol::WifiFault::rejected:
      return sealcam::format(
          "the Wi-Fi network rejected the passphrase, and the camera returned to the previous "
          "network; {}",
          again);
    case protocol::WifiFault::no_address:
      return "the camera got no address in the Wi-Fi network and returned to the previous one; check the DHCP server "
             "of "
             "the router";
    case protocol::WifiFault::no_broker:
      return "the camera did not reach the broker in the Wi-Fi network and returned to the previous one";
    case protocol::WifiFault::other: break;
  }
  return sealcam::format("the camera could not join the Wi-Fi network and returned to the previous one; {}", again);
}

std::string pending_text(const AccountFile& account, const HubRecord& hub) {
  std::vector<DeviceId> cameras;
  for (const auto& camera : account.cameras)
    if (roster_unconfirmed(camera) || camera.not_stored || camera.out_of_sync) cameras.push_back(camera.id);
  if (cameras.empty()) return "";
  const auto names = names_of(account, cameras);
  if (hub.unlinked)
    return sealcam::format("unlinked, but not confirmed by {}, so the hub may still watch there", names);
  return sealcam::format("the newest permissions are not confirmed by {}", names);
}

std::string names_of(const AccountFile& account, const std::vector<DeviceId>& cameras) {
  std::string out;
  for (const auto& id : cameras) {
    const auto it = std::ranges::find(account.cameras, id, &CameraRecord::id);
    out += out.empty() ? "" : ", ";
    out += it == account.cameras.end() ? id.to_string() : sealcam::format("'{}'", it->name);
  }
  return out;
}

std::string report_text(const SyncReport& report, const AccountFile& account) {
  std::string out;
  const auto add = [&](std::string line) { out += (out.empty() ? "" : "\n") + std::move(line); };
  const auto names = [&](const std::vector<DeviceId>& cameras) { return names_of(account, cameras); };
  const auto again = report.pending.empty() ? "they are published again" : "they are not published again yet";
  if (!report.lost.empty())
    add(sealcam::format("the broker had lost the rosters or commands of {}; {}", names(report.lost), again));
  if (report.lost_index) add(sealcam::format("the broker had lost the lists of cameras for hubs; {}", again));
  if (!report.reached && !report.why_pending.empty() && report.pending.empty() && !report.resync_pending)
    add(sealcam::format("the broker was not reached ({}); start the broker, then run 'sealcam sync'",
                        report.why_pending));
  if (!report.confirmed.empty()) add(sealcam::format("confirmed by {}", names(report.confirmed)));
  if (!report.gone.empty()) add(sealcam::format("removed from the account: {}", names(report.gone)));
  if (!report.waiting.empty())
    add(sealcam::format("published, waiting for {} to confirm; check again with 'sealcam sync'",
                        names(report.waiting)));
  if (!report.pending.empty())
    add(sealcam::format("pending: {} ({}); start the broker, then run 'sealcam sync'", names(report.pending),
                        report.why_pending));
  for (const auto& camera : report.lost_wifi.left_out)
    add(sealcam::format(
        "the Wi-Fi passphrase for {0} is missing or damaged on this machine, so the network was left out; "
        "set it again with: sealcam camera wifi {0} --ssid …",
        names({camera})));
  for (const auto& camera : report.lost_wifi.at_broker)
    add(
        sealcam::format("the Wi-Fi passphrase for {0} is missing or damaged on this machine, but the broker has the "
                        "command; if {0} does not confirm it, set the network again with: sealcam camera wifi {0} "
                        "--ssid …",
                        names({camera})));
  if (!report.not_stored.empty())
    add(sealcam::format(
        "{} could not store the newest roster or command: it follows it, but a restart of the camera would bring the "
        "old one back; free space on the camera or replace its card, then run 'sealcam sync'",
        names(report.not_stored)));
  if (!report.contradicted.empty())
    add(sealcam::format(
        "{} uses a roster that this account did not sign, because another copy of the account is in use; "
        "take that roster over with 'sealcam sync --resync'",
        names(report.contradicted)));
  if (!report.out_of_sync.empty())
    add(sealcam::format("{} has not reported its roster since the restore; start the camera, then run 'sealcam sync'",
                        names(report.out_of_sync)));
  if (report.resync_pending)
    add(sealcam::format("the broker was not reached since the restore ({}); run 'sealcam sync'", report.why_pending));
  return out;
}

}  // namespace sealcam::owner
