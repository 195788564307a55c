// SPDX-License-Identifier: Apache-2.0
/// The one port of a device that belongs to nobody: TLS 1.3, then HTTP (http_exchange.hpp).
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "pairing/endpoint.hpp"
#include "transport/tls_context.hpp"

namespace sealcam::pairing {

struct ServerLimits {
  std::size_t connections = 8;
  /// For the handshake, for each request from its first moment of waiting, for each answer; whoever has the claim may
  /// use all of Endpoint::claim_time between two requests.
  std::chrono::milliseconds patience{20'000};
};

/// Thread-bound. A connection too many ends the oldest one without the claim, so that connections which say nothing
/// keep no owner out. Each holds about 65 KiB, and a request on its way 128 KiB more.
class Server {
 public:
  using Address = boost::asio::ip::tcp::endpoint;
  /// Listens on every address; port 0 lets the system choose. `io` and `endpoint` outlive the server. `on_paired` is
  /// called once, after the answer left and the ports are closed; it may destroy nothing of these.
  /// Errors: permission, conflict (a port is taken), unsupported (no such address family), io.
  [[nodiscard]] static Result<std::unique_ptr<Server>> open(boost::asio::io_context& io,
                                                            const std::vector<Address>& addresses,
                                                            transport::TlsContext tls, Endpoint& endpoint,
                                                            std::function<void()> on_paired,
                                                            const ServerLimits& limits = {});
  ~Server();

  /// As bound.
  [[nodiscard]] std::vector<Address> addresses() const;
  [[nodiscard]] std::size_t connections() const noexcept;
  /// Closes ports and connections. Their handlers still run, and do not touch the endpoint.
  void stop();

 private:
  struct State;
  class Connection;
  explicit Server(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace sealcam::pairing
