// SPDX-License-Identifier: Apache-2.0
/// Decides about an offered release: not for this device, now, later, or never. Reentrant.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "update/release.hpp"
#include "update/state.hpp"

namespace sealcam::update {

/// Without a clock, a version waits this long instead of for a night. The board must run for this time.
inline constexpr std::chrono::hours max_wait{24};
/// With a clock, a version waits at most this long for a night, because the board may be off at night.
inline constexpr std::chrono::hours max_night_wait{7 * 24};
/// A deferral ends at this running time at the latest, also on a board without a clock.
inline constexpr std::chrono::hours max_deferral{90 * 24};
/// Length of the night.
inline constexpr std::chrono::hours night{3};

struct Circumstances {
  std::string board;  ///< of "sealcam-BOARD"
  Version running;
  Version minimum;           ///< State::minimum
  std::uint32_t bucket = 0;  ///< of the device for the release
  std::uint32_t place = 0;   ///< below 10,000: when in the night this device starts
  unsigned night_hour = 2;   ///< begin of the night, UTC
  Consent consent{};
  std::optional<Version> requested{};  ///< CameraState::request
  std::uint64_t started = 0;           ///< State::started
  CaptureTime clock{};
  std::chrono::seconds waited{};   ///< Waiting::running
  bool works = false;              ///< everything that worked before works now
  std::optional<Failed> failed{};  ///< about this version
};

enum class Decision : std::uint8_t {
  none,      ///< the running version, or not for this device
  rejected,  ///< must not be installed here
  denied,    ///< by the owner
  deferred,  ///< by the owner
  wait,      ///< for the night, or until the camera works
  install,
};
struct Decided {
  Decision decision = Decision::none;
  std::string reason;  ///< of `rejected`, for people
};
[[nodiscard]] Decided decide(const Release& release, const Circumstances& now);

/// Since the Unix epoch; 0 if the clock is not set.
[[nodiscard]] std::int64_t epoch_seconds(CaptureTime clock);

/// Whether the time is in the part of the night after this device's place. False if the clock is not set.
[[nodiscard]] bool is_night(CaptureTime clock, unsigned night_hour, std::uint32_t place);

}  // namespace sealcam::update
