// SPDX-License-Identifier: Apache-2.0
/// The roster that the camera obeys.
#pragma once

#include <optional>

#include "crypto/sha256.hpp"
#include "protocol/roster.hpp"
#include "stream/stores.hpp"

namespace sealcam::stream {

/// Accepts what the pinned owner signed for this camera, in growing versions, and nothing else.
/// Thread-bound.
class RosterKeeper {
 public:
  /// `own`: the camera's keys as they must stand in the roster.
  RosterKeeper(RosterStore& store, const protocol::Route& route, crypto::Verifier owner, const crypto::DeviceKeys& own);

  /// Takes up the stored roster. None is no error, and one that a previous owner signed counts as none:
  /// nobody may watch yet. Errors: those of the store; malformed when it is damaged: going on without it would let an
  /// older one in.
  [[nodiscard]] Result<> load();

  /// A message from the roster's topic. True when it is now the roster that is obeyed (it was stored
  /// before), false when it is the one that already was.
  /// Errors: as decode_roster(), wrong_key (the camera's HPKE key in it is another), stale (older
  /// version), conflict (same version, other content), those of the store (nothing has changed).
  [[nodiscard]] Result<bool> offer(ByteView message);

  /// Null when there is none.
  [[nodiscard]] const protocol::Roster* current() const noexcept { return roster_ ? &*roster_ : nullptr; }
  /// SHA-256 of the current roster's message.
  [[nodiscard]] const crypto::Digest& hash() const noexcept { return hash_; }

 private:
  [[nodiscard]] Result<protocol::Roster> check(ByteView message) const;

  RosterStore& store_;
  protocol::Route route_;
  crypto::Verifier owner_;
  crypto::PublicKey own_identity_;
  crypto::PublicKey own_hpke_;
  std::optional<protocol::Roster> roster_;
  crypto::Digest hash_{};
  crypto::Digest content_{};
};

}  // namespace sealcam::stream
