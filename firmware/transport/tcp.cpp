// SPDX-License-Identifier: Apache-2.0
#include "transport/tcp.hpp"

#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>

namespace sealcam::transport {

Result<> tune_connection(int socket) noexcept {
  struct Option {
    int level, name, value;
  };
  // Keepalive detects on an idle connection that the peer is gone (after 4 + 3 * 2 s). The user timeout detects it on a
  // connection with unacknowledged data.
  constexpr Option options[] = {
      {IPPROTO_TCP, TCP_NODELAY, 1},
      {IPPROTO_TCP, TCP_NOTSENT_LOWAT, unsent_limit_bytes},
      {IPPROTO_TCP, TCP_USER_TIMEOUT, dead_peer_ms},
      {SOL_SOCKET, SO_KEEPALIVE, 1},
      {IPPROTO_TCP, TCP_KEEPIDLE, 4},
      {IPPROTO_TCP, TCP_KEEPINTVL, 2},
      {IPPROTO_TCP, TCP_KEEPCNT, 3},
  };
  for (const auto& o : options)
    if (::setsockopt(socket, o.level, o.name, &o.value, sizeof o.value) != 0)
      return fail(Errc::io, "setting an option of a connection", errno);
  const int flags = ::fcntl(socket, F_GETFL);
  if (flags < 0 || ::fcntl(socket, F_SETFL, flags | O_NONBLOCK) != 0)
    return fail(Errc::io, "making a connection non-blocking", errno);
  return {};
}

SendProgress send_progress(int socket) noexcept {
  // In this order: bytes that are acknowledged between the two calls are counted once.
  tcp_info info{};
  socklen_t size = sizeof info;
  int waiting = 0;
  if (socket < 0 || ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
      ::ioctl(socket, SIOCOUTQ, &waiting) != 0 || waiting < 0)
    return {};
  return {.acknowledged = info.tcpi_bytes_acked,
          .unacknowledged = static_cast<std::size_t>(waiting),
          .unsent = info.tcpi_notsent_bytes,
          .min_rtt = std::chrono::microseconds(info.tcpi_min_rtt == ~0U ? 0 : info.tcpi_min_rtt)};
}

}  // namespace sealcam::transport
