// SPDX-License-Identifier: Apache-2.0
/// Requests of the network thread to the capture thread, and the fault of the capture thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/picture_area.hpp"
#include "base/types.hpp"
#include "protocol/status.hpp"

namespace sealcam::stream {

/// Bytes that a frame has on the connection beyond its access unit: signature, headers, topic, TLS record.
inline constexpr std::size_t frame_overhead = 300;

/// Upper bound of the picture quality at the moment.
struct Quality {
  BitsPerSecond bitrate = limits::default_bitrate;
  std::uint16_t keyframe_interval = 60;       ///< pictures
  std::uint8_t downscale = 0;                 ///< each step halves width and height; at most 3
  std::chrono::milliseconds min_interval{0};  ///< between two pictures; 0: all pictures of the sensor; below 4096 ms
  std::chrono::milliseconds vbv{500};         ///< see hal::EncoderConfig; in steps of 10 ms
  friend bool operator==(const Quality&, const Quality&) = default;
};

/// The owner's settings about areas of the picture.
struct AreaSettings {
  FewAreas masks{};                ///< no picture that leaves the camera shows them
  std::uint32_t sensitivity = 50;  ///< of the motion detector, at most 100; 0: off
  FewAreas zones{};                ///< motion counts only here; empty: everywhere
};

/// Thread-safe. Never blocks for longer than a copy of the areas.
class CaptureControl {
 public:
  explicit CaptureControl(const Quality& quality) noexcept { set_quality(quality); }

  /// A hub has a lease. While inactive, the sensor runs and no picture is encoded.
  void set_active(bool active) noexcept { active_.store(active, std::memory_order_release); }
  [[nodiscard]] bool active() const noexcept { return active_.load(std::memory_order_acquire); }

  /// Closes the sensor until the value is false again.
  void set_closed(bool closed) noexcept { closed_.store(closed); }
  [[nodiscard]] bool closed() const noexcept { return closed_.load(); }

  /// The capture thread calls this before it opens the sensor. Returns false if the sensor must stay closed.
  [[nodiscard]] bool begin_source() noexcept {
    source_open_.store(true);
    if (!closed()) return true;
    end_source();
    return false;
  }
  /// The sensor is closed.
  void end_source() noexcept { source_open_.store(false); }
  /// From before the sensor is opened until after it was closed. The sensor stays closed if this is false after
  /// set_closed(true).
  [[nodiscard]] bool source_open() const noexcept { return source_open_.load(); }

  /// Opens the sensor again, because its configuration changed.
  void request_reopen() noexcept { reopen_.store(true, std::memory_order_release); }
  [[nodiscard]] bool take_reopen_request() noexcept { return reopen_.exchange(false, std::memory_order_acq_rel); }

  [[nodiscard]] bool reopen_requested() const noexcept { return reopen_.load(std::memory_order_acquire); }

  /// The areas apply to all pictures that are encoded from now on. Units with an older areas_version() must not be
  /// sent.
  void set_areas(const AreaSettings& areas) {
    const std::scoped_lock lock(areas_mutex_);
    areas_ = areas;
    detector_on_.store(areas.sensitivity > 0, std::memory_order_release);
    areas_version_.fetch_add(1, std::memory_order_acq_rel);
  }
  [[nodiscard]] std::uint32_t areas_version() const noexcept { return areas_version_.load(std::memory_order_acquire); }
  /// The areas with their version.
  [[nodiscard]] std::pair<AreaSettings, std::uint32_t> areas() const {
    const std::scoped_lock lock(areas_mutex_);
    return {areas_, areas_version_.load(std::memory_order_acquire)};
  }

  /// The open sensor encodes, so that the camera cannot look at its pictures.
  void set_sensor_encodes(bool encodes) noexcept { sensor_encodes_.store(encodes, std::memory_order_release); }
  /// False if the detector is off or the sensor encodes. Then a request for motion is no reason to encode.
  [[nodiscard]] bool detects_motion() const noexcept {
    return detector_on_.load(std::memory_order_acquire) && !sensor_encodes_.load(std::memory_order_acquire);
  }

  void request_keyframe() noexcept { keyframe_.store(true, std::memory_order_release); }
  /// True once after one or more requests.
  [[nodiscard]] bool take_keyframe_request() noexcept { return keyframe_.exchange(false, std::memory_order_acq_rel); }

