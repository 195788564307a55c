// SPDX-License-Identifier: Apache-2.0
/// Chooses the challenges that a picture echoes.
#pragma once

#include <algorithm>
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

/// What a hub has requested for a limited time. A hub may have several.
enum class Lease : std::uint8_t {
  live,    ///< all pictures, for a person
  record,  ///< all pictures, for a recording
  motion,  ///< pictures around motion
  still,   ///< one still
};
inline constexpr std::size_t lease_kinds = 4;
/// `kind` requests pictures.
[[nodiscard]] constexpr Lease lease_of(protocol::RequestKind kind) noexcept {
  switch (kind) {
    case protocol::RequestKind::still: return Lease::still;
    case protocol::RequestKind::record: return Lease::record;
    case protocol::RequestKind::motion: return Lease::motion;
    default: return Lease::live;
  }
}

/// The newest challenges of each hub with a lease. A picture echoes a challenge only if the camera received the
/// challenge before the sensor took the picture. LIVE on a screen depends on this rule (P4). The network thread adds
/// challenges, the capture thread picks some for each picture. Holds at most as many hubs as a roster. Allocates
/// nothing after construction. Thread-safe.
class ReceivedChallenges {
 public:
  /// Requests arrive each second. A longer interval means that the hub lost its connection or was restarted.
  static constexpr std::chrono::milliseconds max_request_interval{1500};

  ReceivedChallenges();

  /// Adds the challenge of a verified request. The leases of a hub do not shorten each other. Returns true if the hub
  /// needs a key frame: its lease for all pictures starts now, or its last request is older than max_request_interval.
  bool add(const DeviceId& hub, protocol::Challenge challenge, MonotonicTime received, MonotonicTime until,
           Lease lease);
  /// Ends the leases that are for stills only, because the still was sent.
  void end_stills();
  void clear();

  /// Returns the newest challenges that hubs sent before `captured`, at most one of each hub, and takes the hubs in
  /// turn. Skips hubs whose lease ended before `captured`. Echoes each hub about once a second. The number of
  /// challenges is the number of hubs with a lease, times the seconds since the last picture, rounded up; at least
  /// 1 and at most 16.
  [[nodiscard]] protocol::Echoes pick(MonotonicTime captured);

  /// Numbers of hubs. Each hub counts once, for the first of its leases in this order.
  struct Leases {
    std::size_t live = 0;
    std::size_t record = 0;
    std::size_t motion = 0;
    std::size_t still = 0;  ///< also of hubs that count for motion
    [[nodiscard]] std::size_t video() const noexcept { return live + record; }
  };
  [[nodiscard]] Leases leases(MonotonicTime now) const;

 private:
  struct Received {
    protocol::Challenge challenge;
    MonotonicTime at;
  };
  struct Hub {
    DeviceId id;
    std::array<MonotonicTime, lease_kinds> ends{};  // by Lease
    std::array<Received, 4> newest{};  // the newest first; four seconds of requests, longer than any encoder's delay
    [[nodiscard]] MonotonicTime& end(Lease lease) noexcept { return ends[static_cast<std::size_t>(lease)]; }
    [[nodiscard]] bool has(Lease lease, MonotonicTime now) const noexcept {
      return ends[static_cast<std::size_t>(lease)] > now;
    }
    [[nodiscard]] bool video(MonotonicTime now) const noexcept {
      return has(Lease::live, now) || has(Lease::record, now);
    }
    [[nodiscard]] MonotonicTime until() const noexcept { return *std::ranges::max_element(ends); }
  };
  [[nodiscard]] Hub& place(const DeviceId& hub);
  [[nodiscard]] std::size_t needed(MonotonicTime captured) const;

  mutable std::mutex mutex_;
  std::vector<Hub> hubs_;
  std::size_t turn_ = 0;
  std::optional<MonotonicTime> last_;  ///< capture time of the last picture
};

}  // namespace sealcam::stream
