// SPDX-License-Identifier: Apache-2.0
/// Measures the path from the camera to its hubs by their receiver reports.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "base/types.hpp"
#include "protocol/roster.hpp"
#include "protocol/view_request.hpp"
#include "stream/publish/send_backlog.hpp"

namespace sealcam::stream {

/// The camera knows by its own clock when it sealed a frame, and the hub when it arrived by another clock. The
/// difference varies with the queues in between only; its minimum of the last one to two minutes counts as no delay.
/// The values come from hubs of the roster, which may lie: they have no other effect than a lower quality, and the
/// best hub decides. Allocates nothing per frame. Thread-bound.
class HubReports {
 public:
  static constexpr std::chrono::milliseconds max_age{2500};  ///< of a report; hubs send one each second

  HubReports() { hubs_.reserve(protocol::Roster::max_hubs); }

  /// A key frame or delta was sealed at `at`.
  void sealed(protocol::Counter counter, MonotonicTime at, std::size_t bytes) noexcept;
  /// Returns the path of the hub with the shortest delay, after this report. Nothing if the report has no news.
  std::optional<PathEstimate> report(const DeviceId& hub, const protocol::ReceiverReport& report, MonotonicTime now);
  /// A new epoch began: its counters and arrival times have another zero.
  void clear() noexcept;

 private:
  struct Frame {
    protocol::Counter counter;
    MonotonicTime at;
    std::uint64_t bytes = 0;  // of the epoch, up to this frame
    bool used = false;
  };
  struct Hub {
    DeviceId id;
    MonotonicTime at;  // of the last report
    Frame frame;       // in the last report
    std::chrono::milliseconds arrival{0};
    std::chrono::nanoseconds base{}, previous_base{};  // minimum differences of this minute and of the last one
    MonotonicTime base_since;
    std::chrono::nanoseconds last_delay{};
    PathEstimate path;
  };
  Hub& place(const DeviceId& hub, MonotonicTime now);
  static void update(Hub& hub, const Frame& frame, std::chrono::milliseconds arrival, MonotonicTime now);

  std::array<Frame, 512> frames_{};  // by counter
  std::uint64_t bytes_ = 0;
  std::vector<Hub> hubs_;
};

}  // namespace sealcam::stream
