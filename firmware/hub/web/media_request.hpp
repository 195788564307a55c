// SPDX-License-Identifier: Apache-2.0
/// Requests for /snapshot/CAMERA.jpg and /live/CAMERA.ts: what they ask for, and the answers that are plain HTTP.
/// Reentrant.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hub/web/routes.hpp"
#include "hub/web/snapshots.hpp"

namespace sealcam::hub::web {

struct MediaRequest {
  enum class Kind : std::uint8_t { snapshot, live } kind = Kind::snapshot;
  std::string camera;          ///< id or name, percent-decoded
  bool stale_allowed = false;  ///< ?stale=allow
};

/// Nothing when the target is none of the two.
[[nodiscard]] std::optional<MediaRequest> parse_media_request(std::string_view target);

/// By id, or by its exact name when no other camera has the same. Errors: not_found, conflict (several have that name).
[[nodiscard]] Result<DeviceId> find_camera(const std::vector<watch::CameraStatus>& cameras, std::string_view wanted);

/// A sentence for people, with the status that fits.
[[nodiscard]] Response media_failure(const Request& request, const Error& error);
/// For a camera of which nothing may be shown, also not with ?stale=allow: 403, the reason in X-Sealcam-Reason.
[[nodiscard]] Response barred_response(const Request& request, watch::Reason reason);
[[nodiscard]] Response snapshot_response(const Request& request, const Snapshot& snapshot);

/// 2026-09-01T12:00:00.250Z
[[nodiscard]] std::string rfc3339(CaptureTime time);
/// Tue, 01 Sep 2026 12:00:00 GMT (RFC 9110 section 5.6.7)
[[nodiscard]] std::string http_date(CaptureTime time);

}  // namespace sealcam::hub::web
