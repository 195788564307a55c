// SPDX-License-Identifier: Apache-2.0
// The texts of sync.hpp.

#include <algorithm>

#include "base/file.hpp"
#include "base/format.hpp"
#include "device/file_stores.hpp"
#include "owner/account/membership.hpp"
#include "owner/sync/software.hpp"
#include "owner/sync/sync.hpp"

namespace sealcam::owner {

namespace {

constexpr std::size_t max_passphrase = 63;

protocol::CommandSeq next_number(CameraRecord& camera) { return camera.command.newest = camera.command.newest.next(); }

Outcome<protocol::Wifi> read_wifi(const Account& account, const CameraRecord& camera) {
  auto text =
      read(wifi_file(account.files(), camera.id), max_passphrase, "set the network again with 'sealcam camera wifi'");
  if (!text) return std::unexpected(text.error());
  auto passphrase = protocol::Passphrase::parse(as_text(*text));
  wipe(*text);
  if (!passphrase)
    return failure(passphrase.error(), sealcam::format("{} is damaged", wifi_file(account.files(), camera.id).string()),
                   "set the network again with 'sealcam camera wifi'");
  return protocol::Wifi{camera.command.wifi->value, std::move(*passphrase)};
}

/// The signed roster in a file; nothing if it is missing or not valid. The caller then signs a newer one.
std::optional<protocol::Roster> read_roster(const Account& account, const DeviceId& camera,
                                            const std::filesystem::path& path) {
  const auto message = read_file(path, protocol::max_control_size);
  if (!message) return std::nullopt;
  const auto owner = crypto::Verifier::open(account.key().public_key());
  if (!owner) return std::nullopt;
  auto roster = protocol::decode_roster(*message, {account.id(), camera}, *owner);
  if (!roster) return std::nullopt;
  return std::move(*roster);
}

bool is_current(const Account& account, const CameraRecord& camera) {
  if (camera.version == protocol::RosterVersion()) return false;
  const auto stored = read_roster(account, camera.id, account.files().roster(camera.id));
  return stored && stored->version == camera.version &&
         same_members(*stored, roster_of(account.file(), camera, stored->issued));
}

Outcome<> sign_roster(const Account& account, const CameraRecord& camera, const Clock& clock) {
  const auto message = protocol::encode_roster(roster_of(account.file(), camera, clock.wall()),
                                               {account.id(), camera.id}, account.key());
  if (!message) return failure(message.error(), sealcam::format("cannot sign the roster of '{}'", camera.name));
  return write(account.files().roster(camera.id), *message);
}

/// Whether the newest signed list has these cameras. Otherwise the caller signs a newer one.
bool index_is_current(const Account& account, const IndexRecord& record, const DeviceId& hub) {
  if (record.version == protocol::IndexVersion()) return false;
  const auto message = read_file(account.files().index(hub), protocol::max_control_size);
  const auto owner = crypto::Verifier::open(account.key().public_key());
  if (!message || !owner) return false;
  const auto index = protocol::decode_index(*message, account.id(), hub, *owner);
  return index && index->version == record.version && index->cameras == cameras_of(account.file(), hub);
}

/// Above the stored version, and above those of a lost copy of the account if this machine's clock is correct.
protocol::IndexVersion next_version(const IndexRecord& record, const Clock& clock) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(clock.wall().since_epoch).count();
  const auto time = protocol::IndexVersion(static_cast<std::uint64_t>(std::max<std::int64_t>(seconds, 0)));
  return std::max(record.version.next(), time);
}

}  // namespace

void desire_name(CameraRecord& camera, std::string name) {
  camera.command.name = {next_number(camera), name};
  camera.name = std::move(name);
}

void desire_privacy(CameraRecord& camera, bool on) { camera.command.privacy = {next_number(camera), on}; }

void desire_settings(CameraRecord& camera, const protocol::CameraSettings& settings) {
  auto whole = camera.command.settings ? camera.command.settings->value : protocol::CameraSettings();
  if (settings.bitrate) whole.bitrate = settings.bitrate;
  if (settings.size) whole.size = settings.size;
  if (settings.frames_per_second) whole.frames_per_second = settings.frames_per_second;
  if (settings.masks) whole.masks = settings.masks;
  if (settings.motion) whole.motion = settings.motion;
  if (settings.zones) whole.zones = settings.zones;
  camera.command.settings = {next_number(camera), whole};
}

