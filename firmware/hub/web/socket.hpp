// SPDX-License-Identifier: Apache-2.0
/// One WebSocket client (RFC 6455): gets hello, states and the pictures it asked for.
#pragma once

#include <boost/beast/core/tcp_stream.hpp>

#include "hub/web/client_queue.hpp"
#include "hub/web/connection.hpp"
#include "hub/web/routes.hpp"

namespace sealcam::hub::web {

/// Lives as long as its handlers, and is in ServerShared::sockets from the end of the handshake. Thread-bound.
class Socket {
 public:
  virtual void send(QueuedPicture picture) = 0;
  virtual void send_state(const std::string& text) = 0;
  virtual void close() = 0;
  [[nodiscard]] const ClientQueue& queue() const noexcept { return queue_; }

 protected:
  ~Socket() = default;
  ClientQueue queue_;
};

/// `request` is a checked upgrade to /ws.
void start_socket(boost::beast::tcp_stream stream, Request request, ConnectionCount count);

}  // namespace sealcam::hub::web
