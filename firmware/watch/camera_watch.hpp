// SPDX-License-Identifier: Apache-2.0
/// One camera as one hub receives it.
#pragma once

#include <memory>

#include "device/hub_stores.hpp"
#include "protocol/roster.hpp"
#include "protocol/status.hpp"
#include "watch/epochs.hpp"
#include "watch/frame_sink.hpp"
#include "watch/freshness.hpp"
#include "watch/membership.hpp"
#include "watch/reported_state.hpp"
#include "watch/verify_pool.hpp"
#include "watch/view_requester.hpp"

namespace sealcam::watch {

/// Checks route, signature, AEAD, order and freshness of a camera's messages, requests pictures, and detects clones.
///
/// A detected clone stays blocked while the hub runs. After a reset the camera has new keys, so the hub regards it as
/// another camera. After a restart the hub needs a new proof. Thread-bound to the network thread.
class CameraWatch {
 public:
  static constexpr std::chrono::seconds answer_timeout{20};  ///< then the camera is OFFLINE
  /// While a viewer watches; a camera regards a hub as recording for a minute after such a request.
  static constexpr std::chrono::seconds recording_interval{20};
  static constexpr std::chrono::hours removed_for{24};  ///< time for which the hub reports its removal

  /// `max_counter`: the stored one of device::MaxEpochStore, or 0.
  CameraWatch(CameraDependencies& deps, const protocol::Route& route, std::uint32_t max_counter);
  CameraWatch(const CameraWatch&) = delete;
  CameraWatch& operator=(const CameraWatch&) = delete;
  ~CameraWatch();

  /// Applies a verified roster that is newer than the last one. `message`: its encoding. Errors: crypto,
  /// malformed (the camera's key).
  [[nodiscard]] Result<> on_roster(const protocol::Roster& roster, const RosterMark& mark, ByteView message);
  void on_roster_conflict();
  void on_grants(ByteView message);
  void on_status(ByteView message);
  /// Handles a message from the topic `video` or `still`.
  void on_frame(ByteView message, bool retained);
  /// Handles a message from the topic `past`.
  void on_past(ByteView message) {
    if (const auto reason = blocked()) return counters_.rejected.add(*reason);
    past_.on_message(message, epochs_, camera_keys_);
  }
  void reject_control(RejectReason rejection) noexcept { counters_.rejected_control.add(rejection); }
  void count_overload() noexcept { ++counters_.overload; }

  /// What the hub requests from now on: `live` while a viewer watches, else `record` or `motion` for its recordings, or
  /// nothing.
  void set_requested(std::optional<protocol::RequestKind> kind);
  /// `record` or `motion` if the hub records the camera, also while a viewer watches. Then one of twenty requests has
  /// this kind, so that the camera keeps its pictures while it has no broker.
  void set_recorded(std::optional<protocol::RequestKind> kind) noexcept { recorded_kind_ = kind; }
  /// Requests the camera to close or to open its sensor. See ViewRequester::begin_privacy().
  /// Errors: permission (the roster does not allow it), connection.
  [[nodiscard]] Result<> switch_privacy(bool on) {
    if (!membership_.may_switch_privacy() || cloned_)
      return fail(Errc::permission, "this hub is not permitted to switch the camera's privacy");
    if (!requester_.connected()) return fail(Errc::connection, "not connected to the broker");
    requester_.begin_privacy(on, epochs_);
    report_state();
    return {};
  }
  /// The connection is back: sends requests at once.
  void on_connected() {
    past_.on_connected();
    ViewRequester::make_due(epochs_);
    request_due();
  }
  /// The connection ended. Returns true if the broker seems to reject the subscription of kept frames.
  bool on_disconnected() { return past_.on_disconnected(); }
  /// Sends due requests, drops held frames that are too old, reports the state. Call this at least ten times a second.
  void tick();

