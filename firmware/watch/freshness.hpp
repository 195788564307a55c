// SPDX-License-Identifier: Apache-2.0
/// P4: what LIVE rests on. Challenges of our own, and when the newest of those that are echoed was made.
#pragma once

#include <array>
#include <chrono>
#include <optional>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "core/strong.hpp"
#include "protocol/ask.hpp"

namespace sealcam::watch {

/// Place of a challenge in the order in which we made them, from 0.
using ChallengeSerial = Strong<struct ChallengeSerialTag, std::uint64_t>;

/// The last challenges that we made for one camera. Thread-bound.
class ChallengeBook {
 public:
  static constexpr std::size_t capacity = 32;  ///< at four asks a second more than Freshness::live_for
  struct Made {
    MonotonicTime at;
    ChallengeSerial serial;
  };
  /// A new random one, made now. Errors: crypto.
  [[nodiscard]] Result<protocol::Challenge> make(MonotonicTime now);
  /// When it was made; nothing when it is none of ours, or forgotten.
  [[nodiscard]] std::optional<Made> made(protocol::Challenge challenge) const noexcept;
  /// Of the next one. Exactly the challenges whose serial is not less are made after this call: that orders them
  /// against other events of this hub without any clock.
  [[nodiscard]] ChallengeSerial next() const noexcept { return next_; }

 private:
  struct Entry {
    protocol::Challenge challenge;  // zero: free
    Made made;
  };
  std::array<Entry, capacity> entries_{};
  ChallengeSerial next_;
};

/// How old the shown picture is at most. Pictures of one epoch are numbered in the order in which the sensor took
/// them, so an echo in picture m proves the age of every shown picture n >= m. Reports prove nothing here:
/// they pass by the pictures that wait in the camera's encoder. Thread-bound.
class Freshness {
 public:
  static constexpr std::chrono::seconds live_for{5};

  /// The next picture that is shown belongs to another epoch: what echoed before proves nothing about it.
  void begin_epoch() noexcept;
  /// A verified picture of this epoch, shown or not, echoed the challenge that was made then.
  void on_echo(FrameNumber number, MonotonicTime made) noexcept;
  /// Before the picture's state is asked for.
  void on_shown(FrameNumber number) noexcept;

  [[nodiscard]] bool live(MonotonicTime now) const noexcept { return made_ && now - *made_ <= live_for; }
  /// Upper bound of the shown picture's age; nothing when no echo tells.
  [[nodiscard]] std::optional<std::chrono::milliseconds> age(MonotonicTime now) const noexcept;

 private:
  struct Echo {
    FrameNumber number;
    MonotonicTime made;
  };
  void raise(MonotonicTime made) noexcept {
    if (!made_ || *made_ < made) made_ = made;
  }
  std::optional<MonotonicTime> made_;  ///< newest echoed challenge at or before the shown picture
  std::optional<FrameNumber> shown_;   ///< of this epoch
  std::optional<Echo> ahead_;          ///< echoed by a picture newer than the shown one
};

}  // namespace sealcam::watch
