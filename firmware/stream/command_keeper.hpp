// SPDX-License-Identifier: Apache-2.0
/// The newest command of the owner, and what of it is not obeyed yet.
#pragma once

#include <optional>

#include "protocol/command.hpp"
#include "stream/stores.hpp"

namespace sealcam::stream {

/// Accepts what the pinned owner signed and sealed for this camera, in growing numbers, and nothing else. A command is
/// on the disk before anything of it is obeyed, together with the number of the last one that was obeyed whole: what a
/// power cut leaves undone is done at the next start, and nothing is done that an earlier command had brought already.
/// Thread-bound.
class CommandKeeper {
 public:
  /// `camera`: the camera's HPKE key.
  CommandKeeper(CommandStore& store, const protocol::Route& route, crypto::Verifier owner,
                const crypto::AgreementKey& camera)
      : store_(store), route_(route), owner_(std::move(owner)), camera_(camera) {}

  /// Takes up what is stored. Nothing is no error, and a previous owner's counts as nothing.
  /// Errors: those of the store; malformed (damaged: going on without would let an old command in).
  [[nodiscard]] Result<> load();

  /// A message from the command's topic. True when it was stored and pending() is what is new in it, false when it is
  /// the one that is known. Errors: as decode_command(), stale (an older one), those of the store (nothing has
  /// changed).
  [[nodiscard]] Result<bool> offer(ByteView message);

  /// Items that are to be obeyed; the caller takes out what it has done. Null: none, all is done.
  [[nodiscard]] protocol::Command* pending() noexcept { return pending_ ? &*pending_ : nullptr; }
  /// All that was pending is done, durably. Errors: those of the store; then it stays pending.
  [[nodiscard]] Result<> done();
  /// The newest command that was obeyed whole.
  [[nodiscard]] std::optional<CommandSeq> obeyed() const noexcept {
    return done_ == CommandSeq() ? std::nullopt : std::optional(done_);
  }

 private:
  void take(protocol::Command command);

  CommandStore& store_;
  protocol::Route route_;
  crypto::Verifier owner_;
  crypto::AgreementKey camera_;
  CommandSeq seq_, done_;
  std::optional<protocol::Command> pending_;
};

}  // namespace sealcam::stream
