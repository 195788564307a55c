// SPDX-License-Identifier: Apache-2.0
/// Which hub's challenge a picture echoes.
#pragma once

#include <array>
#include <mutex>
#include <vector>

#include "core/clock.hpp"
#include "core/id.hpp"
#include "protocol/ask.hpp"
#include "protocol/roster.hpp"

namespace sealcam::stream {

/// The newest challenges of every hub that has a lease. A picture may echo a challenge only when the
/// challenge was here before the sensor took the picture: that is what LIVE means on a screen (P4).
/// The network thread adds, the capture thread picks. Bounded by the size of a roster; allocates
/// nothing after construction. Thread-safe.
class ChallengeBoard {
 public:
  static constexpr std::chrono::milliseconds silence{1500};

  ChallengeBoard();

  /// A verified ask. A lease for stills does not shorten a live one. True when the hub needs a key frame to begin: it
  /// had no live lease at `received` and has one now, or its asks had ceased for longer than `silence`.
  bool add(const DeviceId& hub, protocol::Challenge challenge, MonotonicTime received, MonotonicTime until, bool live);
  /// Ends the leases that are for stills alone: the still was sent.
  void end_stills();
  void clear();

  /// The newest challenge that one of the hubs had sent before `captured`, hub after hub in turn;
  /// zero when there is none. A hub whose lease had ended by then has no turn.
  [[nodiscard]] protocol::Challenge pick(MonotonicTime captured);

  struct Leases {
    std::size_t live = 0;
    std::size_t still = 0;  ///< for stills alone
  };
  [[nodiscard]] Leases leases(MonotonicTime now) const;

 private:
  struct Received {
    protocol::Challenge challenge;
    MonotonicTime at;
  };
  struct Hub {
    DeviceId id;
    MonotonicTime live_until;
    MonotonicTime until;               // of any kind
    std::array<Received, 4> newest{};  // newest first; at one ask a second more than any encoder's delay
  };
  [[nodiscard]] Hub& place(const DeviceId& hub);

  mutable std::mutex mutex_;
  std::vector<Hub> hubs_;
  std::size_t turn_ = 0;
};

}  // namespace sealcam::stream
