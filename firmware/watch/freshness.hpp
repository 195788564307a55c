// SPDX-License-Identifier: Apache-2.0
/// P4: decides whether a picture is LIVE, by the challenges of this hub that the camera echoes.
#pragma once

#include <array>
#include <chrono>
#include <optional>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/types.hpp"
#include "protocol/frame.hpp"
#include "protocol/view_request.hpp"

namespace sealcam::watch {

/// Position of a challenge in the order in which the hub made them, from 0.
using ChallengeSerial = Strong<struct ChallengeSerialTag, std::uint64_t>;

/// The last challenges that this hub made for one camera. Thread-bound.
class IssuedChallenges {
 public:
  static constexpr std::size_t capacity = 64;  ///< at eight requests per second, longer than Freshness::live_for
  struct Made {
    BootTime at;
    ChallengeSerial serial;
  };
  /// Makes a new random challenge. Errors: crypto.
  [[nodiscard]] Result<protocol::Challenge> make(BootTime now);
  /// The newest of these challenges that this hub made. Nothing if all are of other hubs, or are no longer stored.
  [[nodiscard]] std::optional<Made> made(const protocol::Echoes& echoes) const noexcept;
  /// The serial of the next challenge. All challenges from this serial on are made after this call. So the serial
  /// orders challenges and other events of this hub without a clock.
  [[nodiscard]] ChallengeSerial next() const noexcept { return next_; }

 private:
  struct Entry {
    protocol::Challenge challenge;  // zero: free
    Made made;
  };
  std::array<Entry, capacity> entries_{};
  ChallengeSerial next_;
};

/// Upper bound of the age of the shown picture. The sensor numbers the pictures of one epoch in order. So an echo in
/// picture m bounds the age of each shown picture n >= m. Reports bound nothing here, because they overtake the
/// pictures that wait in the camera's encoder. Thread-bound.
class Freshness {
 public:
  static constexpr std::chrono::seconds live_for{5};

  /// The next shown picture has another epoch. Earlier echoes do not apply to it.
  void begin_epoch() noexcept;
  /// A verified picture of this epoch echoed the challenge that was made at `made`. The picture may not be shown yet.
  void on_echo(FrameNumber number, BootTime made) noexcept;
  /// The picture will be shown. Call this before live() and age().
  void on_shown(FrameNumber number) noexcept;

  [[nodiscard]] bool live(BootTime now) const noexcept { return made_ && now - *made_ <= live_for; }
  /// Upper bound of the shown picture's age. Nothing if no echo applies to it.
  [[nodiscard]] std::optional<std::chrono::milliseconds> age(BootTime now) const noexcept;

 private:
  struct Echo {
    FrameNumber number;
    BootTime made;
  };
  void raise(BootTime made) noexcept {
    if (!made_ || *made_ < made) made_ = made;
  }
  std::optional<BootTime> made_;      ///< of the newest challenge echoed at or before the shown picture
  std::optional<FrameNumber> shown_;  ///< in this epoch
  std::optional<Echo> ahead_;         ///< in a picture newer than the shown one
};

/// Time of a LIVE picture minus the hub's wall clock, if the clocks differ by more than a minute. A LIVE picture is at
/// most a few seconds old, whatever the camera's clock reports.
[[nodiscard]] std::optional<std::chrono::seconds> clock_difference(CaptureTime captured, CaptureTime now) noexcept;

}  // namespace sealcam::watch
