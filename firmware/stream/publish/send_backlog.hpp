// SPDX-License-Identifier: Apache-2.0
/// Measures the network: how far the camera's own connection is behind, and the path to its hubs by their receiver
/// reports.
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
#include "transport/mqtt/mqtt.hpp"

namespace sealcam::stream {

/// With a shorter delay, the queues of a path count as empty.
inline constexpr std::chrono::milliseconds short_delay{100};

/// Measured on one path.
struct PathEstimate {
  std::chrono::nanoseconds delay{};  ///< time that data waits in queues, without `other`
  std::uint64_t rate = 0;            ///< bit/s that the path carried while it was busy; 0: none, or unknown
  std::chrono::nanoseconds other{};  ///< delay in the queues of the network because of other traffic
  std::chrono::nanoseconds pause{};  ///< if longer than `delay`: a new picture should wait, but not because of the rate
  std::chrono::nanoseconds total{};  ///< delay from all causes, as measured now; 0: none, or unknown
};

/// Compares the unacknowledged bytes with the rate at which the broker's TCP acknowledges them. While the connection
/// was busy without a pause, their quotient is the time that a new byte waits. A burst that leaves within `min_busy`
/// does not count.
///
/// A lower bitrate does not shorten a queue that other traffic fills. It is recognized after a pause in which all bytes
/// of the camera were acknowledged: if the first new byte is late twice in succession, other traffic fills the queue.
/// If the network is full for `test_after`, or not empty for `late_test_after`, estimates ask for such a pause.
/// Then the delay in the network is `other`, up to `max_other`, and only the bytes that wait in this machine count: TCP
/// sends as many as its share of the path. This ends when the delay in the network is short. After a time that doubles
/// with each confirmation, a pause shows whether the camera fills the queue itself.
/// Has no clock. Allocates nothing. Thread-bound.
class SendBacklog {
 public:
  static constexpr std::chrono::milliseconds window{1000};
  static constexpr std::chrono::milliseconds min_busy{150};
  static constexpr std::chrono::seconds max_other{1};  ///< LIVE needs recent pictures
  static constexpr std::chrono::milliseconds test_after{1500}, late_test_after{8000};
  static constexpr std::chrono::seconds test_interval{10};
  static constexpr std::chrono::seconds first_lifetime{10}, max_lifetime{60};  ///< of the recognition

  /// `frames`: the maximum number that the connection has not taken yet.
  explicit SendBacklog(std::size_t frames) : frames_(frames) {}

  /// A frame was passed to the connection. Returns its slot.
  std::size_t add(std::size_t bytes) noexcept;
  /// The connection took the frame, or failed. Returns its bytes.
  std::size_t remove(std::size_t slot) noexcept;
  [[nodiscard]] std::size_t frames() const noexcept { return used_frames_; }

  /// Call this before and after each frame, and ten times a second.
  PathEstimate measure(MonotonicTime now, const transport::SendProgress& progress) noexcept;
  /// Deletes all measurements, because the connection or the watching ended.
  void reset() noexcept {
    used_ = 0;
    late_ = 0;
    shared_ = test_ = false;
    shared_until_ = {};
    first_delay_ = {};
  }

 private:
  struct Sample {
    MonotonicTime at;
    std::uint64_t acknowledged = 0;
  };
  [[nodiscard]] Sample& sample(std::size_t index) noexcept { return samples_[(first_ + index) % samples_.size()]; }
  void add(const Sample& sample) noexcept;
  [[nodiscard]] std::size_t waiting(std::size_t unsent) const noexcept;
  void first_byte(MonotonicTime now, const transport::SendProgress& progress) noexcept;
  [[nodiscard]] std::chrono::nanoseconds network_delay(const transport::SendProgress& progress) noexcept;
  [[nodiscard]] PathEstimate estimate(std::chrono::nanoseconds wait, std::uint64_t rate) const noexcept;
  void judge_network(MonotonicTime now, const transport::SendProgress& progress) noexcept;
  [[nodiscard]] PathEstimate pause(std::chrono::nanoseconds delay, std::chrono::nanoseconds total) const noexcept;

  struct Frame {
    std::size_t bytes = 0;  // 0: free
    std::uint64_t number = 0;
  };
  std::vector<Frame> frames_;
  std::size_t used_frames_ = 0;
  std::uint64_t next_number_ = 0;
  std::array<Sample, 64> samples_{};  // since the connection was idle, at most `window` old
  std::size_t first_ = 0;
  std::size_t used_ = 0;
  MonotonicTime busy_since_;
  bool first_byte_ = false;                 // after the pause, is not acknowledged yet
  MonotonicTime first_byte_missing_;        // when its acknowledgment was missing last
  std::chrono::nanoseconds first_delay_{};  // of that byte, until the next pause
  std::uint64_t rate_ = 0;                  // bit/s, the last one that was measured
  int late_ = 0;                            // first bytes, in succession
  bool shared_ = false;                     // other traffic fills a queue
  bool test_ = false;                       // a pause is necessary to know whether this is so
  MonotonicTime shared_until_;
  MonotonicTime not_full_, not_busy_, next_test_;  // when the delay in the network was short; earliest time of a test
  std::chrono::nanoseconds other_{};               // as of the last measurement
  std::chrono::nanoseconds lifetime_ = first_lifetime;
};

/// The camera knows by its own clock when it sealed a frame, and the hub when it arrived by another clock. The
/// difference varies with the queues in between only; its minimum of the last one to two minutes counts as no delay.
/// Hubs of the roster report the values, and a hostile hub can report wrong ones. The values can only lower the
/// quality, and the hub with the best path decides. Allocates nothing per frame. Thread-bound.
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
