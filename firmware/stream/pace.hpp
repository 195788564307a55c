// SPDX-License-Identifier: Apache-2.0
/// How good the pictures may be on the network there is.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/clock.hpp"
#include "stream/capture_control.hpp"

namespace sealcam::stream {

struct PaceConfig {
  Quality best;                       ///< what was configured; shrink 0
  BitsPerSecond lowest{150'000};      ///< bitrate below which smaller pictures look better
  std::uint8_t most_shrink = 2;       ///< a quarter of width and height
  std::uint16_t longest_group = 300;  ///< pictures
};

/// Judges each half second. Congested is: a publish took more than 250 ms, or more bytes wait unsent than half a second
/// of video, or groups were dropped. Then the bitrate falls to 7/10; at the lowest the groups get longer, then the
/// pictures smaller, one step in 2 s at most. After 2 s without congestion the bitrate rises by 1/20 of the configured
/// one each half second; after 10 s at the top one step of the rest is taken back, and each time that proves wrong the
/// wait doubles, up to 160 s. Logic only: no clock, no thread of its own. Thread-bound.
class Pace {
 public:
  explicit Pace(const PaceConfig& config);

  /// One frame was handed to the connection after `took`.
  void published(std::chrono::nanoseconds took) noexcept;
  /// The queue had to drop groups.
  void dropped() noexcept { dropped_ = true; }
  /// Called often; decides when half a second has passed. True when quality() changed.
  bool tick(MonotonicTime now, std::size_t unsent_bytes) noexcept;
  /// Nobody watched for a while: what was measured before says nothing now.
  void idle() noexcept;

  [[nodiscard]] const Quality& quality() const noexcept { return quality_; }
  [[nodiscard]] bool congested() const noexcept { return congested_; }

 private:
  void worse(MonotonicTime now) noexcept;
  void better(MonotonicTime now) noexcept;
  void apply_level() noexcept;

  PaceConfig config_;
  Quality quality_;
  MonotonicTime judged_;
  MonotonicTime good_since_;
  MonotonicTime top_since_;  // at the configured bitrate
  MonotonicTime stepped_;    // of the level, either way
  std::optional<MonotonicTime> improved_;
  std::chrono::nanoseconds longest_publish_{};
  std::chrono::nanoseconds patience_ = std::chrono::seconds(10);
  std::uint8_t level_ = 0;  // 0: configured, 1: long groups, 2 …: smaller pictures as well
  bool dropped_ = false;
  bool congested_ = false;
};

}  // namespace sealcam::stream
