// SPDX-License-Identifier: Apache-2.0
/// Keeps the sealed frames of the time without a broker, and sends them to the hubs that request them.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/picture_area.hpp"
#include "device/past_store.hpp"
#include "protocol/roster.hpp"
#include "stream/capture/received_challenges.hpp"
#include "stream/publish/picture_use.hpp"

namespace sealcam::stream {

using protocol::Counter;
using protocol::Epoch;

/// A camera notices a lost connection late. Therefore the newest sealed frames are also kept in memory while a hub
/// records, and are stored when the connection ends. Reports and stills are among them, so that the counters have no
/// gap. A hub counts as recording for `recording_time` after its last request of the kind record or motion; the camera
/// remembers this in memory only.
///
/// A card may be slow, and the same thread serves the network. So the card is busy for a tenth of the time at most,
/// except for deletions, and for the frames of an outage before the memory is emptied. While the card is too slow, the
/// oldest groups in memory are lost.
///
/// Stored frames leave the camera in answers to requests of the kind past only. The store's content is deleted when
/// privacy or a mask changes, and per epoch when a hub that has a grant of the epoch is not active any more. Without a
/// store, this class does nothing. Allocates nothing per frame after the first request. Thread-bound.
class PastFrames {
 public:
  static constexpr std::chrono::seconds recording_time{60};
  static constexpr std::chrono::seconds memory_time{20};  ///< longer than a client needs to notice a lost connection
  static constexpr std::size_t min_memory = 1U << 20, max_memory = 16U << 20;  ///< bytes
  static constexpr std::size_t max_frames = 2048;                              ///< in memory
  static constexpr std::chrono::seconds min_write_interval{1};
  static constexpr std::chrono::seconds max_write_interval{4};
  static constexpr int rest_factor = 9;  ///< after an access to the card, it rests for this multiple of the time
  /// Of the rate at which the camera sends its pictures.
  static constexpr unsigned rate_divisor = 4;
  static constexpr std::chrono::seconds request_time{30};  ///< a hub repeats its request until it has the frames
  static constexpr std::chrono::seconds grants_time{5};    ///< between two publications of the same grants
  static constexpr std::chrono::seconds large_time{10};    ///< between two messages that are larger than `max_size`

  /// `store` may be null. All references must outlive the object.
  PastFrames(device::PastStore* store, const Clock& clock, Log& log, const protocol::Route& route);

  /// Of the frames that are encoded with these masks. Errors: crypto.
  [[nodiscard]] static Result<crypto::Digest> digest_of(const FewAreas& masks);

  /// Loads what an earlier run stored. Errors: crypto.
  [[nodiscard]] Result<> load(const crypto::PublicKey& camera);
  /// Deletes the epochs with a grant for a hub that is not active. The current epoch ends: what is kept of it is stored
  /// if all its hubs remain active.
  void set_roster(const protocol::Roster& roster);
  /// Deletes everything.
  void clear();
  /// Deletes everything that was encoded with other masks, also by an earlier run.
  void set_masks(const FewAreas& masks);
  /// The highest bitrate of the pictures, which decides how much memory they need.
  void set_bitrate(BitsPerSecond bitrate) noexcept;
  /// The camera seals with another key from now on. `grants` is the message.
  void begin_epoch(Epoch epoch, ByteView grants, const protocol::Roster& roster);

  /// A hub sent a request of the kind record or motion.
  void on_recording(PictureUse use, MonotonicTime now) noexcept {
    (use == PictureUse::record ? record_ : motion_) = now;
    renewed_ = false;
  }
  /// The hubs that record need some seconds to come back. Therefore the camera also keeps what it seals until the first
  /// lease for a recording, but for `recording_time` at most.
  void on_connected();
  void on_lease(Lease lease) {
    if (until_ && (lease == Lease::record || (lease == Lease::motion && keeping_ == PictureUse::motion))) end_keeping();
  }
  void on_disconnected();
  /// The camera stops.
  void stop() { store_due(); }
  /// What the camera keeps while it is not connected, and for a short time after that: `record`, `motion`, or nothing.
  [[nodiscard]] std::optional<PictureUse> keeping() const noexcept { return keeping_; }
  /// A frame of the current epoch was sealed. `key`: a key frame of the video.
  void add(Counter counter, bool key, ByteView message);
  /// Stores what has waited long enough, and frees deleted files. Call this about ten times a second.
  void tick();

