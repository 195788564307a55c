// SPDX-License-Identifier: Apache-2.0
/// How far the bytes of a TCP connection have come.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace sealcam::transport {

/// TCP_INFO and SIOCOUTQ (tcp(7)). All zero if not connected or unknown.
struct SendProgress {
  std::uint64_t acknowledged = 0;       ///< bytes that the peer acknowledged since the connection began
  std::size_t unacknowledged = 0;       ///< bytes in the socket, sent or not
  std::size_t unsent = 0;               ///< of these, bytes that have not left this machine
  std::chrono::microseconds min_rtt{};  ///< shortest round trip of the last minutes
};

}  // namespace sealcam::transport
