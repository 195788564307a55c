// SPDX-License-Identifier: Apache-2.0
/// What an account's cameras say at the broker, and what the owner said there before: only what was verified.
#pragma once

#include <map>
#include <optional>

#include "owner/account_file.hpp"
#include "protocol/grants.hpp"
#include "transport/mqtt.hpp"

namespace sealcam::owner {

/// Of one camera.
struct Heard {
  /// Newest roster that the camera follows by its own signature, and whom it grants pictures.
  std::optional<protocol::Grants> grants;
  std::optional<CommandSeq> obeyed;        ///< newest command that the camera obeyed
  std::optional<protocol::Roster> roster;  ///< newest that the owner signed
  std::optional<CommandSeq> command;       ///< newest that the owner signed
  bool contradiction = false;              ///< one version, two hashes
  bool left = false;                       ///< the camera said, signed, that it forgets its owner
};

/// Thread-bound.
class Hearing {
 public:
  /// Cameras that are heard at most; more are not listened to.
  static constexpr std::size_t most_cameras = 1024;

  /// Errors: malformed, crypto (a key of the account).
  [[nodiscard]] static Result<Hearing> open(const AccountFile& account, const crypto::PublicKey& owner);

  /// Takes a message into account; what is not verified is passed over. Grants of a camera that is not in the account
  /// count once a roster named its key.
  void hear(const transport::Message& message);

  [[nodiscard]] const std::map<DeviceId, Heard>& all() const noexcept { return heard_; }
  /// Nothing of it when the camera was not heard.
  [[nodiscard]] const Heard& of(const DeviceId& camera) const;

 private:
  Hearing(const AccountId& account, crypto::Verifier owner) : account_(account), owner_(std::move(owner)) {}
  void hear_roster(const protocol::Route& route, ByteView message);
  void hear_grants(const protocol::Route& route, ByteView message);
  [[nodiscard]] Heard* entry(const DeviceId& camera);

  AccountId account_;
  crypto::Verifier owner_;
  std::map<DeviceId, crypto::Verifier> cameras_;
  std::map<DeviceId, Bytes> early_;  ///< newest grants of cameras whose key is not known yet
  std::map<DeviceId, Heard> heard_;
};

}  // namespace sealcam::owner
