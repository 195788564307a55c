// SPDX-License-Identifier: Apache-2.0
/// Live pictures over HTTP: requests for /snapshot/CAMERA.jpg and /live/CAMERA.ts, their answers, and a player that
/// receives MPEG-TS.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hub/web/routes.hpp"
#include "hub/web/snapshots.hpp"

namespace sealcam::hub::web {

struct MediaRequest {
  enum class Kind : std::uint8_t { snapshot, live } kind = Kind::snapshot;
  std::string camera;          ///< a text for find_camera(), percent-decoded
  bool stale_allowed = false;  ///< ?stale=allow
};

/// Returns nothing for other targets.
[[nodiscard]] std::optional<MediaRequest> parse_media_request(std::string_view target);

/// Finds a listed camera with select_device(). Errors: not_found, conflict (several cameras have this name).
[[nodiscard]] Result<DeviceId> find_camera(const std::vector<watch::CameraStatus>& cameras,
                                           std::string_view id_or_name);

/// The status and the text for an error.
[[nodiscard]] Response media_failure(const Error& error);
/// 403 for a blocked camera, also with ?stale=allow. The field X-Sealcam-Reason has the reason.
[[nodiscard]] Response blocked_response(watch::Reason reason);
[[nodiscard]] Response snapshot_response(const Snapshot& snapshot);

/// Returns nothing if a '%' does not start a percent-encoding (RFC 3986 section 2.1).
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text);

/// 2026-09-01T12:00:00.250Z. Nothing for a time that is not between the years 0 and 9999.
[[nodiscard]] std::optional<std::string> rfc3339(CaptureTime time);
/// Tue, 01 Sep 2026 12:00:00 GMT (RFC 9110 section 5.6.7). Nothing for a time that is not between the years 0 and 9999.
[[nodiscard]] std::optional<std::string> http_date(CaptureTime time);

/// A stream ends after this time without a LIVE picture.
inline constexpr std::chrono::seconds stream_timeout{10};
/// A stream ends after this time in which the player took nothing.
inline constexpr std::chrono::seconds player_timeout{30};

/// Sends only LIVE pictures. While the camera is STALE the stream pauses; it continues with a key frame. The answer
/// is 503 if no LIVE picture arrived. The answer to HEAD comes at the same time as that to GET, without pictures.
/// `request`: reject() accepted it.
/// `token`: the stream ends when this token is deleted.
void start_live_stream(boost::asio::ip::tcp::socket socket, Request request, ConnectionCount count,
                       const DeviceId& camera, const access::TokenHash& token);

/// Sends the end of an answer and closes the connection. `owner` owns both arguments.
void finish_answer(boost::asio::ip::tcp::socket& socket, const std::string& text, std::shared_ptr<const void> owner);

}  // namespace sealcam::hub::web
