// SPDX-License-Identifier: Apache-2.0
/// HTTP and WebSocket on loopback, in the network thread. At most 32 connections; a request has 10 s, 8 KiB of header
/// and no body.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>
#include <vector>

#include "core/log.hpp"
#include "hub/web/client_queue.hpp"
#include "hub/web/host.hpp"

namespace sealcam::hub::web {

class Socket;

/// What connections share with their server. It outlives the server when handlers are still under way.
struct ServerShared {
  static constexpr std::size_t max_connections = 32;
  Host* host;  ///< null once the server stopped
  const Clock* clock;
  std::vector<Socket*> sockets;  ///< open WebSockets; each takes itself out
  std::size_t connections = 0;
  std::uint64_t dropped = 0;  ///< pictures, by clients that are gone

  void update_interest() const;
};

/// Thread-bound.
class Server {
 public:
  /// `address`: loopback only. `io`, `host`, `clock`, `log` outlive the server. Errors: invalid_argument (not
  /// loopback), permission, conflict (the port is taken), io.
  [[nodiscard]] static Result<std::unique_ptr<Server>> open(boost::asio::io_context& io,
                                                            const boost::asio::ip::tcp::endpoint& address, Host& host,
                                                            const Clock& clock, Log& log);
  ~Server();

  void on_picture(const DeviceId& camera, const watch::PictureInfo& picture, ByteView access_unit);
  /// Sends the host's state to every client.
  void broadcast_state();
  /// No new connections; open ones are closed.
  void stop();

  /// Address and port as bound.
  [[nodiscard]] std::string address() const;
  [[nodiscard]] std::size_t clients() const noexcept { return shared_->sockets.size(); }
  [[nodiscard]] std::uint64_t dropped() const noexcept;

 private:
  Server(boost::asio::io_context& io, Host& host, const Clock& clock, Log& log);
  void accept();

  boost::asio::ip::tcp::acceptor acceptor_;
  Log& log_;
  std::shared_ptr<ServerShared> shared_;
};

}  // namespace sealcam::hub::web
