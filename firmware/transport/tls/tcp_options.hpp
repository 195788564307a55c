// SPDX-License-Identifier: Apache-2.0
/// Options of Linux for TCP connections that carry pictures (tcp(7)).
#pragma once

#include <cstddef>

#include "base/result.hpp"
#include "transport/send_progress.hpp"

namespace sealcam::transport {

/// The kernel holds at most this number of unsent bytes, so that Sealcam can still drop late frames.
inline constexpr int unsent_limit_bytes = 16 * 1024;
/// A peer that does not answer for this time counts as dead, also on an idle connection.
inline constexpr int dead_peer_ms = 10'000;

/// TCP_NODELAY, TCP_NOTSENT_LOWAT, TCP_USER_TIMEOUT and keepalive on a connected socket, and non-blocking mode.
/// Errors: io.
[[nodiscard]] Result<> tune_connection(int socket) noexcept;

/// All zero if unknown.
[[nodiscard]] SendProgress send_progress(int socket) noexcept;

}  // namespace sealcam::transport
