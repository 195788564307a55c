// SPDX-License-Identifier: Apache-2.0
/// What the network thread tells the capture thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/strong.hpp"

namespace sealcam::stream {

/// How good the pictures may be at the moment.
struct Quality {
  BitsPerSecond bitrate{2'000'000};
  std::uint16_t keyframe_interval = 60;  ///< pictures
  std::uint8_t shrink = 0;               ///< each step halves width and height
  friend bool operator==(const Quality&, const Quality&) = default;
};

/// Thread-safe, never blocks.
class CaptureControl {
 public:
  explicit CaptureControl(const Quality& quality) noexcept { set_quality(quality); }

  /// Somebody wants pictures: without, the sensor goes on and nothing is encoded.
  void set_active(bool active) noexcept { active_.store(active, std::memory_order_release); }
  [[nodiscard]] bool active() const noexcept { return active_.load(std::memory_order_acquire); }

  /// The sensor itself is to be closed, and stay so.
  void set_closed(bool closed) noexcept { closed_.store(closed, std::memory_order_release); }
  [[nodiscard]] bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }

  /// The sensor is to be opened anew, since what it is to deliver has changed.
  void request_reopen() noexcept { reopen_.store(true, std::memory_order_release); }
  [[nodiscard]] bool take_reopen_request() noexcept { return reopen_.exchange(false, std::memory_order_acq_rel); }

  void request_keyframe() noexcept { keyframe_.store(true, std::memory_order_release); }
  /// True once per request, however many there were.
  [[nodiscard]] bool take_keyframe_request() noexcept { return keyframe_.exchange(false, std::memory_order_acq_rel); }

  void set_quality(const Quality& q) noexcept {
    quality_.store(std::uint64_t{q.bitrate.value()} << 32 | std::uint64_t{q.keyframe_interval} << 8 | q.shrink,
                   std::memory_order_release);
  }
  [[nodiscard]] Quality quality() const noexcept {
    const std::uint64_t packed = quality_.load(std::memory_order_acquire);
    return {BitsPerSecond(static_cast<std::uint32_t>(packed >> 32)), static_cast<std::uint16_t>(packed >> 8),
            static_cast<std::uint8_t>(packed)};
  }

 private:
  std::atomic<bool> active_ = false;
  std::atomic<bool> keyframe_ = false;
  std::atomic<bool> closed_ = false;
  std::atomic<bool> reopen_ = false;
  std::atomic<std::uint64_t> quality_ = 0;  // one word, so that the three belong together
};

}  // namespace sealcam::stream
