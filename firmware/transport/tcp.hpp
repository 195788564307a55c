// SPDX-License-Identifier: Apache-2.0
/// Options of Linux for TCP connections that carry pictures (tcp(7)), and how far their bytes have come.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/result.hpp"

namespace sealcam::transport {

/// TCP_INFO and SIOCOUTQ (tcp(7)). All zero if not connected or unknown.
struct SendProgress {
  std::uint64_t acknowledged = 0;       ///< bytes that the peer acknowledged since the connection began
  std::size_t unacknowledged = 0;       ///< bytes in the socket, sent or not
  std::size_t unsent = 0;               ///< of these, bytes that have not left this machine
  std::chrono::microseconds min_rtt{};  ///< shortest round trip of the last minutes
};

/// The kernel holds at most this number of unsent bytes, so that Sealcam can still drop late frames.
inline constexpr int unsent_limit_bytes = 16 * 1024;
/// A peer that does not answer for this time counts as disconnected, also on an idle connection.
inline constexpr int dead_peer_ms = 10'000;

/// TCP_NODELAY, TCP_NOTSENT_LOWAT, TCP_USER_TIMEOUT and keepalive on a connected socket, and non-blocking mode.
/// Errors: io.
[[nodiscard]] Result<> tune_connection(int socket) noexcept;

/// All zero if unknown.
[[nodiscard]] SendProgress send_progress(int socket) noexcept;

}  // namespace sealcam::transport
