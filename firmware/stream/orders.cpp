// SPDX-License-Identifier: Apache-2.0
#include "stream/orders.hpp"

namespace sealcam::stream {

Result<Orders::Change> Orders::load() {
  if (auto r = parts_.commands.load(); !r) return std::unexpected(r.error());
  parts_.epochs.set_command(parts_.commands.obeyed());
  return obey();
}

Orders::Change Orders::command(ByteView message) {
  if (message.empty()) return {};  // somebody deleted the retained one; what was obeyed stays
  const MonotonicTime now = parts_.clock.monotonic();
  if (window_.full(now)) {
    ++refused_;
    return {};
  }
  window_.count(now);
  const auto taken = parts_.commands.offer(message);
  if (!taken) {
    ++refused_;
    if (log_.allow(now)) parts_.log.warning("a command was refused: {}", to_string(taken.error()));
    return {};
  }
  if (!*taken) return {};
  backoff_.reset();
  return obey();
}

Orders::Change Orders::tick() {
  if (parts_.commands.pending() == nullptr || !backoff_.due(parts_.clock.monotonic())) return {};
  return obey();
}

Orders::Change Orders::switch_privacy(bool on) {
  if (parts_.privacy.on() == on) return {};
  if (auto r = parts_.privacy.set(on); !r)
    parts_.log.error("privacy {} is not stored, a restart may forget it: {}", on ? "on" : "off", to_string(r.error()));
  if (parts_.privacy.on() != on) return {};
  parts_.log.info("a hub switched privacy {}", on ? "on" : "off");
  return {.obeyed = false, .privacy = true, .reset = false, .best = {}};
}

/// Takes out each item that is done, so that it is not done again when a later one fails.
Result<> Orders::obey_items(protocol::Command& command, Change& change) {
  if (command.name) {
    if (auto r = parts_.actions.rename(command.name->value); !r) return r;
    parts_.epochs.set_name(command.name->value);
    command.name.reset();
  }
  if (command.privacy) {
    const bool before = parts_.privacy.on();
    const auto set = parts_.privacy.set(command.privacy->value);
    change.privacy = parts_.privacy.on() != before;
    if (!set) return set;
    command.privacy.reset();
  }
  if (command.settings) {
    const auto best = parts_.actions.change(command.settings->value);
    if (!best) return std::unexpected(best.error());
    change.best = *best;
    command.settings.reset();
  }
  if (command.wifi) {
    if (auto r = parts_.actions.join(command.wifi->value); !r) return r;
    command.wifi.reset();
  }
  return parts_.commands.done();
}

Orders::Change Orders::obey() {
  Change change;
  protocol::Command* const command = parts_.commands.pending();
  if (command == nullptr) return change;
  if (command->reset) {
    // Stays pending: a reset that a power cut stops before it began is begun at the next start.
    parts_.log.info("command {}: reset", command->seq.value());
    change.reset = true;
    return change;
  }
  const CommandSeq seq = command->seq;
  if (auto r = obey_items(*command, change); !r) {
    if (!std::exchange(failing_, true))
      parts_.log.error("command {} cannot be obeyed, trying again: {}", seq.value(), to_string(r.error()));
    backoff_.failed(parts_.clock.monotonic());
    return change;
  }
  failing_ = false;
  backoff_.reset();
  parts_.epochs.set_command(seq);
  parts_.log.info("command {} is obeyed", seq.value());
  change.obeyed = true;
  return change;
}

}  // namespace sealcam::stream
