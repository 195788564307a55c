// SPDX-License-Identifier: Apache-2.0
/// P9: two devices that live with one identity, proven by what they sign. Keeps of the epochs that were replaced last
/// what it takes to open their frames for this purpose alone; nothing of them is ever shown. No clock. Thread-bound.
///
/// The proof. Of one camera this hub sees, in this order of its own events:
///   1. grants of epoch A, verified: A began before.
///   2. It makes a challenge c2, and a verified frame of epoch B comes that echoes c2: B was sealed with between the
///   two.
///   3. It makes a challenge c3, and a verified frame of A comes that echoes c3: A was sealed with after that.
/// So A had begun before some moment at which B was in use, and was in use after it. A camera has one epoch at a time,
/// keeps its key in memory only and never goes back to an epoch: one device cannot have done this.
///
/// Why nobody on the way can fake it. The frames of 2 and 3 carry the camera's signature and open with a key that the
/// camera sealed to its hubs, and they contain 64 random bits that did not exist before this hub drew them. Whoever
/// delays, drops, repeats or reorders messages makes a frame come later than it was sealed, never sealed later than
/// it was: the echo bounds the moment from below, the arrival from above, and both bounds are events of this hub.
/// Neither the camera's clock nor any retained or recorded message has a part in it.
///
/// Why a restart or a new epoch never triggers it. A camera that begins B forgets A's key first. What of A is still
/// under way then, or was held back for years, echoes challenges that were made before this hub saw B; c3 is made after
/// that and reaches no device that has A.
#pragma once

#include <deque>
#include <memory>

#include "crypto/sframe.hpp"
#include "watch/epoch_set.hpp"
#include "watch/freshness.hpp"

namespace sealcam::watch {

/// An epoch that another one replaced.
struct ReplacedEpoch {
  Epoch epoch;
  std::shared_ptr<const crypto::sframe::OpeningKey> key;
  Epoch replaced_by;
  ChallengeSerial
      seen;  ///< challenges from this on were made after a frame of `replaced_by` had come (c3 of the proof)
  bool sign_of_life = false;  ///< something that its device signed came since: it is asked, so that it can prove itself
};

class CloneWatch {
 public:
  static constexpr std::size_t max_replaced = 2;

  /// `a` was current; a frame of `b` that echoes `echoed` has come, and `next` is the serial of the next challenge. The
  /// oldest one kept makes room.
  void on_replaced(const EpochState& a, Epoch b, ChallengeSerial echoed, ChallengeSerial next);
  /// True when a frame of `epoch`, verified and opened, that echoes `echoed` completes the proof.
  [[nodiscard]] bool proves(Epoch epoch, ChallengeSerial echoed) const noexcept;

  /// Null when nothing is kept of it.
  [[nodiscard]] const ReplacedEpoch* find(Epoch epoch) const noexcept;
  /// A message in the name of this epoch, verified, perhaps old: no proof, but worth an ask.
  void on_sign_of_life(Epoch epoch) noexcept;
  void on_sign_of_life() noexcept;
  /// The next epoch that is worth an ask, and no more so from then on; null when there is none.
  [[nodiscard]] const ReplacedEpoch* take_sign_of_life() noexcept;
  void clear() noexcept { replaced_.clear(); }
  [[nodiscard]] std::size_t size() const noexcept { return replaced_.size(); }

 private:
  std::deque<ReplacedEpoch> replaced_;  ///< the one replaced last at the end
};

}  // namespace sealcam::watch
