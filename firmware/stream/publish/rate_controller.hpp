// SPDX-License-Identifier: Apache-2.0
/// Adapts the picture quality to the network.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/clock.hpp"
#include "base/types.hpp"
#include "stream/capture/capture_control.hpp"
#include "stream/publish/send_backlog.hpp"

namespace sealcam::stream {

struct RateControllerConfig {
  Quality best;  ///< the configured quality; downscale 0, all pictures of the sensor
  BitsPerSecond min_bitrate = limits::default_min_bitrate;  ///< below it, the camera sends fewer pictures
};

/// Keeps the delay in the queues of the network near `target_delay`. Its input is the delay on the camera's own
/// connection and, end to end, of the hub with the best path. Judges twice a second.
///
/// If the delay stays above the target, the bitrate becomes a little less than what the path carried meanwhile. If the
/// delay is short, the bitrate grows: by small steps near the rate at which the path was full, faster above it. It does
/// not grow far while the encoder sends less, because then the short delay says nothing about a higher rate. Below
/// `min_bitrate` the camera sends 15, 5, then 1 picture a second, then smaller pictures, then key frames alone, one in
/// 2 s. A step back has a margin; if the path is full soon afterwards, the wait before the next one doubles.
/// The delay of the hub without the one that the own connection measured is the delay from the broker to the hub. If it
/// does not become shorter with a lower bitrate, it is that of other traffic and does not count, up to
/// `SendBacklog::max_other`.
/// Has no clock and no thread. Allocates nothing. Thread-bound.
class RateController {
 public:
  static constexpr std::chrono::milliseconds target_delay{200};
  /// Longer delays of new pictures have no use. The camera does not encode until the delay is shorter.
  static constexpr std::chrono::milliseconds hold_delay{400};
  static constexpr std::chrono::milliseconds slow_vbv{300};  ///< VBV on a slow network, so that a key frame is short

  explicit RateController(const RateControllerConfig& config);

  /// A measurement of the camera's own connection. Call this about ten times a second, or more often.
  void measured(const PathEstimate& connection) noexcept;
  /// A receiver report arrived; `best_hub` is the path to the hub with the shortest delay.
  void reported(MonotonicTime now, const PathEstimate& best_hub) noexcept;
  /// A frame of this size was passed to the connection.
  void sent(std::size_t bytes) noexcept { sent_bytes_ += bytes; }
  /// Only a part of the pictures of a sensor is sent, so that an unused bitrate has no meaning.
  void set_partial(bool partial) noexcept { partial_ = partial; }
  /// The queue dropped groups.
  void dropped() noexcept { dropped_ = true; }
  /// Call this often. It judges when half a second has passed. Returns true if quality() changed.
  bool tick(MonotonicTime now) noexcept;
  /// Discards the measurements, because no hub watched for a while.
  void idle() noexcept;

  [[nodiscard]] const Quality& quality() const noexcept { return quality_; }
  [[nodiscard]] bool congested() const noexcept { return congested_; }
  /// A picture that is encoded now would wait too long.
  [[nodiscard]] bool hold() const noexcept { return std::max(connection_.delay, connection_.pause) > hold_limit(); }
  /// The network does not carry the configured quality.
  [[nodiscard]] bool reduced() const noexcept { return quality_ != config_.best; }

 private:
  void decrease(MonotonicTime now, const PathEstimate& path) noexcept;
  [[nodiscard]] std::chrono::nanoseconds judge_hub(MonotonicTime now, const PathEstimate& hub) noexcept;
  void lost(MonotonicTime now) noexcept;
  void reduce_to(MonotonicTime now, std::uint64_t budget, std::uint64_t capacity) noexcept;
  void increase(MonotonicTime now) noexcept;
  void count_sent(std::chrono::nanoseconds elapsed) noexcept;
  [[nodiscard]] std::uint64_t max_budget(MonotonicTime now) noexcept;
  void choose_level(MonotonicTime now) noexcept;
  void apply() noexcept;
  [[nodiscard]] std::uint64_t media(std::size_t level) const noexcept;
  [[nodiscard]] std::uint64_t threshold(std::size_t level) const noexcept;
  [[nodiscard]] std::chrono::nanoseconds hold_limit() const noexcept;

  RateControllerConfig config_;
  Quality quality_;
  std::uint64_t budget_;          // bit/s on the connection, with the overhead of frames
  std::uint64_t capacity_ = 0;    // bit/s that the path carried when it was full last; 0: unknown
  double growth_ = 0;             // of the budget in half a second
  std::size_t level_ = 0;         // index of the table of levels
  std::uint64_t sent_bytes_ = 0;  // since the last judgment
  // In the last seconds in which the path was not full; older ones count less.
  double sent_bits_ = 0, allowed_bits_ = 0, counted_seconds_ = 0, last_rate_ = 0;
  bool partial_ = false;
  PathEstimate connection_, hub_;
  std::optional<PathEstimate> least_;                 // with the shortest delay since the last judgment
  std::array<std::chrono::nanoseconds, 6> totals_{};  // maximum delays to the broker in the last half seconds
  std::optional<MonotonicTime> hub_at_, improved_, limited_;
  /// The path to the hub was found full, and its delay and the budget at that time.
  struct HubFull {
    MonotonicTime since;
    std::chrono::nanoseconds delay{};
    std::uint64_t budget = 0;
  };
  std::optional<HubFull> hub_full_;
  std::chrono::nanoseconds hub_other_{};  // delay of other traffic on the path to the hub
  MonotonicTime hub_other_until_;
  MonotonicTime judged_, stepped_, test_until_;
  std::chrono::nanoseconds improve_after_;
  bool dropped_ = false;
  bool congested_ = false;
};

}  // namespace sealcam::stream
