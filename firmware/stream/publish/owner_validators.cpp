// SPDX-License-Identifier: Apache-2.0
#include "stream/publish/owner_validators.hpp"

#include <algorithm>

#include "base/format.hpp"

namespace sealcam::stream {

static constexpr const char* damaged_roster =
    "the stored roster is damaged: restore the state folder from a copy, or reset the camera";
static constexpr const char* damaged_command =
    "the file 'command-seq' is damaged; restore the state folder from a copy, or reset the camera";

RosterValidator::RosterValidator(device::RosterStore& store, const protocol::Route& route, crypto::Verifier owner,
                                 const crypto::DeviceKeys& own)
    : store_(store),
      route_(route),
      owner_(std::move(owner)),
      own_identity_(own.identity.public_key()),
      own_hpke_(own.hpke.public_key()) {}

Result<protocol::Roster> RosterValidator::check(ByteView message) const {
  auto roster = protocol::decode_roster(message, route_, owner_);
  if (!roster) return std::unexpected(roster.error());
  if (roster->camera_identity != own_identity_ || roster->camera_hpke != own_hpke_)
    return fail(Errc::wrong_key, "the roster contains other keys for this camera");
  return roster;
}

Result<> RosterValidator::load() {
  const auto stored = store_.load();
  if (!stored) return std::unexpected(stored.error());
  const auto own = std::ranges::find(*stored, route_.camera, &device::StoredRoster::camera);
  if (own == stored->end()) return {};
  const Bytes& message = own->message;
  auto roster = check(message);
  // A previous owner signed this roster. It has no effect after the camera changed hands.
  if (!roster && roster.error().code == Errc::wrong_key) return {};
  if (!roster)
    return std::unexpected(
        located({Errc::malformed, 0, damaged_roster},
                sealcam::format("rosters/{}/{}", route_.account.to_string(), route_.camera.to_string())));
  const auto hash = protocol::roster_hash(message);
  if (!hash) return std::unexpected(hash.error());
  roster_ = std::move(*roster);
  hash_ = *hash;
  return {};
}

Result<bool> RosterValidator::offer(ByteView message) {
  const auto hash = protocol::roster_hash(message);
  if (!hash) return std::unexpected(hash.error());
  if (roster_ && *hash == hash_) return false;  // the broker sends the retained roster after each reconnect
  auto roster = check(message);
  if (!roster) return std::unexpected(roster.error());
  if (roster_ && roster->version < roster_->version)
    return fail(Errc::stale, "the roster is older than the applied one");
  if (roster_ && roster->version == roster_->version)
    return fail(Errc::conflict, "two rosters have the same version; use the owner's key on one machine only");
  roster_ = std::move(*roster);
  hash_ = *hash;
  unstored_.assign(message.begin(), message.end());
  return true;
}

Result<> RosterValidator::store() {
  if (stored()) return {};
  if (auto r = store_.store(route_.camera, unstored_); !r) return r;
  unstored_.clear();
  return {};
}

Result<> CommandValidator::load() {
  const auto record = store_.load();
  if (!record && record.error().code == Errc::not_found) return {};
  if (!record) return std::unexpected(record.error());
  if (record->account != route_.account) return {};
  seq_ = record->seq;
  done_ = record->done;
  if (seq_ == done_) return {};
  const auto seq = protocol::command_seq(record->message, route_, owner_);
  if (!seq || *seq != seq_) return fail(Errc::malformed, damaged_command);
  auto command = protocol::decode_command(record->message, route_, owner_, camera_);
  // The owner signed it, so a newer program stored an item that this one does not know, and its trial ended before the
  // command was applied. The camera must start. The owner's next command replaces this one.
  if (!command && command.error().code == Errc::malformed) return {};
  if (!command) return fail(Errc::malformed, damaged_command);
  set_pending(std::move(*command));
  return {};
}

Result<bool> CommandValidator::offer(ByteView message) {
  auto command = protocol::decode_command(message, route_, owner_, camera_);
  if (!command) return std::unexpected(command.error());
  if (command->seq < seq_) return fail(Errc::stale, "the command is older than the newest accepted one");
  if (command->seq == seq_) return false;  // the broker sends the retained command after each reconnect
  seq_ = command->seq;
  unstored_.assign(message.begin(), message.end());
  set_pending(std::move(*command));
  return true;
}

Result<> CommandValidator::store() {
  if (stored()) return {};
  if (auto r = store_.store({route_.account, seq_, done_, unstored_}); !r) return r;
  unstored_.clear();
  return {};
}

Result<> CommandValidator::done() {
  if (auto r = store_.store({route_.account, seq_, seq_, {}}); !r) return r;
  done_ = seq_;
  pending_.reset();
  return {};
}

/// Skips items of earlier commands that were applied.
void CommandValidator::set_pending(protocol::Command command) {
  const auto drop_applied = [this](auto& item) {
    if (item && item->since <= done_) item.reset();
  };
  drop_applied(command.name);
  drop_applied(command.privacy);
  drop_applied(command.settings);
  drop_applied(command.wifi);
  drop_applied(command.reset);
  drop_applied(command.update);
  pending_ = std::move(command);
}

}  // namespace sealcam::stream
