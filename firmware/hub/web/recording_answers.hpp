// SPDX-License-Identifier: Apache-2.0
/// The answers of the API of recordings. firmware/docs/hub-api.md lists the fields. The functions read the disk and are
/// reentrant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hub/web/recording_request.hpp"

namespace sealcam::hub::web {

/// The hub's view of a camera, which the network thread copies for the thread that reads.
struct KnownCamera {
  DeviceId id;
  std::string name;
  bool listed = false;
  bool suspended = false;
};
using KnownCameras = std::vector<KnownCamera>;
[[nodiscard]] KnownCameras known_cameras(const std::vector<watch::CameraStatus>& cameras);

/// The camera of a request, by the rules of select_device(), among the known cameras and those with recordings. An id
/// is accepted without a look at the recordings. Errors: not_found, conflict, permission (the owner suspended this
/// hub's integration, so it shows no picture of the camera, old or new), io.
[[nodiscard]] Result<DeviceId> find_recorded_camera(recordings::Archive& archive, const KnownCameras& known,
                                                    std::string_view id_or_name);

/// The answer to a list, a timeline, a deletion and a key unit.
[[nodiscard]] Response answer_recording(recordings::Archive& archive, const RecordingRequest& request,
                                        const KnownCameras& known, CaptureTime now);
/// The answers of a hub that has no archive.
[[nodiscard]] Response answer_without_archive(const RecordingRequest& request, CaptureTime now);

struct RecordedStill {
  DeviceId camera;
  recordings::Moment moment;
};
/// The access units of a request for a still. Errors: those of find_recorded_camera(), and not_found.
[[nodiscard]] Result<RecordedStill> read_still(recordings::Archive& archive, const RecordingRequest& request,
                                               const KnownCameras& known);

[[nodiscard]] Response recording_failure(const Error& error);
[[nodiscard]] Response recorded_still(const recordings::PictureFacts& facts, ByteView jpeg);

/// A picture in CAMERA.units: this header, then one access unit.
inline constexpr std::size_t unit_header_size = 48;
enum UnitFlags : std::uint8_t { unit_key = 1, unit_motion = 2, unit_continues = 4 };
void append_unit(Bytes& out, const recordings::PictureFacts& facts, ByteView access_unit);
/// The last record of a range: the number of pictures that the hub did not send.
void append_end(Bytes& out, const recordings::Skipped& skipped);

/// More entries of a timeline are left out, and `truncated` is true.
inline constexpr std::size_t max_timeline_entries = 20'000;

}  // namespace sealcam::hub::web
