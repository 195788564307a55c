// SPDX-License-Identifier: Apache-2.0
#include "transport/tcp_options.hpp"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>

namespace sealcam::transport {

Result<> tune_connection(int socket) noexcept {
  struct Option {
    int level, name, value;
  };
  // Keepalive finds a peer that died while nothing was under way (4 + 3 * 2 s), the user timeout one that died
  // while something was.
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
      return fail(Errc::io, "set an option of a connection", errno);
  const int flags = ::fcntl(socket, F_GETFL);
  if (flags < 0 || ::fcntl(socket, F_SETFL, flags | O_NONBLOCK) != 0)
    return fail(Errc::io, "make a connection non-blocking", errno);
  return {};
}

std::size_t unsent_bytes(int socket) noexcept {
  int waiting = 0;
  if (socket < 0 || ::ioctl(socket, SIOCOUTQNSD, &waiting) != 0 || waiting < 0) return 0;
  return static_cast<std::size_t>(waiting);
}

}  // namespace sealcam::transport