  /// What a report for this hub lists: nothing before its first request(). A hub of an earlier version rejects reports
  /// with a list.
  [[nodiscard]] std::vector<protocol::PastRange> listed(const DeviceId& hub) const {
    return store_ == nullptr || !requesters_.contains(hub) ? std::vector<protocol::PastRange>() : store_->ranges();
  }
  /// The request of a hub on the roster. It replaces the earlier one of the hub.
  void request(const DeviceId& hub, const std::vector<protocol::PastRange>& ranges);
  /// The next message to publish, at most at a quarter of `rate`. Empty if there is none now, or if it is larger than
  /// `max_size` and such a message was sent less than `large_time` ago. Valid until the next call. Goes upward from the
  /// last message and then begins again, so that no hub keeps the others from their frames.
  [[nodiscard]] ByteView next(BitsPerSecond rate, std::size_t max_size);
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return store_ == nullptr ? 0 : store_->bytes(); }

 private:
  struct Frame {
    Counter counter;
    bool key = false;
    MonotonicTime sealed;
    std::size_t offset = 0, size = 0;
  };
  struct Request {
    DeviceId hub;
    MonotonicTime until;
    protocol::PastRange range;  ///< what is left of it
  };
  [[nodiscard]] bool recording(MonotonicTime now) const noexcept;
  void drop_until(std::size_t frame);
  void drop_old(MonotonicTime now);
  void drop_group();
  void end_keeping();
  void store();
  /// Of an outage, so that frames in memory must not be lost.
  [[nodiscard]] bool due() const noexcept { return keeping_ || store_due_; }
  /// Also while the card rests: the memory is about to be emptied.
  void store_due() {
    if (due()) store();
  }
  /// Unless the card rests. Returns whether it does.
  bool try_store() {
    if (resting()) return false;
    store();
    return true;
  }
  [[nodiscard]] bool resting() const { return clock_.monotonic() < rest_until_; }
  /// Access to the card.
  template <class Call>
  auto timed(Call call) {
    const MonotonicTime begin = clock_.monotonic();
    auto result = call();
    const MonotonicTime end = clock_.monotonic();
    rest_until_ = end + rest_factor * (end - begin);
    return result;
  }
  void remove(std::span<const Epoch> epochs);
  void forget_memory() noexcept;
  void log(const Result<>& deleted);
  [[nodiscard]] bool prepare(MonotonicTime now);
  [[nodiscard]] Result<bool> read(Epoch epoch, Counter from, Counter last);

  device::PastStore* store_;
  const Clock& clock_;
  Log& log_;
  protocol::Route route_;
  RateLimit log_limit_{std::chrono::minutes(1)};
  std::map<Epoch, std::vector<DeviceId>> hubs_;  ///< with a grant of the epoch
  std::optional<MonotonicTime> record_, motion_;
  bool renewed_ = false;  ///< a connection without a request counted as one
  MonotonicTime rest_until_;
  bool store_due_ = false;  ///< the card rested when the connection came back
  std::optional<PictureUse> keeping_;
  std::optional<MonotonicTime> until_;  ///< the connection is back

  std::optional<crypto::Digest> digest_;
  std::optional<Epoch> epoch_;
  std::vector<DeviceId> granted_hubs_;  ///< of `epoch_`
  std::size_t memory_ = min_memory;
  Bytes grants_, arena_;
  std::vector<Frame> frames_;                ///< in `arena_`, ascending
  std::vector<device::PastFrame> to_store_;  ///< used by store()
  MonotonicTime stored_;

  std::vector<Request> requests_;
  std::set<DeviceId> requesters_;    ///< hubs of the roster that sent a request since the start
  std::pair<Epoch, Counter> place_;  ///< after the last message
  std::optional<Epoch> granted_;     ///< its grants were sent at `granted_at_`
  MonotonicTime granted_at_;
  bool requested_again_ = false;  ///< after that
  MonotonicTime next_;            ///< earliest time of the next message
  std::optional<MonotonicTime> large_sent_;
  Bytes message_;
  bool ready_ = false;  ///< `message_` is to be sent
  std::uint64_t sent_ = 0;
};

}  // namespace sealcam::stream