  [[nodiscard]] CameraStatus status() const;
  [[nodiscard]] bool member() const noexcept { return membership_.member(); }
  /// The newest roster lists this hub, as active or as suspended.
  [[nodiscard]] bool listed() const noexcept { return membership_.member() || membership_.suspended(); }
  [[nodiscard]] const crypto::PublicKey& key() const noexcept { return key_; }

 private:
  [[nodiscard]] std::optional<RejectReason> blocked() const noexcept;
  [[nodiscard]] Result<EpochState> open_epoch(const protocol::Grants& grants) {
    return watch::open_epoch(grants, route_, deps_.keys, deps_.prekeys, requester_.challenges().next(),
                             recorded_.needs_keys());
  }
  void on_closed_grants(const protocol::Grants& grants);
  void on_checked(FrameCheck& frame);
  void on_closed(const FrameCheck& frame);
  void on_report(const EpochState& epoch, const FrameCheck& frame);
  void on_cloned(Epoch epoch, Epoch other);
  void report_cloned();
  void on_accepted(EpochState& epoch, StreamOrder::Verdict verdict, const FrameCheck& frame);
  void accept_echo(EpochState& epoch, const FrameCheck& frame);
  void promote(EpochState& epoch, ChallengeSerial echoed);
  /// Also of a candidate, because a camera without a viewer gets no current epoch. The camera signed name and software
  /// report, and a broker that delivers older grants cannot bring older ones back.
  void take_name(const EpochState& epoch) {
    const auto counter = EpochSet::counter_of(epoch.epoch);
    if (counter < name_counter_) return;
    name_counter_ = counter;
    name_ = epoch.camera_name;
    software_ = epoch.software;
  }
  void hand_out(EpochState& epoch, PictureInfo picture, ByteView access_unit) {
    epoch.shown = true;
    shown_.hand_out(epoch.epoch, &epoch == epochs_.current(), std::move(picture), access_unit, counters_);
  }
  [[nodiscard]] bool may_show(const EpochState& epoch) const noexcept {
    return epochs_.current() != nullptr ? &epoch == epochs_.current() : &epoch == epochs_.preferred();
  }
  void submit(std::unique_ptr<FrameCheck> frame) {
    counters_.overload += deps_.checker.submit(queue_, std::move(frame));
  }
  void submit_excess();
  void forget();
  void request_due();
  [[nodiscard]] bool unanswered(BootTime now) const noexcept {
    return requested_ && answered_ && now - *answered_ > answer_timeout;
  }
  [[nodiscard]] CameraState state(BootTime now) const;
  [[nodiscard]] Reason reason(CameraState state, BootTime now) const;
  void report_state();

  CameraDependencies& deps_;
  protocol::Route route_;
  VerificationQueue queue_;
  crypto::PublicKey key_;
  std::shared_ptr<const CameraKeys> camera_keys_;
  Membership membership_;
  bool cloned_ = false;
  /// The camera's epoch counter went back. Challenges from this serial on were made after the proof.
  std::optional<ChallengeSerial> restored_;
  std::optional<protocol::RequestKind> requested_, recorded_kind_;
  BootTime requested_since_;
  EpochSet epochs_;
  CloneDetector clones_;
  ViewRequester requester_;
  HeldFrames held_;
  RateLimit cloned_log_limit_{std::chrono::hours(1)};
  ShownPictures shown_;
  FrameForwarder recorded_;
  std::optional<BootTime> answered_;     ///< last echo of this hub's challenge, or start of the requests
  std::optional<BootTime> newest_echo_;  ///< time at which the newest echoed challenge was made
  ReportedState reported_state_;
  std::optional<BootTime> status_request_;  ///< last time at which a status caused a request
  std::optional<Counter> last_still_;
  std::string name_;
  std::shared_ptr<const protocol::SoftwareReport> software_;
  std::uint32_t name_counter_ = 0;  ///< of the epoch whose grants contained the name
  CameraCounters counters_;
  std::optional<CameraStatus> reported_;
  PastReceiver past_;  // last: it uses the members above
};

}  // namespace sealcam::watch