void desire_wifi(CameraRecord& camera, Bytes ssid) {
  camera.command.wifi = {next_number(camera), std::move(ssid)};
  camera.command.wifi_lost.reset();
}

void desire_reset(CameraRecord& camera) { camera.command.reset = next_number(camera); }

void desire_update(CameraRecord& camera, protocol::UpdateConsent consent) {
  camera.command.update = {next_number(camera), std::move(consent)};
}

bool command_unconfirmed(const CameraRecord& camera) noexcept { return camera.command.applied < camera.command.newest; }

bool roster_unconfirmed(const CameraRecord& camera) noexcept { return camera.confirmed != camera.version; }

std::filesystem::path wifi_file(const AccountFiles& files, const DeviceId& camera) {
  return files.folder / "wifi" / camera.to_string();
}

Outcome<> store_wifi(const AccountFiles& files, const DeviceId& camera, const protocol::Passphrase& passphrase) {
  const auto path = wifi_file(files, camera);
  if (auto r = make_private_folder(path.parent_path()); !r)
    return failure(r.error(), sealcam::format("cannot make the folder {}", path.parent_path().string()));
  return write(path, as_bytes(passphrase.reveal()));
}

Outcome<Bytes> signed_command(const Account& account, const CameraRecord& camera) {
  const auto& desired = camera.command;
  protocol::Command command;
  command.seq = desired.newest;
  command.name = desired.name;
  command.privacy = desired.privacy;
  command.settings = desired.settings;
  if (desired.wifi && !desired.wifi_lost) {
    auto wifi = read_wifi(account, camera);
    if (!wifi) return std::unexpected(wifi.error());
    command.wifi = {desired.wifi->since, std::move(*wifi)};
  }
  if (desired.reset) command.reset = {*desired.reset, {}};
  // A camera whose program was replaced by an older one would reject the whole command.
  const bool waits = !desired.update || desired.update->since == protocol::CommandSeq();
  if (!waits && reports_software(account.files(), account.id(), camera)) command.update = desired.update;
  auto message = protocol::encode_command(command, {account.id(), camera.id}, camera.hpke, account.key());
  if (!message) return failure(message.error(), sealcam::format("cannot sign the command to '{}'", camera.name));
  return std::move(*message);
}

void note_applied(CameraRecord& camera, protocol::CommandSeq applied) {
  auto& command = camera.command;
  command.applied = std::max(command.applied, std::min(applied, command.newest));
  if (!command.wifi || command.wifi->since > command.applied) return;
  if (command.wifi_lost && *command.wifi_lost <= command.applied) return;
  command.wifi.reset();
  command.wifi_lost.reset();
}

Outcome<LostWifi> find_lost_wifi(Account& account, bool everything) {
  LostWifi lost;
  auto next_file = account.file();
  bool changed = false;
  for (auto& camera : next_file.cameras) {
    auto& command = camera.command;
    if (camera.out_of_sync || !command.wifi || (!command.wifi_lost && read_wifi(account, camera))) continue;
    const bool at_broker = !command.wifi_lost && command.published == command.newest && !everything;
    if (!at_broker && !command.wifi_lost) {
      command.wifi_lost = next_number(camera);
      changed = true;
    }
    if (at_broker) lost.at_broker.push_back(camera.id);
    else if (!camera.removed && !command.reset) lost.left_out.push_back(camera.id);
  }
  if (changed)
    if (auto r = account.store(std::move(next_file)); !r) return std::unexpected(r.error());
  return lost;
}

Outcome<> delete_applied_wifi(const AccountFiles& files, const AccountFile& account) {
  std::error_code ec;
  const auto folder = files.folder / "wifi";
  if (!std::filesystem::exists(folder, ec)) return {};
  std::vector<std::filesystem::path> old;
  for (std::filesystem::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
    const bool needed = std::ranges::any_of(account.cameras, [&](const CameraRecord& camera) {
      return camera.command.wifi && camera.id.to_string() == it->path().filename();
    });
    if (!needed) old.push_back(it->path());
  }
  for (const auto& path : old)
    if (!ec) std::filesystem::remove(path, ec);
  if (ec) return failure(EX_IOERR, sealcam::format("cannot delete files in {}: {}", folder.string(), ec.message()));
  return {};
}

