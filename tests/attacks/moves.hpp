// SPDX-License-Identifier: Apache-2.0
/// What several attacks have in common.
#pragma once

#include "attacks/row.hpp"
#include "protocol/frame.hpp"
#include "protocol/grants.hpp"

namespace sealcam::attacks {

/// Asks of the roster's second hub, which is silent by itself: each with the next number, for the camera's epoch.
[[nodiscard]] Bytes next_ask(Arena& arena, std::size_t member = 1);
/// On the topic of `member`.
void deliver_ask(Arena& arena, ByteView message, std::size_t member = 1);

/// The second hub watches; runs for `duration`.
void run_watched_by_second(Arena& arena, std::chrono::seconds duration);

/// Runs until a picture is LIVE that was not when this was called.
void until_live(Arena& arena);

/// The other signature that is as valid: (r, n - s) for (r, s). Of any message: the signature stands last.
[[nodiscard]] Bytes respelled(ByteView message);

/// Signs with a key of its own in the name of whom it wants, with whatever keys it got hold of.
class Forger {
 public:
  Forger();
  /// A signing key whose public half says `name` and whose private half is the forger's.
  [[nodiscard]] crypto::SigningKey as(const Actor& name) const { return {key_.id(), name.identity()}; }
  /// A frame of the camera's current epoch in the name of `signer`, sealed with the content key that the second hub
  /// was granted; newer than all genuine ones.
  [[nodiscard]] Bytes frame(Arena& arena, ByteView grants, const crypto::SigningKey& signer);

 private:
  crypto::VolatileKey key_;
  std::map<Epoch, crypto::sframe::SealingKey> keys_;
  std::uint32_t number_ = 1'000'000;
};

/// Begins a new epoch of the first camera and returns its grants; they reach everybody.
[[nodiscard]] Bytes fresh_grants(Arena& arena);

}  // namespace sealcam::attacks
