// SPDX-License-Identifier: Apache-2.0
#include "stream/command_keeper.hpp"

namespace sealcam::stream {

static constexpr const char* damaged =
    "command-seq is damaged: restore the state folder from a copy, or reset the camera";

Result<> CommandKeeper::load() {
  const auto record = store_.load();
  if (!record && record.error().code == Errc::not_found) return {};
  if (!record) return std::unexpected(record.error());
  if (record->account != route_.account) return {};
  seq_ = record->seq;
  done_ = record->done;
  if (seq_ == done_) return {};
  auto command = protocol::decode_command(record->message, route_, owner_, camera_);
  if (!command || command->seq != seq_) return fail(Errc::malformed, damaged);
  take(std::move(*command));
  return {};
}

Result<bool> CommandKeeper::offer(ByteView message) {
  auto command = protocol::decode_command(message, route_, owner_, camera_);
  if (!command) return std::unexpected(command.error());
  if (command->seq < seq_) return fail(Errc::stale, "an older command");
  if (command->seq == seq_) return false;  // the retained one again, after a reconnect
  const CommandRecord record{route_.account, command->seq, done_, Bytes(message.begin(), message.end())};
  if (auto r = store_.store(record); !r) return std::unexpected(r.error());
  seq_ = command->seq;
  take(std::move(*command));
  return true;
}

Result<> CommandKeeper::done() {
  if (auto r = store_.store({route_.account, seq_, seq_, {}}); !r) return r;
  done_ = seq_;
  pending_.reset();
  return {};
}

/// Leaves out what an earlier command had brought, and was obeyed.
void CommandKeeper::take(protocol::Command command) {
  const auto drop_known = [this](auto& item) {
    if (item && item->since <= done_) item.reset();
  };
  drop_known(command.name);
  drop_known(command.privacy);
  drop_known(command.settings);
  drop_known(command.wifi);
  drop_known(command.reset);
  pending_ = std::move(command);
}

}  // namespace sealcam::stream
