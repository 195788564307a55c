// SPDX-License-Identifier: Apache-2.0
/// The epochs of one camera at one hub, and the detection of clones (P9).
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <string>

#include "crypto/sframe.hpp"
#include "device/hub_stores.hpp"
#include "protocol/roster.hpp"
#include "protocol/view_request.hpp"
#include "watch/freshness.hpp"
#include "watch/picture_sink.hpp"
#include "watch/prekeys.hpp"

namespace sealcam::watch {

using protocol::PrekeyNumber;

/// The video frames of one epoch that passed all checks but the order, for the receiver report.
class ReceivedVideo {
 public:
  void note(Counter counter, BootTime arrived) noexcept {
    if (!zero_) zero_ = arrived;
    if (count_++ == 0 || newest_ < counter) {
      newest_ = counter;
      arrived_ = arrived;
    }
  }
  /// Nothing before the first frame.
  [[nodiscard]] std::optional<protocol::ReceiverReport> report() const noexcept;

 private:
  std::optional<BootTime> zero_;  ///< of the arrival times in reports
  BootTime arrived_;
  Counter newest_;
  std::uint64_t count_ = 0;
};

struct EpochState {
  static constexpr std::size_t held_limit = 4U << 20;
  Epoch epoch;
  std::shared_ptr<const crypto::sframe::OpeningKey> key;
  std::string camera_name;
  std::shared_ptr<const protocol::SoftwareReport> software{};  ///< null: the camera reports none that this hub can read
  PrekeyNumber grant_key{};                                    ///< number of this hub's key that opened the grant
  ChallengeSerial known_since{};  ///< challenges from this serial on were made after the grants arrived
  StreamOrder order{};
  PictureGroup held{held_limit};  ///< pictures before the first echo; shown together with it
  bool shown = false;             ///< its pictures are on the screen, possibly as STALE
  /// For a hub that records, otherwise null. Nothing changes it after the epoch became current.
  std::shared_ptr<device::RecordedEpoch> recorded{};
  ReceivedVideo received{};
  std::optional<Counter> newest_picture{};  ///< greatest counter of an accepted picture
  std::uint32_t requests = 0;
  BootTime next_request{};
};

/// Opens this hub's grant. `prekeys`: null if the hub has none. `next`: the serial of the next challenge. `keep_key`:
/// sets `recorded`, without the messages. Errors: not_found (no grant for this hub), not_decryptable (also if the hub
/// has no such key), malformed, crypto.
[[nodiscard]] Result<EpochState> open_epoch(const protocol::Grants& grants, const protocol::Route& route,
                                            const crypto::DeviceKeys& keys, Prekeys* prekeys, ChallengeSerial next,
                                            bool keep_key);

/// The current epoch, which echoed a challenge of this hub, up to two candidates that may become current, and the
/// closed epochs. Thread-bound.
class EpochSet {
 public:
  static constexpr std::size_t max_candidates = 2;  // the one with the highest number, and the newest one
  static constexpr std::size_t max_closed = 16;

  /// The counter in the upper 32 bits, which a camera only increases.
  [[nodiscard]] static std::uint32_t counter_of(Epoch epoch) noexcept {
    return static_cast<std::uint32_t>(epoch.value() >> 32);
  }
  explicit EpochSet(std::uint32_t max_counter = 0) noexcept : max_counter_(max_counter) {}

  /// Adds an epoch whose grant was opened, and which is neither known nor closed. Drops the oldest candidate of three,
  /// but never the one with the highest number.
  EpochState& add_candidate(EpochState epoch);
  /// A frame of `epoch` echoed a challenge of this hub. It becomes current. The earlier current epoch is closed, and so
  /// are all epochs with a smaller counter. Returns true if the highest counter changed.
  bool promote(EpochState& epoch);
  void clear() noexcept;

  [[nodiscard]] EpochState* find(Epoch epoch) noexcept;
  [[nodiscard]] bool closed(Epoch epoch) const noexcept;
  /// An epoch of another device, or of the camera before a newer one was current.
  [[nodiscard]] bool below_max(Epoch epoch) const noexcept { return counter_of(epoch) < max_counter_; }
  [[nodiscard]] std::uint32_t max_counter() const noexcept { return max_counter_; }
  [[nodiscard]] EpochState* current() noexcept { return has_current_ ? &known_.front() : nullptr; }
  [[nodiscard]] const EpochState* current() const noexcept { return has_current_ ? &known_.front() : nullptr; }
  /// The epoch whose pictures may be shown as STALE before the first echo. It is the one with the highest number,
  /// because a broker can only offer older ones. Null if there is no epoch, or a current one.
  [[nodiscard]] const EpochState* preferred() const noexcept;
  /// The current epoch, then the candidates, the newest last.
  [[nodiscard]] std::list<EpochState>& known() noexcept { return known_; }
  [[nodiscard]] const std::list<EpochState>& known() const noexcept { return known_; }

