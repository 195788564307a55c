// SPDX-License-Identifier: Apache-2.0
/// Requests for recordings: /api/recordings and /recordings/CAMERA. Every target may come from an attacker. Reentrant.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "hub/web/routes.hpp"
#include "recordings/archive.hpp"

namespace sealcam::hub::web {

struct RecordingRequest {
  enum class Kind : std::uint8_t {
    list,      ///< GET /api/recordings
    timeline,  ///< GET /api/recordings/CAMERA, with or without a range
    erase,     ///< DELETE /api/recordings/CAMERA
    video,     ///< GET /recordings/CAMERA.mp4
    still,     ///< GET /recordings/CAMERA.jpg
    units,     ///< GET /recordings/CAMERA.units: a range as access units
    key_unit,  ///< GET /recordings/CAMERA.units?at=: one key frame
  } kind = Kind::list;
  std::string camera;           ///< id or name, percent-decoded; empty for a list
  recordings::TimeRange range;  ///< of timeline, erase, video and units; empty for a timeline without a range
  CaptureTime at;               ///< of still and key_unit
  bool keys_only = false;       ///< of units
};

/// The longest range of a stream, of a timeline and of a deletion.
inline constexpr std::chrono::hours max_stream_range{24};
inline constexpr std::chrono::hours max_timeline_range{32 * 24};

/// Whether the path is one of the paths above, with any query. They are the only ones that accept DELETE.
[[nodiscard]] bool is_recording_target(std::string_view target) noexcept;

/// Reads the target of a GET, HEAD or DELETE. The error is the answer: 404 for a path that does not exist, 405 for a
/// DELETE of anything but a range of a camera, 400 for a wrong query. Unknown and repeated parameters are wrong.
[[nodiscard]] std::expected<RecordingRequest, Response> parse_recording_request(const Request& request);

/// Microseconds since the Unix epoch in digits, or RFC 3339 with at most six digits after the second. Nothing for other
/// texts, and for times outside of the years 1970 to 9999.
[[nodiscard]] std::optional<CaptureTime> parse_time(std::string_view text);

}  // namespace sealcam::hub::web