  /// No picture is encoded while this is true, because it would wait in the queues of the network.
  void set_hold(bool hold) noexcept { hold_.store(hold, std::memory_order_release); }
  [[nodiscard]] bool hold() const noexcept { return hold_.load(std::memory_order_acquire); }

  /// `reduced`: the network does not carry the configured quality.
  void set_quality(const Quality& q, bool reduced = false) noexcept {
    reduced_.store(reduced, std::memory_order_release);
    const auto vbv = static_cast<std::uint64_t>(q.vbv.count() / 10);
    const auto interval = static_cast<std::uint64_t>(q.min_interval.count());
    quality_.store(std::uint64_t{q.bitrate.value()} << 33 | vbv << 24 | interval << 12 |
                       std::uint64_t{q.keyframe_interval} << 2 | q.downscale,
                   std::memory_order_release);
  }
  [[nodiscard]] Quality quality() const noexcept {
    const std::uint64_t packed = quality_.load(std::memory_order_acquire);
    return {.bitrate = BitsPerSecond(static_cast<std::uint32_t>(packed >> 33)),
            .keyframe_interval = static_cast<std::uint16_t>(packed >> 2 & 0x3ff),
            .downscale = static_cast<std::uint8_t>(packed & 3),
            .min_interval = std::chrono::milliseconds(packed >> 12 & 0xfff),
            .vbv = std::chrono::milliseconds((packed >> 24 & 0x1ff) * 10)};
  }

  [[nodiscard]] bool reduced() const noexcept { return reduced_.load(std::memory_order_acquire); }

  /// Of the pictures of a sensor that encodes, only key frames are sent, because the network does not carry the others.
  void set_keyframes_alone(bool alone) noexcept { keyframes_alone_.store(alone, std::memory_order_release); }
  [[nodiscard]] bool keyframes_alone() const noexcept { return keyframes_alone_.load(std::memory_order_acquire); }

  /// Why the camera sends no pictures; nothing without a fault.
  void set_fault(std::optional<protocol::CameraFault> fault) noexcept {
    fault_.store(fault ? static_cast<std::uint8_t>(*fault) : 0, std::memory_order_release);
  }
  [[nodiscard]] std::optional<protocol::CameraFault> fault() const noexcept {
    const auto fault = fault_.load(std::memory_order_acquire);
    return fault == 0 ? std::nullopt : std::optional(static_cast<protocol::CameraFault>(fault));
  }

 private:
  std::atomic<bool> active_ = false;
  std::atomic<bool> keyframe_ = false;
  std::atomic<bool> closed_ = false;  // this and the next one: in one order for both threads (sequentially consistent)
  std::atomic<bool> source_open_ = false;
  std::atomic<bool> reopen_ = false;
  std::atomic<bool> hold_ = false;
  std::atomic<bool> reduced_ = false;
  std::atomic<bool> keyframes_alone_ = false;
  std::atomic<bool> detector_on_ = true;  // by areas_.sensitivity
  std::atomic<bool> sensor_encodes_ = false;
  std::atomic<std::uint8_t> fault_ = 0;
  mutable std::mutex areas_mutex_;  // guards areas_
  AreaSettings areas_;
  std::atomic<std::uint32_t> areas_version_ = 0;
  std::atomic<std::uint64_t> quality_ = 0;  // one word, so that a reader sees the values of one call
};

/// Texts of the capture thread for other threads. Thread-safe.
class CaptureReport {
 public:
  explicit CaptureReport(CaptureControl& control) noexcept : control_(control) {}

  void set_encoder(std::string name) {
    const std::scoped_lock lock(mutex_);
    encoder_ = std::move(name);
  }
  void set_fault(protocol::CameraFault fault, std::string text) {
    const std::scoped_lock lock(mutex_);
    fault_ = std::move(text);
    control_.set_fault(fault);
  }
  /// Any fault, or only this one.
  void clear_fault(std::optional<protocol::CameraFault> fault = std::nullopt) {
    if (!control_.fault() || (fault && control_.fault() != fault)) return;
    const std::scoped_lock lock(mutex_);
    fault_.clear();
    control_.set_fault(std::nullopt);
  }
  [[nodiscard]] std::string encoder() const {
    const std::scoped_lock lock(mutex_);
    return encoder_;
  }
  [[nodiscard]] std::string fault() const {
    const std::scoped_lock lock(mutex_);
    return fault_;
  }

 private:
  CaptureControl& control_;
  mutable std::mutex mutex_;
  std::string encoder_, fault_;
};

}  // namespace sealcam::stream
