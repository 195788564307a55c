// SPDX-License-Identifier: Apache-2.0
/// The text messages of the WebSocket, which are also what /api/state and the status file say. README.md lists them.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <variant>

#include "core/result.hpp"
#include "watch/watcher.hpp"

namespace sealcam::hub::web {

inline constexpr int protocol_version = 1;

/// What the server adds to what the watcher knows.
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
using ClientRequest = std::variant<WatchRequest, PrivacyRequest>;
/// What a client may say. Errors: malformed.
[[nodiscard]] Result<ClientRequest> parse_client_request(std::string_view text);
/// What is said to the client that asked when it cannot be done.
[[nodiscard]] std::string privacy_refused_message(const DeviceId& camera, const Error& error);

}  // namespace sealcam::hub::web
