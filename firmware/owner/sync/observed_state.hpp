// SPDX-License-Identifier: Apache-2.0
/// The observed state of cameras, from verified messages at the broker. It confirms changes, and it resynchronizes a
/// restored account.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "owner/account/account.hpp"
#include "protocol/roster.hpp"
#include "transport/mqtt/mqtt.hpp"

namespace sealcam::owner {

/// The verified messages about one camera.
struct Observed {
  std::optional<protocol::Grants> grants;       ///< the camera's grants with the newest roster version
  Bytes grants_message;                         ///< the same, as they arrived
  std::optional<protocol::CommandSeq> applied;  ///< newest command that the camera applied
  std::optional<protocol::Roster> roster;       ///< newest roster that the owner signed
  std::optional<protocol::CommandSeq> command;  ///< newest command that the owner signed
  bool contradiction = false;                   ///< the camera named two hashes for one roster version
  bool deregistered = false;                    ///< the camera published its deregistration notice
};

/// Verifies messages and keeps the newest ones. Thread-bound.
class ObservedState {
 public:
  /// Maximum number of cameras. Messages about more cameras are ignored.
  static constexpr std::size_t max_cameras = 1024;

  /// Errors: malformed, crypto (a key of the account).
  [[nodiscard]] static Result<ObservedState> open(const AccountFile& account, const crypto::PublicKey& owner);

  /// Ignores a message that cannot be verified. The grants of a camera that is not in the account count after a roster
  /// named the camera's key.
  void observe(const transport::Message& message);

  /// The newest version of the owner's list of cameras for a hub; the lowest one if no list arrived.
  [[nodiscard]] protocol::IndexVersion index_of(const DeviceId& hub) const;
  /// The cameras in the owner's lists for hubs, and for the owner itself.
  [[nodiscard]] const std::set<DeviceId>& listed() const noexcept { return listed_; }
  [[nodiscard]] const std::map<DeviceId, Observed>& all() const noexcept { return observed_; }
  /// An empty record if no message about the camera arrived.
  [[nodiscard]] const Observed& of(const DeviceId& camera) const;

 private:
  ObservedState(const AccountId& account, crypto::Verifier owner) : account_(account), owner_(std::move(owner)) {}
  void observe_index(const DeviceId& hub, ByteView message);
  void observe_roster(const protocol::Route& route, ByteView message);
  void observe_grants(const protocol::Route& route, ByteView message);
  [[nodiscard]] Observed* entry(const DeviceId& camera);

  AccountId account_;
  crypto::Verifier owner_;
  std::map<DeviceId, crypto::Verifier> cameras_;
  std::map<DeviceId, Bytes> early_grants_;  ///< newest grants of cameras whose key is not known yet
  std::map<DeviceId, Observed> observed_;
  std::map<DeviceId, protocol::IndexVersion> indexes_;
  std::set<DeviceId> listed_;
};

/// Records what a camera's signed grants confirm: the roster by version and hash, the command by its number, and the
/// Wi-Fi fault. `roster_hash` is the hash of the newest signed roster, if there is one. Returns whether the record
/// changed.
bool note_observed(CameraRecord& camera, const Observed& observed, const std::optional<crypto::Digest>& roster_hash);

/// After a restore, versions and numbers continue this far above the highest observed one. Rosters and commands that
/// were signed after the backup and are no longer at the broker have smaller numbers, so no number has two contents.
inline constexpr std::uint64_t restore_leap = 1U << 20;

/// No account reaches this number. A camera that reports a higher one is ignored, because its number and the leap could
/// exceed 64 bits.
inline constexpr std::uint64_t max_number = std::uint64_t{1} << 53;

/// Takes the state at the broker into a restored account: cameras that are not in the backup, the members of newer
/// rosters, and the highest versions. A hub that is missing in a newer roster is denied. A hub that is not in the
/// backup gets a record with a generated name. A camera is in sync after its own grants named its roster. A camera with
/// numbers above `max_number` stays out of sync; the owner removes it with 'sealcam camera remove --forget'. Returns
/// the cameras that are now in sync.
std::vector<DeviceId> resync_account(AccountFile& account, const ObservedState& state);

}  // namespace sealcam::owner
