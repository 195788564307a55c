// SPDX-License-Identifier: Apache-2.0
#include "owner/rosters.hpp"

#include <algorithm>
#include <format>
#include <optional>

#include "core/file.hpp"

namespace sealcam::owner {

namespace {

/// Nothing when the file is missing, damaged or not ours: it is made anew with a higher version.
std::optional<protocol::Roster> decode(const Account& account, const DeviceId& camera,
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
  if (camera.version == RosterVersion()) return false;
  const auto stored = decode(account, camera.id, account.files().roster(camera.id));
  return stored && stored->version == camera.version &&
         same_members(*stored, roster_of(account.file(), camera, stored->issued));
}

Outcome<> sign_roster(const Account& account, const CameraRecord& camera, const Clock& clock) {
  const auto message = protocol::encode_roster(roster_of(account.file(), camera, clock.wall()),
                                               {account.id(), camera.id}, account.key());
  if (!message) return failure(message.error(), std::format("Signing the roster of '{}'", camera.name));
  return write(account.files().roster(camera.id), *message);
}

}  // namespace

Outcome<std::vector<DeviceId>> renew_rosters(Account& account, const Clock& clock) {
  if (auto r = make_private_folder(account.files().rosters()); !r)
    return failure(r.error(), account.files().rosters().string());
  auto next = account.file();
  std::vector<DeviceId> renewed;
  for (auto& camera : next.cameras) {
    // Restored: no version may be given away before the camera said where it stands.
    if (camera.unlearned || account.file().learn || is_current(account, camera)) continue;
    camera.version = camera.version.next();
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

Outcome<Bytes> signed_roster(const Account& account, const CameraRecord& camera) {
  return read(account.files().roster(camera.id), protocol::max_control_size, "Run this command again");
}

Outcome<> install_roster(const Account& account, const CameraRecord& camera,
                         const std::filesystem::path& state_folder) {
  const auto path = state_folder / "roster";
  const auto there = decode(account, camera.id, path);
  if (there && there->version >= camera.version) return {};
  const auto message = signed_roster(account, camera);
  if (!message) return std::unexpected(message.error());
  return write(path, *message);
}

}  // namespace sealcam::owner
