// SPDX-License-Identifier: Apache-2.0
/// What a TCP connection that carries pictures needs from Linux (tcp(7)).
#pragma once

#include <cstddef>

#include "core/result.hpp"

namespace sealcam::transport {

/// At most this many bytes wait in the kernel unsent: what is late can then still be dropped by us.
inline constexpr int unsent_limit_bytes = 16 * 1024;
/// After this time without an answer the peer counts as dead, idle or not.
inline constexpr int dead_peer_ms = 10'000;

/// TCP_NODELAY, TCP_NOTSENT_LOWAT, TCP_USER_TIMEOUT and keepalive on a connected socket, and non-blocking mode.
/// Errors: io.
[[nodiscard]] Result<> tune_connection(int socket) noexcept;

/// Bytes written to the socket that did not leave this machine yet (SIOCOUTQNSD); 0 when that cannot be told.
[[nodiscard]] std::size_t unsent_bytes(int socket) noexcept;

}  // namespace sealcam::transport
