// SPDX-License-Identifier: Apache-2.0
/// Decides which verified frames of one epoch may be shown, and whether the newest shown picture is LIVE, by the
/// challenges of this hub that the camera echoes. Thread-bound.
///
/// Counters count frames of all kinds, and a broker delivers topics in any order. So a gap in the counters is no
/// evidence of a lost picture, and frame numbers are none either: a sensor that loses a picture leaves a gap, although
/// the next delta is decodable. Therefore each delta names the counter of the video frame that it depends on. It may be
/// shown if that frame is the newest shown video frame, and if no still was shown after it. In all other cases the
/// stream continues with the next key frame.
#pragma once

#include <array>
#include <bitset>
#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/types.hpp"
#include "protocol/envelope.hpp"
#include "protocol/frame.hpp"
#include "protocol/view_request.hpp"
#include "watch/picture_sink.hpp"

namespace sealcam::watch {

using protocol::Counter;

/// Whether picture `a` is `b`, or was taken before it. The numbers wrap at 2^32 (4.5 years at 30 a second), so they are
/// compared as serial numbers (RFC 1982). An epoch lasts at most a day, so two of its numbers are less than 2^31 apart.
[[nodiscard]] constexpr bool at_or_before(FrameNumber a, FrameNumber b) noexcept {
  return b.value() - a.value() < (std::uint32_t{1} << 31);
}
[[nodiscard]] constexpr bool before(FrameNumber a, FrameNumber b) noexcept { return a != b && at_or_before(a, b); }

/// Remembers which of the newest `size` counters were received. All older counters count as received.
class CounterWindow {
 public:
  static constexpr std::size_t size = 1024;

  [[nodiscard]] bool seen(Counter counter) const noexcept;
  void mark(Counter counter) noexcept;

 private:
  std::bitset<size> ring_;
  std::uint64_t next_ = 0;  ///< newest counter plus one
};

class StreamOrder {
 public:
  enum class Verdict : std::uint8_t {
    show,
    wait_for_key,  ///< a delta whose frame before it is not on the screen
    nothing_new,   ///< a report, or a still of a picture that is not newer than the shown one
    replayed,
    out_of_order,
  };

  /// Call this once for each frame that passed the checks of signature and AEAD.
  [[nodiscard]] Verdict accept(protocol::FrameKind kind, Counter counter, const protocol::FrameHeader& header) noexcept;

 private:
  [[nodiscard]] Verdict accept_still(Counter counter, FrameNumber number) noexcept;
  [[nodiscard]] Verdict accept_video(bool key, Counter counter, const protocol::FrameHeader& header) noexcept;

  CounterWindow window_;
  std::optional<Counter> shown_;             ///< newest counter of the shown pictures
  std::optional<FrameNumber> shown_number_;  ///< newest shown picture
  std::optional<Counter> video_;             ///< newest shown video frame
  FrameNumber video_number_;
  bool intact_ = false;  ///< the decoder's last picture is video_
};

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
/// picture m bounds the age of each shown picture n >= m. Reports give no bound, because they overtake the
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

/// Passes pictures to cache and sink as LIVE or STALE. Thread-bound.
class ShownPictures {
 public:
  /// All references must outlive this object.
  ShownPictures(const DeviceId& camera, PictureCache& cache, PictureSink& sink, const Clock& clock)
      : camera_(camera), cache_(cache), sink_(sink), clock_(clock) {}

  /// The camera's public key, which is its key in the cache. Call this before hand_out().
  void set_key(const crypto::PublicKey& key) noexcept { key_ = key; }
  [[nodiscard]] const crypto::PublicKey& key() const noexcept { return key_; }
  /// `epoch` becomes the current one.
  void begin_epoch(Epoch epoch) noexcept {
    if (epoch_ != epoch) freshness_.begin_epoch();
  }
  void on_echo(FrameNumber number, BootTime made) noexcept { freshness_.on_echo(number, made); }
  /// `current`: the epoch echoed a challenge of this hub. Other pictures are STALE.
  void hand_out(Epoch epoch, bool current, PictureInfo picture, ByteView access_unit, CameraCounters& counters);
  /// Deletes the pictures, also those in the cache.
  void forget();

  /// The newest picture. Nothing before the first one.
  [[nodiscard]] const std::optional<PictureInfo>& newest() const noexcept { return newest_; }
  [[nodiscard]] bool live(BootTime now) const noexcept { return epoch_ && freshness_.live(now); }
  [[nodiscard]] std::optional<std::chrono::milliseconds> age(BootTime now) const noexcept {
    return freshness_.age(now);
  }
  /// The camera's clock minus the hub's, from the newest LIVE picture, if they differ by more than a minute.
  [[nodiscard]] std::optional<std::chrono::seconds> clock_ahead() const noexcept { return clock_ahead_; }

 private:
  DeviceId camera_;
  PictureCache& cache_;
  PictureSink& sink_;
  const Clock& clock_;
  crypto::PublicKey key_;
  std::optional<Epoch> epoch_;
  Freshness freshness_;
  std::optional<PictureInfo> newest_;
  std::optional<std::chrono::seconds> clock_ahead_;
};

}  // namespace sealcam::watch
