// SPDX-License-Identifier: Apache-2.0
/// What a hub records: the accepted frames of one camera, and frames that the camera kept while it had no broker.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "device/hub_stores.hpp"
#include "protocol/frame.hpp"
#include "watch/epochs.hpp"
#include "watch/verify_pool.hpp"

namespace sealcam::watch {

class ViewRequester;
struct CameraDependencies;

/// The Watcher calls this on the network thread.
class FrameSink {
 public:
  enum class End : std::uint8_t {
    removed,    ///< the newest roster does not list this hub
    suspended,  ///< the newest roster suspends this hub
    cloned,     ///< two devices use the camera's identity
  };

  /// An accepted frame of the camera's current epoch, of any kind. `frame.message` is valid during the call. The object
  /// `epoch` is the same for all frames of the epoch. `playable` is false for reports, stills, and frames in a wrong
  /// order: no player needs them, but they are not lost.
  virtual void on_frame(const std::shared_ptr<const device::RecordedEpoch>& epoch, const FrameCheck& frame,
                        bool playable) = 0;
  /// The hub accepts no more frames of the camera.
  virtual void on_end(const DeviceId& camera, End why) = 0;

  /// The camera keeps these frames, and no others. Called when the list changes, at most once in 5 s for a camera, and
  /// about once a minute with the same list, because the sink may have forgotten it.
  virtual void on_past_listed(const DeviceId& /*camera*/, const std::vector<protocol::PastRange>& /*ranges*/) {}
  /// A verified frame of any kind that the camera kept, and that the hub requested. It may have been recorded before.
  virtual void on_past_frame(const std::shared_ptr<const device::RecordedEpoch>& /*epoch*/,
                             const FrameCheck& /*frame*/) {}
  /// The frames that the hub requests, of those that the camera listed: at most PastRange::max ranges, ascending.
  [[nodiscard]] virtual std::vector<protocol::PastRange> past_gaps(const DeviceId& /*camera*/) { return {}; }

 protected:
  ~FrameSink() = default;
};

/// Passes the frames of one camera to a sink. Without a sink it does nothing and keeps no keys. Thread-bound.
class FrameForwarder {
 public:
  FrameForwarder(FrameSink* sink, const crypto::PublicKey& owner) : sink_(sink), owner_(owner) {}
  /// Whether EpochState must keep the base key.
  [[nodiscard]] bool needs_keys() const noexcept { return sink_ != nullptr; }
  /// The newest roster.
  void set_roster(ByteView message) {
    if (sink_ != nullptr) roster_.assign(message.begin(), message.end());
  }
  /// The grants of a new epoch.
  static void set_grants(EpochState& epoch, ByteView message) {
    if (epoch.recorded) epoch.recorded->grants.assign(message.begin(), message.end());
  }
  /// The epoch became current, or is one of the past.
  void begin(EpochState& epoch) {
    if (!epoch.recorded) return;
    epoch.recorded->owner = owner_;
    epoch.recorded->roster = roster_;
  }
  /// `current`: the camera's current epoch, or null. Frames of other epochs are not passed on.
  void forward(const EpochState* current, const FrameCheck& frame, bool playable) {
    if (sink_ != nullptr && current != nullptr && current->recorded && current->epoch == frame.frame->epoch)
      sink_->on_frame(current->recorded, frame, playable);
  }
  void end(const DeviceId& camera, FrameSink::End why) {
    if (sink_ != nullptr) sink_->on_end(camera, why);
  }

 private:
  FrameSink* sink_;
  crypto::PublicKey owner_;
  Bytes roster_;
};

/// The topic `past` of one camera. Its frames go to the sink only, after the checks of signature, epoch and AEAD. They
/// are never shown, their echoes have no meaning, and their epochs never become candidates. Accepts only what the
/// newest request named, so that neither a broker nor the camera can bring other old frames. Without a sink it rejects
/// everything.
///
/// Subscribes to the topic when a camera lists frames. A broker with an older access list may end the connection then.
/// After two such ends, the hub makes a pause, so that it can show live pictures.
///
/// A camera lists frames for a hub only after a request of the kind past, because hubs of earlier versions reject such
/// reports. Therefore the hub sends one in each epoch, for the epoch 0, which does not exist. Thread-bound.
class PastReceiver {
 public:
  static constexpr std::chrono::seconds list_interval{5};                  ///< between two lists for the sink
  static constexpr std::chrono::seconds repeat_interval{60};               ///< between two lists that are the same
  static constexpr std::chrono::seconds min_interval{2}, max_interval{8};  ///< between requests
  static constexpr std::chrono::milliseconds grants_interval{200};         ///< between checks of grants
  static constexpr std::chrono::seconds rejection_time{2};  ///< a connection that ends sooner was ended by the broker
  static constexpr int max_rejections = 2;
  static constexpr std::chrono::minutes rejection_pause{30};

  /// All references must outlive the object.
  PastReceiver(const CameraDependencies& deps, const protocol::Route& route, FrameForwarder& forwarder,
               CameraCounters& counters);
  PastReceiver(const PastReceiver&) = delete;
  PastReceiver& operator=(const PastReceiver&) = delete;
  ~PastReceiver();

  /// A message from the topic. The hub is a member.
  void on_message(ByteView message, EpochSet& epochs, const std::shared_ptr<const CameraKeys>& camera);
  /// A verified report of the current epoch that echoes a challenge of this hub.
  void on_report(const protocol::Report& report);
  /// Passes a new list to the sink, subscribes, and requests gaps, if that is due. Requires a connection. `recorded`:
  /// the hub records the camera.
  void request_due(ViewRequester& requester, EpochSet& epochs, bool recorded);
  void on_connected();
  /// Returns true if the broker seems to reject the subscription.
  bool on_disconnected();
  /// Deletes keys and lists, and ends the subscription.
  void clear();

 private:
  struct Known {
    std::shared_ptr<const device::RecordedEpoch> recorded;
    std::shared_ptr<const crypto::sframe::OpeningKey> key;
  };
  [[nodiscard]] bool requested(Epoch epoch) const noexcept;
  [[nodiscard]] bool requested(Epoch epoch, Counter counter) const noexcept;
  void on_grants(ByteView message, const CameraKeys& camera);
  void on_checked(FrameCheck& frame);
  void subscribe(BootTime now);
  void announce(ViewRequester& requester, Epoch current, BootTime now);
  void unsubscribe();

  const CameraDependencies& deps_;
  protocol::Route route_;
  FrameForwarder& forwarder_;
  CameraCounters& counters_;
  VerificationQueue queue_;
  std::vector<protocol::PastRange> listed_;
  bool subscribed_ = false;
  BootTime subscribed_at_;  ///< or the connection that renews the subscription
  int rejections_ = 0;
  BootTime next_subscription_;
  std::optional<Epoch> announced_;
  BootTime next_announcement_;
  bool changed_ = false;  ///< the sink does not know `listed_`
  BootTime next_list_;
  std::map<Epoch, Known> known_;  ///< of the epochs in `requested_`
  std::set<Epoch> unopened_;      ///< listed epochs whose grants this hub cannot open
  std::optional<BootTime> grants_checked_;
  std::vector<protocol::PastRange> requested_;
  BootTime next_request_;
  std::chrono::seconds interval_ = min_interval;
};

}  // namespace sealcam::watch
