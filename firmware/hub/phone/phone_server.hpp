// SPDX-License-Identifier: Apache-2.0
/// The listener for phones: HTTPS for the app's files and the mailbox (site.hpp), and its limits. Other machines reach
/// it, so each bound holds for the whole listener and for each peer. A peer is an IPv4 address or a /64 of IPv6.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "hub/phone/site.hpp"
#include "transport/tls/tls_context.hpp"

namespace sealcam::hub::phone {

/// The network that counts as one peer.
using Peer = std::uint64_t;
[[nodiscard]] Peer peer_of(const boost::asio::ip::address& address);

/// Events that are allowed: `burst` at once, then `per_second`.
struct Rate {
  double burst = 1;
  double per_second = 1;
};

/// A limit for each peer and one for all of them. It remembers 256 peers; further ones share one limit until an
/// earlier one was quiet. Thread-bound.
class PeerRates {
 public:
  static constexpr std::size_t max_peers = 256;
  PeerRates(const Rate& each, const Rate& all) : each_(each), all_{all, all.burst, {}} {}
  /// Counts one event of the peer if it is allowed. An event over the peer's own limit does not count for the others.
  [[nodiscard]] bool allow(Peer peer, BootTime now);
  [[nodiscard]] std::size_t peers() const noexcept { return peers_.size(); }

 private:
  struct Bucket {
    Rate rate;
    double level = 0;
    BootTime filled{};
    void fill(BootTime now);
  };
  [[nodiscard]] Bucket& bucket_of(Peer peer, BootTime now);
  Rate each_;
  Bucket all_;
  std::optional<Bucket> others_;
  std::map<Peer, Bucket> peers_;
};

struct ServerLimits {
  std::size_t connections = 48;
  std::size_t connections_of_peer = 16;
  Rate accept_each{32, 4}, accept_all{96, 8};  ///< connections
  Rate request_each{256, 16}, request_all{1024, 128};
  Rate opening_each{4, 0.1}, opening_all{16, 1};  ///< requests whose signature the hub verifies
  /// For the handshake, and for each request together with the wait for it.
  std::chrono::milliseconds timeout{20'000};
  /// A reply has this time, and a second for each `slow_rate` bytes.
  std::size_t slow_rate = std::size_t{4} << 10;
};

/// A connection uses about 90 KiB, and a reply as much as its file. If there are too many connections, a new one ends
/// the oldest one of the peer with the most, so that no peer can block the others. Thread-bound.
class PhoneServer {
 public:
  using Address = boost::asio::ip::tcp::endpoint;
  /// Port 0 lets the system choose. All references outlive the server. Errors: permission, conflict (the port is
  /// taken), unsupported (no such address on this machine), io.
  [[nodiscard]] static Result<std::unique_ptr<PhoneServer>> open(boost::asio::io_context& io, const Address& address,
                                                                 transport::TlsContext tls, Site& site,
                                                                 const Clock& clock, Log& log,
                                                                 const ServerLimits& limits = {});
  ~PhoneServer();

  [[nodiscard]] Address address() const;
  [[nodiscard]] std::size_t connections() const noexcept;
  /// Closes the port and all connections. Their handlers still run but do not use the site.
  void stop();

 private:
  struct State;
  class Connection;
  explicit PhoneServer(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace sealcam::hub::phone
