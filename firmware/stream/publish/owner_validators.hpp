// SPDX-License-Identifier: Apache-2.0
/// Validates the messages that the owner signs for a camera: rosters and commands.
#pragma once

#include <optional>

#include "crypto/psa.hpp"
#include "device/stores.hpp"
#include "protocol/command.hpp"
#include "protocol/roster.hpp"

namespace sealcam::stream {

using protocol::CommandSeq;
using protocol::RosterVersion;

/// Accepts rosters that the pinned owner signed for this camera, in growing versions. An accepted roster takes effect
/// at once. The caller ends the epoch, and then stores the roster. Thread-bound.
class RosterValidator {
 public:
  /// `own`: the camera's keys. A roster must contain them.
  RosterValidator(device::RosterStore& store, const protocol::Route& route, crypto::Verifier owner,
                  const crypto::DeviceKeys& own);

  /// Loads the stored roster. Without one, or with one of a previous owner, no hub may watch, and this is not an error.
  /// Errors: those of the store; malformed. A damaged roster is an error, so that no older roster can replace it.
  [[nodiscard]] Result<> load();

  /// Checks a message from the roster topic. Returns true if the roster is new; it is the current one then, and not
  /// stored. Returns false if it is already the current one. Errors: those of decode_roster(), wrong_key (the roster
  /// has other keys for this camera), stale (an older version), conflict (the same version with other content). After
  /// an error nothing has changed.
  [[nodiscard]] Result<bool> offer(ByteView message);
  /// Stores the current roster, unless it is stored. Errors: those of the store. The roster keeps its effect.
  [[nodiscard]] Result<> store();
  /// If false, a restart would bring an older roster back.
  [[nodiscard]] bool stored() const noexcept { return unstored_.empty(); }

  /// The applied roster. Null if there is none.
  [[nodiscard]] const protocol::Roster* current() const noexcept { return roster_ ? &*roster_ : nullptr; }
  /// protocol::roster_hash() of the applied roster.
  [[nodiscard]] const crypto::Digest& hash() const noexcept { return hash_; }

 private:
  [[nodiscard]] Result<protocol::Roster> check(ByteView message) const;

  device::RosterStore& store_;
  protocol::Route route_;
  crypto::Verifier owner_;
  crypto::PublicKey own_identity_;
  crypto::PublicKey own_hpke_;
  std::optional<protocol::Roster> roster_;
  crypto::Digest hash_{};
  Bytes unstored_;  ///< the message of the current roster until it is stored
};

/// Accepts commands that the pinned owner signed and sealed for this camera, in growing numbers.
///
/// The record of a command contains the number of the last command that was applied as a whole. So a start after a
/// power cut applies the missing items, and no item of an earlier command twice. Only privacy-on may be applied before
/// the record is stored. Thread-bound.
class CommandValidator {
 public:
  /// `camera`: the camera's HPKE key.
  CommandValidator(device::CommandStore& store, const protocol::Route& route, crypto::Verifier owner,
                   const crypto::AgreementKey& camera)
      : store_(store), route_(route), owner_(std::move(owner)), camera_(camera) {}

  /// Loads the stored command. No command, or one of a previous owner, is not an error.
  /// Errors: those of the store; malformed. A damaged record is an error, so that no older command can replace it.
  [[nodiscard]] Result<> load();

  /// Checks a message from the command topic. Returns true if the command is new; it is not stored then, and pending()
  /// has its new items. Returns false if the command is known. Errors: those of decode_command(), stale (an older
  /// command). After an error nothing has changed.
  [[nodiscard]] Result<bool> offer(ByteView message);
  /// Stores the newest command, unless it is stored. Errors: those of the store.
  [[nodiscard]] Result<> store();
  /// If false, the newest command is lost after a restart.
  [[nodiscard]] bool stored() const noexcept { return unstored_.empty(); }

  /// The items to apply. The caller removes each applied item. Null if all items are applied.
  [[nodiscard]] protocol::Command* pending() noexcept { return pending_ ? &*pending_ : nullptr; }
  /// Records durably that all pending items are applied. Errors: those of the store; the command then stays pending.
  [[nodiscard]] Result<> done();
  /// The newest command that was applied as a whole.
  [[nodiscard]] std::optional<CommandSeq> applied() const noexcept {
    return done_ == CommandSeq() ? std::nullopt : std::optional(done_);
  }

 private:
  void set_pending(protocol::Command command);

  device::CommandStore& store_;
  protocol::Route route_;
  crypto::Verifier owner_;
  crypto::AgreementKey camera_;
  CommandSeq seq_, done_;
  Bytes unstored_;  ///< the message of the newest command until it is stored
  std::optional<protocol::Command> pending_;
};

}  // namespace sealcam::stream
