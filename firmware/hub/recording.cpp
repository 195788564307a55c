// SPDX-License-Identifier: Apache-2.0
#include "hub/recording.hpp"

namespace sealcam::hub {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t gib = std::uint64_t{1} << 30;
constexpr std::uint64_t mib = std::uint64_t{1} << 20;

recordings::RecorderConfig config_of(const RecordingSettings& settings, const RecordingFolders& folders) {
  return {.folder = folders.recordings,
          .quota = static_cast<std::uint64_t>(settings.max_gib) * gib,
          .max_age = std::chrono::days(settings.max_days),
          .reserve = static_cast<std::uint64_t>(settings.reserve_mib) * mib};
}

/// A camera keeps frames for no longer, as its quota is bounded.
constexpr std::chrono::days max_kept{60};

/// The place on the timeline of a frame that its camera kept: the capture time, or the time of the arrival if the
/// capture time cannot be.
CaptureTime place_of(CaptureTime captured, CaptureTime now) {
  return captured <= now && captured.since_epoch >= now.since_epoch - max_kept ? captured : now;
}

}  // namespace

RecordingFolders::RecordingFolders(const RecordingSettings& settings, const fs::path& state)
    : recordings(settings.folder.empty() ? state / "recordings" : settings.folder),
      index(state / "recordings.db"),
      keys(state / "recording-keys") {}

Result<std::unique_ptr<Recording>> Recording::open(const RecordingSettings& settings, const device::DeviceState& state,
                                                   const crypto::PublicKey& owner, const Clock& clock, Log& log,
                                                   OnMotion on_motion) {
  const RecordingFolders folders(settings, state.files().folder);
  auto keys = recordings::KeyFolder::open(folders.keys, recordings::KeyFolder::Create::yes);
  if (!keys) return std::unexpected(keys.error());
  if (auto r = keys->seal_to(owner); !r)
    log.warning("recordings: the owner cannot open a backup of the keys: {}", to_string(r.error()));
  if (std::error_code ec; settings.folder.empty() && !fs::exists(folders.recordings, ec)) {
    if (auto r = make_private_folder(folders.recordings); !r) return std::unexpected(r.error());
    fs::remove(keys->marker_path(), ec);  // a person deleted the folder
  }
  auto index = recordings::Index::open(folders.index);
  if (!index && index.error().code == Errc::malformed) {
    log.warning("recordings: {}; building it again", to_string(index.error()));
    if (auto r = recordings::Index::delete_files(folders.index); !r) return std::unexpected(r.error());
    index = recordings::Index::open(folders.index);
  }
  if (!index) return std::unexpected(index.error());
  return std::make_unique<Recording>(settings, folders, std::move(*keys), std::move(*index), state, owner.account(),
                                     clock, log, std::move(on_motion));
}

Recording::Recording(const RecordingSettings& settings, const RecordingFolders& folders, recordings::KeyFolder keys,
                     std::unique_ptr<recordings::Index> index, const device::DeviceState& state,
                     const AccountId& account, const Clock& clock, Log& log, OnMotion on_motion)
    : settings_(settings),
      clock_(clock),
      on_motion_(std::move(on_motion)),
      keys_(std::move(keys)),
      index_(std::move(index)),
      recorder_(config_of(settings, folders), {*index_, keys_, state.keys().identity, account, clock, log}),
      archive_(folders.recordings, account, *index_, &keys_, &recorder_) {
  for (const auto& [camera, mode] : settings.cameras) (void)note_camera(camera);
}

bool Recording::note_camera(const DeviceId& camera) {
  if (!known_.insert(camera).second) return false;
  const auto mode = settings_.mode_of(camera);
  if (mode == recordings::Mode::off) return false;
  const bool all = mode == recordings::Mode::continuous;
  recorded_.emplace(camera, all ? protocol::RequestKind::record : protocol::RequestKind::motion);
  std::vector<std::pair<DeviceId, recordings::Mode>> modes;
  modes.reserve(recorded_.size());
  for (const auto& [id, kind] : recorded_) modes.emplace_back(id, settings_.mode_of(id));
  recorder_.set_modes(std::move(modes));
  return true;
}

void Recording::on_frame(const std::shared_ptr<const device::RecordedEpoch>& epoch, const watch::FrameCheck& frame,
                         bool playable) {
  if (settings_.mode_of(epoch->route.camera) == recordings::Mode::off) return;
  // The frame waited for its check.
  const auto waited = std::chrono::duration_cast<std::chrono::microseconds>(clock_.boot() - frame.received);
  const CaptureTime received{clock_.wall().since_epoch - waited};
  const bool motion = playable && frame.header.motion;
  recorder_.add({.epoch = epoch,
                 .kind = frame.frame->kind,
                 .counter = frame.frame->counter,
                 .message = frame.message,
                 .received = received,
                 .mark = {frame.header.captured, motion},
                 .stored = playable});
  // Also while the disk is full: other programs then still receive the event.
  if (motion) on_motion_(epoch->route.camera, received);
}

void Recording::on_past_listed(const DeviceId& camera, const std::vector<protocol::PastRange>& ranges) {
  if (settings_.mode_of(camera) == recordings::Mode::off) return;
  recorder_.list_past(camera, ranges);
}

// No event goes to other programs: the motion is over.
void Recording::on_past_frame(const std::shared_ptr<const device::RecordedEpoch>& epoch,
                              const watch::FrameCheck& frame) {
  const auto& camera = epoch->route.camera;
  if (settings_.mode_of(camera) == recordings::Mode::off) return;
  const auto captured = frame.header.captured;
  recorder_.add_past({.epoch = epoch,
                      .kind = frame.frame->kind,
                      .counter = frame.frame->counter,
                      .message = frame.message,
                      .time = place_of(captured, clock_.wall()),
                      .mark = {captured, frame.header.motion}});
}

void Recording::on_end(const DeviceId& camera, End why) {
  switch (why) {
    case End::removed: return recorder_.end(camera, recordings::EndReason::removed);
    case End::suspended: return recorder_.end(camera, recordings::EndReason::stopped);  // until the owner resumes it
    case End::cloned: return recorder_.end(camera, recordings::EndReason::cloned);
  }
}

}  // namespace sealcam::hub