Outcome<std::vector<DeviceId>> renew_rosters(Account& account, const Clock& clock) {
  if (auto r = make_private_folder(account.files().rosters()); !r)
    return failure(r.error(), sealcam::format("cannot make the folder {}", account.files().rosters().string()));
  auto next = account.file();
  std::vector<DeviceId> renewed;
  for (auto& camera : next.cameras) {
    // After a restore, the camera may already have a newer version.
    if (camera.out_of_sync || account.file().resync_pending || is_current(account, camera)) continue;
    camera.version = camera.version.next();
    camera.not_stored = false;
    renewed.push_back(camera.id);
  }
  if (renewed.empty()) return renewed;
  if (auto r = account.store(std::move(next)); !r) return std::unexpected(r.error());
  for (const auto& camera : account.file().cameras) {
    if (!std::ranges::contains(renewed, camera.id)) continue;
    if (auto r = sign_roster(account, camera, clock); !r) return std::unexpected(r.error());
  }
  return renewed;
}

Outcome<> renew_indexes(Account& account, const Clock& clock) {
  std::error_code ec;
  const bool has_broker = std::filesystem::exists(account.files().owner().enrollment(), ec);
  if (account.file().resync_pending || !has_broker) return {};
  if (auto r = make_private_folder(account.files().indexes()); !r)
    return failure(r.error(), sealcam::format("cannot make the folder {}", account.files().indexes().string()));
  auto next = account.file();
  std::vector<std::pair<DeviceId, protocol::IndexVersion>> renewed;
  const auto renew = [&](IndexRecord& record, const DeviceId& hub) {
    if (index_is_current(account, record, hub)) return;
    record.version = next_version(record, clock);
    renewed.emplace_back(hub, record.version);
  };
  for (auto& hub : next.hubs)
    if (hub.is_member() || hub.index.version != protocol::IndexVersion()) renew(hub.index, hub.id);
  renew(next.index, DeviceId(account.id().bytes()));
  if (renewed.empty()) return {};
  if (auto r = account.store(std::move(next)); !r) return r;
  for (const auto& [hub, version] : renewed) {
    const auto message =
        protocol::encode_index({version, cameras_of(account.file(), hub)}, account.id(), hub, account.key());
    if (!message) return failure(message.error(), "cannot sign the list of cameras of a hub");
    if (auto r = write(account.files().index(hub), *message); !r) return r;
  }
  return {};
}

Outcome<Bytes> signed_index(const Account& account, const DeviceId& hub) {
  return read(account.files().index(hub), protocol::max_control_size, "run the command again");
}

Outcome<Bytes> signed_roster(const Account& account, const CameraRecord& camera) {
  return read(account.files().roster(camera.id), protocol::max_control_size, "run the command again");
}

Outcome<> install_roster(const Account& account, const CameraRecord& camera,
                         const std::filesystem::path& state_folder) {
  const auto folder = device::StateFiles{state_folder}.rosters(account.id());
  const auto installed = read_roster(account, camera.id, folder / camera.id.to_string());
  if (installed && installed->version >= camera.version) return {};
  const auto message = signed_roster(account, camera);
  if (!message) return std::unexpected(message.error());
  if (auto r = device::RosterFolder(folder).store(camera.id, *message); !r)
    return failure(r.error(), sealcam::format("cannot write the roster to {}", folder.string()));
  return {};
}

bool is_unconfirmed(const CameraRecord& camera) noexcept {
  return camera.gone || roster_unconfirmed(camera) || command_unconfirmed(camera) || camera.contradicted ||
         camera.not_stored || camera.out_of_sync;
}

std::string pending_text(const CameraRecord& camera) {
  const auto& update = camera.command.update;
  const bool waits = update && update->since == protocol::CommandSeq();
  if (!is_unconfirmed(camera))
    return waits ? "the decision about updates waits until the camera reports its version; run 'sealcam sync' when it "
                   "is on"
                 : "";
  if (camera.gone) return "pending: the broker does not have the camera's last messages; run 'sealcam sync'";
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
  if (hub.unfinished) return "its link was interrupted; run 'sealcam phone unlink' for it, and link the phone again";
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
