// SPDX-License-Identifier: Apache-2.0
/// The members of one camera, from its rosters: this hub, and everyone else who may watch.
#pragma once

#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "crypto/keys.hpp"
#include "protocol/roster.hpp"

namespace sealcam::watch {

using protocol::RosterVersion;

/// Version of a roster, and protocol::roster_hash() of its message.
struct RosterMark {
  RosterVersion version;
  crypto::Digest content{};
  friend bool operator==(const RosterMark&, const RosterMark&) = default;
};

/// A hub on a camera's roster.
struct Member {
  DeviceId hub;
  std::optional<protocol::Integration> integration;
  bool suspended = false;
  bool may_switch_privacy = false;
  friend bool operator==(const Member&, const Member&) = default;
};

/// Membership of this hub at one camera, and the list of all members. Thread-bound.
class Membership {
 public:
  /// A camera may apply a roster before this hub receives it. After this time the hub reports an unpublished roster.
  static constexpr std::chrono::seconds publish_timeout{30};

  /// Applies a verified roster that is newer than the last one. Returns true if the hub lost its membership.
  bool apply(const protocol::Roster& roster, const RosterMark& mark, const crypto::DeviceKeys& keys, BootTime now);
  void note_conflict() noexcept { conflict_ = true; }
  /// The camera's signed grants or report name the roster that it applied.
  void note_applied(const RosterMark& mark, BootTime now) noexcept;

  [[nodiscard]] bool member() const noexcept { return member_; }
  [[nodiscard]] bool suspended() const noexcept { return suspended_; }  ///< listed, but not active
  [[nodiscard]] bool may_switch_privacy() const noexcept { return may_switch_privacy_; }
  /// Two rosters of one version have different content.
  [[nodiscard]] bool conflict() const noexcept { return conflict_; }
  /// Time at which a roster removed this hub.
  [[nodiscard]] std::optional<BootTime> removed() const noexcept { return removed_; }
  [[nodiscard]] RosterVersion version() const noexcept { return mark_.version; }
  /// The camera follows a roster that is not published: another one with the same version, or a newer one that this hub
  /// did not receive in time.
  [[nodiscard]] bool unpublished(BootTime now) const noexcept;

  /// By ascending id.
  [[nodiscard]] const std::vector<Member>& members() const noexcept { return members_; }
  /// The time in the roster that brought the present members, by the owner's clock. After a restart of the hub, the
  /// time in the newest roster.
  [[nodiscard]] CaptureTime changed() const noexcept { return changed_; }

 private:
  RosterMark mark_;
  bool member_ = false;
  bool suspended_ = false;
  bool may_switch_privacy_ = false;
  bool conflict_ = false;
  std::optional<BootTime> removed_;
  std::optional<RosterMark> ahead_;  ///< of the newest roster that the camera applied and this hub did not receive
  BootTime ahead_since_;
  bool contradicted_ = false;
  std::vector<Member> members_;
  CaptureTime changed_;
};

}  // namespace sealcam::watch
