// SPDX-License-Identifier: Apache-2.0
/// One camera as one hub sees it: route, signature, AEAD, order, freshness; asks; what waits and what is held; whether
/// two devices live with its identity. That is remembered as long as the hub runs: the only cure are new keys, with
/// which the camera is another one here. A hub that is restarted needs a new proof before it refuses both again.
/// Thread-bound to the network thread.
#pragma once

#include <deque>

#include "core/log.hpp"
#include "protocol/roster.hpp"
#include "protocol/topic.hpp"
#include "transport/mqtt.hpp"
#include "watch/clone_watch.hpp"
#include "watch/epoch_set.hpp"
#include "watch/frame_checker.hpp"
#include "watch/freshness.hpp"
#include "watch/picture_cache.hpp"
#include "watch/picture_sink.hpp"
#include "watch/stores.hpp"

namespace sealcam::watch {

/// What all cameras of a hub share; everything outlives them.
struct WatchContext {
  crypto::DeviceKeys keys;
  transport::MqttClient* client = nullptr;  ///< null until there is one
  FrameChecker& checker;
  AskSequence& sequence;
  const Clock& clock;
  Log& log;
  PictureSink& sink;
  PictureCache& cache;
};

class CameraWatch {
 public:
  static constexpr std::chrono::seconds ask_interval{1};
  static constexpr std::chrono::seconds waiting_time{1};  ///< frames for their grants
  static constexpr std::size_t waiting_bytes = 2U << 20;
  static constexpr std::chrono::seconds unanswered_for{20};    ///< then OFFLINE
  static constexpr std::chrono::seconds replaced_interval{2};  ///< between two asks of replaced epochs
  static constexpr std::chrono::seconds wish_patience{10};     ///< for a status that says that privacy was switched
  static constexpr std::chrono::minutes clock_tolerance{1};
  static constexpr std::chrono::hours removed_for{24};  ///< a hub that was taken off the roster says so

  CameraWatch(WatchContext& context, const protocol::Route& route);
  CameraWatch(const CameraWatch&) = delete;
  CameraWatch& operator=(const CameraWatch&) = delete;
  ~CameraWatch();

  /// A verified roster that is newer than the one before. Errors: crypto, malformed (the camera's key).
  [[nodiscard]] Result<> on_roster(const protocol::Roster& roster);
  void on_roster_conflict();
  void on_grants(ByteView message);
  void on_status(ByteView message);
  /// From `video` or `still`.
  void on_frame(ByteView message, bool retained);
  void refuse_control(Refusal refusal) noexcept { counters_.refused_control.add(refusal); }
  void count_overload() noexcept { ++counters_.overload; }

  void set_wanted(bool wanted);
  /// Asks the camera to close its sensor or to open it, each second until its status says so, for at most
  /// wish_patience; a newer wish takes the place of an older one. Errors: permission (the roster does not allow it),
  /// connection.
  [[nodiscard]] Result<> switch_privacy(bool on);
  /// Asks at once: the connection is back.
  void on_connected();
  /// Asks that are due, waiting frames that are too old, the state. At least ten times a second.
  void tick();

  [[nodiscard]] CameraStatus status() const;
  [[nodiscard]] bool member() const noexcept { return member_; }
  [[nodiscard]] const crypto::PublicKey& key() const noexcept { return key_; }

 private:
  void on_checked(FrameCheck& frame);
  void on_closed(const FrameCheck& frame);
  void on_cloned(const ReplacedEpoch& replaced);
  void say_cloned();
  void on_accepted(EpochState& epoch, StreamOrder::Verdict verdict, const FrameCheck& frame);
  void take_echo(EpochState& epoch, const FrameCheck& frame);
  void promote(EpochState& epoch, ChallengeSerial echoed);
  void hand_out(EpochState& epoch, PictureInfo picture, ByteView access_unit);
  [[nodiscard]] bool may_show(const EpochState& epoch) const noexcept;
  void submit(std::unique_ptr<FrameCheck> frame);
  void hold_for_grants(std::unique_ptr<FrameCheck> frame);
  void release_waiting(Epoch epoch);
  void give_up_waiting();
  void forget();
  void ask_due();
  void ask_replaced(MonotonicTime now);
  void ask_privacy(MonotonicTime now);
  void ask(Epoch epoch, MonotonicTime now, protocol::Want want = protocol::Want::live);
  void ask_all_now() noexcept;
  [[nodiscard]] CameraState state(MonotonicTime now) const;
  [[nodiscard]] Reason reason(CameraState state, MonotonicTime now) const;
  void judge_clock(const PictureInfo& picture);
  void report_state();

  WatchContext& context_;
  protocol::Route route_;
  Lane lane_;
  crypto::PublicKey key_;
  std::shared_ptr<const CameraKeys> camera_keys_;
  bool member_ = false;
  bool suspended_ = false;                ///< listed, but not active
  std::optional<MonotonicTime> removed_;  ///< when we were last taken off the roster
  bool cloned_ = false;
  bool roster_conflict_ = false;
  bool wanted_ = false;
  RosterVersion roster_version_;
  struct PrivacyWish {
    bool on = false;
    MonotonicTime until;
    MonotonicTime next_ask;
  };
  bool may_switch_privacy_ = false;
  std::optional<CaptureTime> privacy_;  ///< its sensor is closed; when we first heard so
  std::optional<PrivacyWish> wish_;
  std::optional<bool> wish_failed_;
  EpochSet epochs_;
  CloneWatch clones_;
  MonotonicTime next_replaced_ask_;
  RateLimit cloned_log_{std::chrono::hours(1)};
  std::optional<Epoch> shown_epoch_;
  ChallengeBook challenges_;
  Freshness freshness_;
  std::optional<MonotonicTime> answered_;     ///< last own echo, or when the asking began
  std::optional<MonotonicTime> newest_echo_;  ///< when the newest challenge that came back was made
  std::optional<bool> says_online_;
  std::optional<MonotonicTime> nudged_;  ///< when a status last made us ask at once
  std::optional<PictureInfo> newest_;
  std::optional<std::chrono::seconds> clock_ahead_;  ///< camera's clock before ours, by the newest LIVE picture
  std::optional<Counter> last_still_;
  std::string name_;
  std::deque<std::unique_ptr<FrameCheck>> waiting_;
  std::size_t waiting_bytes_ = 0;
  CameraCounters counters_;
  std::optional<CameraStatus> reported_;
};

/// Maps an error of a message's decoder to the reason that is counted.
[[nodiscard]] Refusal to_refusal(const Error& error) noexcept;

}  // namespace sealcam::watch
