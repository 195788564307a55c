// SPDX-License-Identifier: Apache-2.0
#include "stream/publish/command_executor.hpp"

#include <utility>

namespace sealcam::stream {

Result<> Privacy::load() {
  control_.set_closed(true);
  const auto stored = store_.load();
  if (!stored) return std::unexpected(stored.error());
  on_ = *stored;
  control_.set_closed(on_);
  return {};
}

Result<> Privacy::set(bool on) {
  if (on) {
    on_ = true;
    control_.set_closed(true);
  }
  if (auto r = store_.store(on); !r) {
    if (on) stored_ = false;
    return r;
  }
  on_ = on;
  stored_ = true;
  control_.set_closed(on);
  return {};
}

Result<> Privacy::store() { return stored_ ? Result<>() : set(on_); }

Result<CommandExecutor::Change> CommandExecutor::load() {
  if (auto r = deps_.commands.load(); !r) return std::unexpected(r.error());
  deps_.epochs.set_command(deps_.commands.applied());
  return apply();
}

CommandExecutor::Change CommandExecutor::command(ByteView message) {
  if (message.empty()) return {};  // the retained command was deleted; the applied items stay
  const MonotonicTime now = deps_.clock.monotonic();
  if (window_.full(now)) {
    ++rejected_;
    return {};
  }
  window_.count(now);
  const auto accepted = deps_.commands.offer(message);
  if (!accepted) {
    ++rejected_;
    if (log_limit_.allow(now))
      deps_.log.warning("command rejected: {}{}", to_string(accepted.error()), log_limit_.note());
    return {};
  }
  if (!*accepted) return {};
  backoff_.reset();
  (void)command_retry_.attempted(deps_.commands.store());
  return apply();
}

CommandExecutor::Change CommandExecutor::tick() {
  if (!deps_.privacy.stored() && privacy_retry_.due()) (void)privacy_retry_.attempted(deps_.privacy.store());
  if (!deps_.commands.stored()) {
    if (!command_retry_.due() || !command_retry_.attempted(deps_.commands.store())) return {};
    return apply();
  }
  if (deps_.commands.pending() == nullptr || !backoff_.due(deps_.clock.monotonic())) return {};
  return apply();
}

CommandExecutor::Change CommandExecutor::switch_privacy(bool on) {
  if (deps_.privacy.on() == on) return {};
  const auto set = deps_.privacy.set(on);
  if (on) (void)privacy_retry_.attempted(set);
  else if (!set) deps_.log.error("cannot store privacy off, so the sensor stays closed: {}", to_string(set.error()));
  if (deps_.privacy.on() != on) return {};
  deps_.log.info("a hub switched privacy {}", on ? "on" : "off");
  return {.applied = false, .privacy = true, .reset = false, .best = {}};
}

/// Removes each applied item from the command, so that it is not applied again if a later item fails.
Result<> CommandExecutor::apply_items(protocol::Command& command, Change& change) {
  // Before privacy-off: the sensor does not open without the masks of the same command.
  if (command.settings) {
    const auto best = deps_.actions.change(command.settings->value);
    if (!best) return std::unexpected(best.error());
    change.best = *best;
    command.settings.reset();
  }
  if (command.privacy) {
    const bool before = deps_.privacy.on();
    const auto set = deps_.privacy.set(command.privacy->value);
    change.privacy |= deps_.privacy.on() != before;
    if (!set) return set;
    command.privacy.reset();
  }
  if (command.name) {
    if (auto r = deps_.actions.rename(command.name->value); !r) return r;
    deps_.epochs.set_name(command.name->value);
    command.name.reset();
  }
  if (command.wifi) {
    if (auto r = deps_.actions.join(command.wifi->value); !r) return r;
    command.wifi.reset();
  }
  if (command.update) {
    if (auto r = deps_.actions.decide_update(*command.update); !r) return r;
    command.update.reset();
  }
  return {};
}

/// The part of a command that waits for no disk and for no other item.
CommandExecutor::Change CommandExecutor::close_sensor(protocol::Command& command) {
  Change change;
  if (!command.privacy || !command.privacy->value) return change;
  change.privacy = !deps_.privacy.on();
  // Once privacy is stored, the item is applied: a hub may switch privacy off before the command is stored.
  if (privacy_retry_.attempted(deps_.privacy.set(true))) command.privacy.reset();
  return change;
}

CommandExecutor::Change CommandExecutor::apply() {
  Change change;
  protocol::Command* const command = deps_.commands.pending();
  if (command == nullptr) return change;
  if (!deps_.commands.stored()) return close_sensor(*command);
  if (command->reset) {
    // Stays pending: if a power cut interrupts the reset, the next start begins it again.
    deps_.log.info("command {}: reset", command->seq.value());
    change.reset = true;
    return change;
  }
  const CommandSeq seq = command->seq;
  change = close_sensor(*command);
  auto r = apply_items(*command, change);
  if (r && deps_.privacy.on() && !deps_.privacy.in_effect()) {  // tick() looks again
    backoff_.reset();
    return change;
  }
  if (r) r = deps_.commands.done();
  if (!r) {
    if (!std::exchange(failing_, true))
      deps_.log.error("cannot apply command {}, trying again: {}", seq.value(), to_string(r.error()));
    backoff_.failed(deps_.clock.monotonic());
    return change;
  }
  failing_ = false;
  backoff_.reset();
  deps_.epochs.set_command(seq);
  deps_.log.info("command {} is applied", seq.value());
  change.applied = true;
  return change;
}

}  // namespace sealcam::stream
