// SPDX-License-Identifier: Apache-2.0
#include "owner/wanted.hpp"

#include <algorithm>
#include <format>

#include "core/file.hpp"

namespace sealcam::owner {

namespace {

constexpr std::size_t largest_passphrase = 63;

CommandSeq next(CameraRecord& camera) { return camera.command.newest = camera.command.newest.next(); }

Outcome<protocol::Wifi> read_wifi(const Account& account, const CameraRecord& camera) {
  auto text = read(wifi_file(account.files(), camera.id), largest_passphrase,
                   "Say it again: sealcam camera wifi --ssid … --password-file …");
  if (!text) return std::unexpected(text.error());
  auto passphrase = protocol::Passphrase::parse(as_text(*text));
  wipe(*text);
  if (!passphrase) return failure(passphrase.error(), wifi_file(account.files(), camera.id).string());
  return protocol::Wifi{camera.command.wifi->value, std::move(*passphrase)};
}

}  // namespace

void want_name(CameraRecord& camera, std::string name) {
  camera.command.name = {next(camera), name};
  camera.name = std::move(name);
}

void want_privacy(CameraRecord& camera, bool on) { camera.command.privacy = {next(camera), on}; }

void want_settings(CameraRecord& camera, const protocol::CameraSettings& settings) {
  auto whole = camera.command.settings ? camera.command.settings->value : protocol::CameraSettings();
  if (settings.bitrate) whole.bitrate = settings.bitrate;
  if (settings.size) whole.size = settings.size;
  if (settings.frames_per_second) whole.frames_per_second = settings.frames_per_second;
  camera.command.settings = {next(camera), whole};
}

void want_wifi(CameraRecord& camera, Bytes ssid) {
  camera.command.wifi = {next(camera), std::move(ssid)};
  camera.command.wifi_lost.reset();
}

void want_reset(CameraRecord& camera) { camera.command.reset = next(camera); }

bool command_waits(const CameraRecord& camera) noexcept { return camera.command.obeyed < camera.command.newest; }

std::filesystem::path wifi_file(const AccountFiles& files, const DeviceId& camera) {
  return files.folder / "wifi" / camera.to_string();
}

Outcome<> keep_wifi(const AccountFiles& files, const DeviceId& camera, const protocol::Passphrase& passphrase) {
  const auto path = wifi_file(files, camera);
  if (auto r = make_private_folder(path.parent_path()); !r) return failure(r.error(), path.parent_path().string());
  return write(path, as_bytes(passphrase.reveal()));
}

Outcome<Bytes> signed_command(const Account& account, const CameraRecord& camera) {
  const auto& wanted = camera.command;
  protocol::Command command;
  command.seq = wanted.newest;
  command.name = wanted.name;
  command.privacy = wanted.privacy;
  command.settings = wanted.settings;
  if (wanted.wifi && !wanted.wifi_lost) {
    auto wifi = read_wifi(account, camera);
    if (!wifi) return std::unexpected(wifi.error());
    command.wifi = {wanted.wifi->since, std::move(*wifi)};
  }
  if (wanted.reset) command.reset = {*wanted.reset, {}};
  auto message = protocol::encode_command(command, {account.id(), camera.id}, camera.hpke, account.key());
  if (!message) return failure(message.error(), std::format("Signing the command to '{}'", camera.name));
  return std::move(*message);
}

void note_obeyed(CameraRecord& camera, CommandSeq obeyed) {
  auto& command = camera.command;
  command.obeyed = std::max(command.obeyed, std::min(obeyed, command.newest));
  if (!command.wifi || command.wifi->since > command.obeyed) return;
  if (command.wifi_lost && *command.wifi_lost <= command.obeyed) return;
  command.wifi.reset();
  command.wifi_lost.reset();
}

Outcome<LostWifi> look_for_lost_wifi(Account& account, bool everything) {
  LostWifi lost;
  auto now = account.file();
  bool changed = false;
  for (auto& camera : now.cameras) {
    auto& command = camera.command;
    if (camera.unlearned || !command.wifi || (!command.wifi_lost && read_wifi(account, camera))) continue;
    const bool at_broker = !command.wifi_lost && command.published == command.newest && !everything;
    if (!at_broker && !command.wifi_lost) {
      command.wifi_lost = next(camera);
      changed = true;
    }
    if (at_broker) lost.at_broker.push_back(camera.id);
    else if (!camera.removed && !command.reset) lost.left_out.push_back(camera.id);
  }
  if (changed)
    if (auto r = account.store(std::move(now)); !r) return std::unexpected(r.error());
  return lost;
}

Outcome<> forget_wifi(const AccountFiles& files, const AccountFile& account) {
  std::error_code ec;
  const auto folder = files.folder / "wifi";
  if (!std::filesystem::exists(folder, ec)) return {};
  std::vector<std::filesystem::path> old;
  for (std::filesystem::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
    const auto waits = std::ranges::any_of(account.cameras, [&](const CameraRecord& camera) {
      return camera.command.wifi && camera.id.to_string() == it->path().filename();
    });
    if (!waits) old.push_back(it->path());
  }
  for (const auto& path : old)
    if (!ec) std::filesystem::remove(path, ec);
  if (ec) return failure(EX_IOERR, std::format("{}: {}", folder.string(), ec.message()));
  return {};
}

}  // namespace sealcam::owner
