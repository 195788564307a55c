// SPDX-License-Identifier: Apache-2.0
/// The owner-signed list of the hubs that may watch one camera.
#pragma once

#include <optional>
#include <vector>

#include "core/clock.hpp"
#include "core/strong.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::protocol {

/// A random label of a group of hubs ("the smart display's cloud link") that is suspended as one.
using Integration = Strong<struct IntegrationTag, std::uint64_t>;

struct RosterHub {
  crypto::PublicKey identity;
  crypto::PublicKey hpke;
  std::optional<Integration> integration;
  bool may_switch_privacy = false;  ///< its asks may close the sensor and open it again
};

struct Roster {
  static constexpr std::size_t max_hubs = 64;
  static constexpr std::size_t max_suspended = 64;

  RosterVersion version;
  crypto::PublicKey camera_identity;
  crypto::PublicKey camera_hpke;
  std::vector<RosterHub> hubs;         ///< in ascending order of id, no id twice
  std::vector<Integration> suspended;  ///< ascending
  CaptureTime issued;                  ///< by the owner's clock; shown, never judged by

  /// The hub's entry unless it is absent or its integration is suspended.
  [[nodiscard]] const RosterHub* active(const DeviceId& hub) const noexcept;
};

/// Sorts and signs. Errors: invalid_argument (too many, a hub twice), crypto.
[[nodiscard]] Result<Bytes> encode_roster(Roster roster, const Route& route, const crypto::SigningKey& owner);
/// Errors: as verify_message(), malformed (also when the camera's key does not belong to `route`).
[[nodiscard]] Result<Roster> decode_roster(ByteView message, const Route& route, const crypto::Verifier& owner);

}  // namespace sealcam::protocol
