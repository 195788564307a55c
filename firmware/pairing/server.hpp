// SPDX-License-Identifier: Apache-2.0
/// The port of an unpaired device: HTTP over TLS 1.3.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pairing/endpoint.hpp"
#include "transport/tls/tls_context.hpp"

namespace sealcam::pairing {

/// HTTP/1.1 (RFC 9112) of one connection, without sockets. Holds at most one request: 8 KiB of header and 128 KiB of
/// body. Thread-bound.
class HttpExchange {
 public:
  static constexpr std::uint32_t max_header = 8U << 10;
  static constexpr std::uint64_t max_body = 128U << 10;

  /// `session` outlives it.
  explicit HttpExchange(Endpoint::Session& session);
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;
  ~HttpExchange();

  struct Output {
    std::string bytes;  ///< the reply; empty while a request is incomplete
    bool end = false;   ///< the connection ends after the reply
  };
  /// Takes the peer's bytes. Must not be called after it returned `end`.
  [[nodiscard]] Output receive(ByteView bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Whether a peer is on the local network or on this machine. Its address is loopback, link-local (169.254.0.0/16,
/// fe80::/10) or private (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7), also as an IPv4-mapped IPv6 address, or
/// it is in the same /64 as `own`, the device's address of the connection. 100.64.0.0/10 (RFC 6598) is not local,
/// because other customers of an internet provider have such addresses. Reentrant.
[[nodiscard]] bool is_local(const boost::asio::ip::address& peer, const boost::asio::ip::address& own);

struct ServerLimits {
  std::size_t connections = 8;
  /// Time limit for the handshake, for each request with the wait for it, and for each reply. The connection with the
  /// claim may wait for Endpoint::claim_time between two requests.
  std::chrono::milliseconds timeout{20'000};
};

/// Connections from addresses that are not local are closed before TLS, so that no peer on the internet can use up the
/// tries for the code. If there are too many connections, a new one ends the oldest one without the claim. Idle
/// connections therefore do not block an owner. A connection uses about 65 KiB, and a request that arrives 128 KiB
/// more. Thread-bound.
class Server {
 public:
  using Address = boost::asio::ip::tcp::endpoint;
  /// Listens on all addresses; port 0 lets the system choose. `io` and `endpoint` outlive the server. The server calls
  /// `on_paired` once, after it sent the reply and closed the ports; the function must not destroy the server.
  /// Errors: permission, conflict (a port is taken), unsupported (no such address family), io.
  [[nodiscard]] static Result<std::unique_ptr<Server>> open(boost::asio::io_context& io,
                                                            const std::vector<Address>& addresses,
                                                            transport::TlsContext tls, Endpoint& endpoint,
                                                            std::function<void()> on_paired,
                                                            const ServerLimits& limits = {});
  ~Server();

  /// The bound addresses.
  [[nodiscard]] std::vector<Address> addresses() const;
  [[nodiscard]] std::size_t connections() const noexcept;
  /// Closes ports and connections. Their handlers still run but do not use the endpoint.
  void stop();

 private:
  struct State;
  class Connection;
  explicit Server(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace sealcam::pairing
