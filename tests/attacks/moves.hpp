// SPDX-License-Identifier: Apache-2.0
/// Steps that several attacks share.
#pragma once

#include "attacks/row.hpp"
#include "protocol/frame.hpp"
#include "protocol/roster.hpp"

namespace sealcam::attacks {

/// A view request of the roster's second hub, with the next number, for the camera's current epoch. This hub sends no
/// requests of its own.
[[nodiscard]] Bytes next_request(Arena& arena, std::size_t member = 1);
/// Delivers a view request on the topic of `member`.
void deliver_request(Arena& arena, ByteView message, std::size_t member = 1);

/// Runs for `duration` while the second hub watches.
void run_watched_by_second(Arena& arena, std::chrono::seconds duration);

/// Runs until a picture is LIVE that was captured after this call.
void until_live(Arena& arena);

/// The message with its second valid signature: (r, n - s) for (r, s). The signature is the end of each message.
[[nodiscard]] Bytes resigned(ByteView message);

/// Signs with its own key in the name of another device.
class Forger {
 public:
  Forger();
  /// A signing key with the public key of `name` and the private key of the forger.
  [[nodiscard]] crypto::SigningKey as(const Actor& name) const { return {key_.id(), name.identity()}; }
  /// A frame of the camera's current epoch, signed with `signer` and sealed with the base key that the second hub
  /// received. Newer than all genuine frames.
  [[nodiscard]] Bytes frame(Arena& arena, ByteView grants, const crypto::SigningKey& signer);

 private:
  crypto::VolatileKey key_;
  std::map<protocol::Epoch, crypto::sframe::SealingKey> keys_;
  std::uint32_t number_ = 1'000'000;
};

/// Number of the recorded frames of the first camera that open with the recorded grants for this hub and these keys.
[[nodiscard]] std::uint64_t opened_frames(const Arena& arena, const DeviceId& hub, const protocol::GrantKeys& keys);

/// Begins a new epoch of the first camera. Returns its grants, which the broker also delivers.
[[nodiscard]] Bytes fresh_grants(Arena& arena);

}  // namespace sealcam::attacks
