// SPDX-License-Identifier: Apache-2.0
/// Connects the watcher to the recorder, for the cameras whose mode is not off.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>

#include "device/device_state.hpp"
#include "hub/app.hpp"
#include "recordings/file_archive.hpp"
#include "watch/camera_watch.hpp"

namespace sealcam::hub {

/// The folders of a hub's recordings.
struct RecordingFolders {
  std::filesystem::path recordings;
  std::filesystem::path index;  ///< a file
  std::filesystem::path keys;

  RecordingFolders(const RecordingSettings& settings, const std::filesystem::path& state);
};

/// Thread-bound to the network thread, except archive().
class Recording final : public watch::FrameSink {
 public:
  /// A picture of a recorded camera with the mark of motion arrived, at this time by the hub's wall clock.
  using OnMotion = std::function<void(const DeviceId&, CaptureTime)>;

  /// Makes the default folder, the archive key, its copy for the owner, and the index. A folder that the settings name
  /// must exist, because it may be a disk that is not mounted. A damaged index is built again. All references must
  /// outlive the object. Errors: not_found, permission, io, malformed (the archive key), crypto.
  [[nodiscard]] static Result<std::unique_ptr<Recording>> open(const RecordingSettings& settings,
                                                               const device::DeviceState& state,
                                                               const crypto::PublicKey& owner, const Clock& clock,
                                                               Log& log, OnMotion on_motion);

  /// Returns true if the camera is new and must be recorded.
  bool note_camera(const DeviceId& camera);
  /// The camera cannot detect motion. Returns true for the first time, if the hub records its motion.
  bool note_undetected(const DeviceId& camera) {
    const auto found = recorded_.find(camera);
    return found != recorded_.end() && found->second == protocol::RequestKind::motion &&
           undetected_.insert(camera).second;
  }
  /// Known cameras that are recorded, with the kind of the hub's requests.
  [[nodiscard]] const std::map<DeviceId, protocol::RequestKind>& recorded() const noexcept { return recorded_; }
  [[nodiscard]] recordings::Archive& archive() noexcept { return archive_; }
  [[nodiscard]] recordings::Status status() const { return recorder_.status(); }

  Recording(const RecordingSettings& settings, const RecordingFolders& folders, recordings::KeyFolder keys,
            std::unique_ptr<recordings::Index> index, const device::DeviceState& state, const AccountId& account,
            const Clock& clock, Log& log, OnMotion on_motion);

 private:
  void on_frame(const std::shared_ptr<const device::RecordedEpoch>& epoch, const watch::FrameCheck& frame,
                bool playable) override;
  void on_end(const DeviceId& camera, End why) override;
  void on_past_listed(const DeviceId& camera, const std::vector<protocol::PastRange>& ranges) override;
  void on_past_frame(const std::shared_ptr<const device::RecordedEpoch>& epoch,
                     const watch::FrameCheck& frame) override;
  [[nodiscard]] std::vector<protocol::PastRange> past_gaps(const DeviceId& camera) override {
    return recorder_.past_gaps(camera);
  }

  const RecordingSettings& settings_;
  const Clock& clock_;
  OnMotion on_motion_;
  recordings::KeyFolder keys_;
  std::unique_ptr<recordings::Index> index_;
  recordings::Recorder recorder_;
  recordings::FileArchive archive_;
  std::set<DeviceId> known_, undetected_;
  std::map<DeviceId, protocol::RequestKind> recorded_;
};

}  // namespace sealcam::hub