 private:
  std::list<EpochState> known_;  // stable addresses
  bool has_current_ = false;
  std::deque<Epoch> closed_;
  std::uint32_t max_counter_;  ///< of the epochs that were current, also before a restart of the hub
};

/// An epoch that another epoch replaced.
struct ReplacedEpoch {
  Epoch epoch;
  std::shared_ptr<const crypto::sframe::OpeningKey> key;
  Epoch replaced_by;
  ChallengeSerial seen;  ///< challenges from this serial on were made after a frame of `replaced_by` arrived (c3 below)
  bool active = false;   ///< a verified message of this epoch arrived since; the hub sends it a request
  bool old = false;      ///< never current at this hub: its counter is below the highest one
};

/// Detects two devices that use one identity, by the messages that they sign. Keeps the keys of the epochs that were
/// replaced last. They serve this purpose only, and no picture of them is shown. Has no clock. Thread-bound.
///
/// The proof. This hub observes the following events of one camera, in this order:
///   1. Verified grants of epoch A arrive. So A began before this event.
///   2. The hub makes a challenge c2. A verified frame of epoch B that echoes c2 arrives. So B was in use between the
///   two.
///   3. The hub makes a challenge c3. A verified frame of A that echoes c3 arrives. So A was in use after c3 was made.
/// Therefore A began before B was in use, and A was in use after that. A camera has one epoch at a time, keeps its key
/// in memory only, and never returns to an earlier epoch. So one device cannot have done this.
///
/// A relay on the path cannot forge the proof. The frames of 2 and 3 carry the camera's signature, open with a key that
/// the camera sealed to its hubs, and contain 64 random bits that did not exist before this hub drew them. A broker
/// that delays, drops, repeats or reorders messages only makes a frame arrive later than it was sealed. The echo bounds
/// the time of sealing from below, and the arrival bounds it from above. Both bounds are events of this hub. The proof
/// uses neither the camera's clock nor a retained or recorded message.
///
/// Why a restart or a new epoch does not trigger it. A camera that begins B deletes A's key first. Later frames of A,
/// also those that were held back for years, echo challenges from before this hub received B. The hub makes c3 after
/// that, and c3 reaches no device that has A.
class CloneDetector {
 public:
  static constexpr std::size_t max_replaced = 2;

  /// Epoch `a` was current. A frame of `b` that echoes `echoed` arrived. `next` is the serial of the next challenge. If
  /// the detector is full, it deletes the oldest epoch.
  void on_replaced(const EpochState& a, Epoch b, ChallengeSerial echoed, ChallengeSerial next);
  /// Grants arrived whose epoch has a smaller counter than one that was current. `replaced_by` is the current epoch, if
  /// there is one. Only the newest such epoch is kept, so that old grants do not displace replaced epochs.
  void on_old(Epoch epoch, std::shared_ptr<const crypto::sframe::OpeningKey> key, Epoch replaced_by,
              ChallengeSerial next);
  /// `current` became the current epoch. An old epoch then needs an answer to a later challenge: the camera may have
  /// left it for `current`, and the broker may have held its last frames back.
  void on_promoted(Epoch current, ChallengeSerial next) noexcept;
  /// True if a verified and opened frame of `epoch` that echoes `echoed` completes the proof. For an old epoch, the
  /// proof is that the camera's counter went back: its card was replaced by an old copy, or the frame is of another
  /// device.
  [[nodiscard]] bool proves(Epoch epoch, ChallengeSerial echoed) const noexcept;

  /// Null if the detector does not have this epoch.
  [[nodiscard]] const ReplacedEpoch* find(Epoch epoch) const noexcept;
  /// A verified message of this epoch arrived. It may be old, so it proves nothing, but the hub sends a request.
  void on_activity(Epoch epoch) noexcept;
  /// The same for all epochs.
  void on_activity() noexcept;
  /// Returns the next active epoch, once per activity. Null if there is none.
  [[nodiscard]] const ReplacedEpoch* take_active() noexcept;
  void clear() noexcept {
    replaced_.clear();
    old_.reset();
  }
  [[nodiscard]] std::size_t size() const noexcept { return replaced_.size(); }

 private:
  std::deque<ReplacedEpoch> replaced_;  ///< in the order of their replacement
  std::optional<ReplacedEpoch> old_;
};

}  // namespace sealcam::watch
