// SPDX-License-Identifier: Apache-2.0
/// The messages of the WebSocket, and the text of /metrics. /api/state and the status file contain the state message,
/// too. firmware/docs/hub-api.md lists the fields, firmware/docs/hub.md the metrics. Reentrant.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "hub/events/event_post.hpp"
#include "recordings/status.hpp"
#include "watch/picture_sink.hpp"
#include "watch/watcher.hpp"

namespace sealcam::hub::web {

inline constexpr int protocol_version = 1;

/// The part of the state that the web server adds.
struct ServerState {
  std::string listen;
  std::size_t clients = 0;
  std::uint64_t dropped_for_slow_clients = 0;
};

[[nodiscard]] std::string hello_message(const watch::Watcher& watcher, std::string_view version);
[[nodiscard]] std::string state_message(const watch::Watcher& watcher, const ServerState& server, CaptureTime now);

/// {"watch":"all"} or {"watch":["id",…]}.
struct WatchRequest {
  static constexpr std::size_t max_size = 16U << 10;
  static constexpr std::size_t max_cameras = 256;
  bool all = false;
  std::set<DeviceId> cameras;
};
/// {"privacy":"id","on":true}.
struct PrivacyRequest {
  DeviceId camera;
  bool on = false;
};
/// {"ping":7}.
struct PingRequest {
  std::uint64_t number = 0;
};
using ClientRequest = std::variant<WatchRequest, PrivacyRequest, PingRequest>;
/// Reads a client's message. Errors: malformed.
[[nodiscard]] Result<ClientRequest> parse_client_request(std::string_view text);
/// The answer to a privacy request that failed with `error`.
[[nodiscard]] std::string privacy_rejected_message(const DeviceId& camera, const Error& error);
/// The answer to a ping. `now` must be read after the ping arrived.
[[nodiscard]] std::string pong_message(const PingRequest& ping, BootTime now);

/// The freshness of a picture at a later time.
struct FreshnessNow {
  bool live = false;
  std::optional<std::chrono::milliseconds> age;
};
[[nodiscard]] FreshnessNow freshness_at(const watch::PictureInfo& picture, BootTime now) noexcept;

/// A picture is a binary message: this header, then one access unit.
inline constexpr std::size_t picture_header_size = 80;
inline constexpr std::uint8_t picture_message_version = 1;
inline constexpr std::uint8_t picture_message_type = 1;
using PictureHeader = std::array<std::byte, picture_header_size>;

enum PictureFlags : std::uint8_t {
  flag_key = 1,     ///< decoding can start here
  flag_still = 2,   ///< not a part of the video
  flag_age = 4,     ///< the age is known
  flag_cached = 8,  ///< from the hub's cache, because the client came later
};

/// `now` and `wall` are the time of sending. The time in the queue adds to the age. The header has `now`, too, so that
/// a client that knows the hub's clock adds the time between sending and showing.
[[nodiscard]] PictureHeader make_picture_header(const DeviceId& camera, const watch::PictureInfo& picture, bool cached,
                                                BootTime now, CaptureTime wall) noexcept;

struct Metrics {
  std::string_view version;
  CaptureTime started;  ///< start of the process
  bool connected = false;
  std::size_t clients = 0;  ///< WebSockets and streams
  std::uint64_t dropped_for_slow_clients = 0;
  watch::RejectCounts rejected;  ///< of all cameras, known and unknown
  watch::RejectCounts rejected_control;
  std::vector<watch::CameraStatus> cameras;
  std::optional<recordings::Status> recordings;  ///< nothing if the hub has no archive
  std::vector<events::CameraEvents> camera_events;
  std::optional<events::PostCounts> event_posts;  ///< nothing if the hub sends no events
};

/// Writes HELP and TYPE of each metric once, then its samples, without timestamps.
[[nodiscard]] std::string metrics_text(const Metrics& metrics);

/// The value of a label, with backslash, quote and line feed escaped.
[[nodiscard]] std::string escaped_label(std::string_view value);

}  // namespace sealcam::hub::web
