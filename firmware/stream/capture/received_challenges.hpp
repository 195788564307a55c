// SPDX-License-Identifier: Apache-2.0
/// Chooses the challenges that a picture echoes.
#pragma once

#include <array>
#include <mutex>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "base/types.hpp"
#include "protocol/frame.hpp"
#include "protocol/roster.hpp"
#include "protocol/view_request.hpp"

namespace sealcam::stream {

/// The newest challenges of each hub with a lease. A picture echoes a challenge only if the camera received the
/// challenge before the sensor took the picture. LIVE on a screen depends on this rule (P4). The network thread adds
/// challenges, the capture thread picks some for each picture. Holds at most as many hubs as a roster. Allocates
/// nothing after construction. Thread-safe.
class ReceivedChallenges {
 public:
  /// Requests arrive each second. A longer interval means that the hub lost its connection or was restarted.
  static constexpr std::chrono::milliseconds max_request_interval{1500};

  ReceivedChallenges();

  /// Adds the challenge of a verified request. A lease for stills does not shorten a live lease. Returns true if the
  /// hub needs a key frame: its live lease starts now, or its last request is older than max_request_interval.
  bool add(const DeviceId& hub, protocol::Challenge challenge, MonotonicTime received, MonotonicTime until, bool live);
  /// Ends the leases that are for stills only, because the still was sent.
  void end_stills();
  void clear();

  /// Returns the newest challenges that hubs sent before `captured`, at most one of each hub, and takes the hubs in
  /// turn. Skips hubs whose lease ended before `captured`. Echoes each hub about once a second. The number of
  /// challenges is the number of hubs with a lease, times the seconds since the last picture, rounded up; at least
  /// 1 and at most 16.
  [[nodiscard]] protocol::Echoes pick(MonotonicTime captured);

  struct Leases {
    std::size_t live = 0;
    std::size_t still = 0;  ///< for stills only
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
    MonotonicTime until;               // of a lease of any kind
    std::array<Received, 4> newest{};  // the newest first; four seconds of requests, longer than any encoder's delay
  };
  [[nodiscard]] Hub& place(const DeviceId& hub);
  [[nodiscard]] std::size_t needed(MonotonicTime captured) const;

  mutable std::mutex mutex_;
  std::vector<Hub> hubs_;
  std::size_t turn_ = 0;
  std::optional<MonotonicTime> last_;  ///< capture time of the last picture
};

}  // namespace sealcam::stream
