// SPDX-License-Identifier: Apache-2.0
/// What a hub records: the accepted frames of one camera.
#pragma once

#include <memory>

#include "device/hub_stores.hpp"
#include "watch/epochs.hpp"
#include "watch/verify_pool.hpp"

namespace sealcam::watch {

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
  /// The epoch became current.
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

}  // namespace sealcam::watch
