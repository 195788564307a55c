// SPDX-License-Identifier: Apache-2.0
#include "pairing/server.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <list>
#include <optional>

#include "base/format.hpp"
#include "transport/http_reader.hpp"
#include "transport/tls/tls_stream.hpp"

namespace sealcam::pairing {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using transport::HttpReader;
using transport::TlsStream;

struct HttpExchange::State {
  Endpoint::Session& session;
  HttpReader reader{{.header = max_header, .body = max_body}};
};

namespace {

HttpExchange::Output output(const Reply& reply) {
  return {sealcam::format("HTTP/1.1 {} {}\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
                          "Content-Length: {}\r\n{}\r\n{}",
                          reply.status, transport::http_reason(reply.status), reply.body.size(),
                          reply.go_on ? "" : "Connection: close\r\n", reply.body),
          !reply.go_on};
}

}  // namespace

HttpExchange::HttpExchange(Endpoint::Session& session) : state_(std::make_unique<State>(session)) {}
HttpExchange::~HttpExchange() = default;

HttpExchange::Output HttpExchange::receive(ByteView bytes) {
  auto& s = *state_;
  if (const auto fault = s.reader.receive(bytes)) return output(rejection(fault->status, fault->kind, fault->text));
  if (!s.reader.complete()) return {};
  auto reply = s.session.answer(s.reader.method(), s.reader.target(), s.reader.body());
  reply.go_on = reply.go_on && s.reader.keep_alive();
  s.reader.next();
  return output(reply);
}

namespace {

constexpr std::chrono::milliseconds claim_timeout = Endpoint::claim_time;

/// Networks whose addresses do not come from the internet.
struct Network {
  std::array<std::uint8_t, 4> prefix;  ///< the first bytes of the address
  unsigned bits;
};
constexpr std::array ipv4_networks = {
    Network{{127}, 8},                                 // loopback
    Network{{10}, 8},                                  // private, RFC 1918
    Network{{172, 16}, 12},                            //
    Network{{192, 168}, 16}, Network{{169, 254}, 16},  // link-local, RFC 3927
};
constexpr std::array ipv6_networks = {
    Network{{0xfe, 0x80}, 10},  // link-local, RFC 4291
    Network{{0xfc}, 7},         // unique local, RFC 4193
};

template <std::size_t N>
bool is_in(const std::array<std::uint8_t, N>& address, const Network& network) {
  for (unsigned bit = 0; bit < network.bits; ++bit)
    if (((address[bit / 8] ^ network.prefix[bit / 8]) << (bit % 8) & 0x80) != 0) return false;
  return true;
}

}  // namespace

bool is_local(const asio::ip::address& peer, const asio::ip::address& own) {
  const auto plain = [](const asio::ip::address& address) -> asio::ip::address {
    if (address.is_v4() || !address.to_v6().is_v4_mapped()) return address;
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  };
  const auto from = plain(peer), to = plain(own);
  const auto any = [](const auto& networks, const auto& bytes) {
    return std::ranges::any_of(networks, [&](const Network& network) { return is_in(bytes, network); });
  };
  if (from.is_v4()) return any(ipv4_networks, from.to_v4().to_bytes());
  const auto bytes = from.to_v6().to_bytes();
  if (from.to_v6().is_loopback() || any(ipv6_networks, bytes)) return true;
  if (!to.is_v6()) return false;
  const auto network = to.to_v6().to_bytes();
  return std::ranges::equal(std::span(bytes).first<8>(), std::span(network).first<8>());
}

struct Server::State : std::enable_shared_from_this<State> {
  State(asio::io_context& c, transport::TlsContext t, Endpoint& e, std::function<void()> done,
        const ServerLimits& limit)
      : io(c), tls(std::move(t)), endpoint(e), on_paired(std::move(done)), limits(limit) {}

  struct Port {
    explicit Port(asio::io_context& c) : acceptor(c), pause(c) {}
    tcp::acceptor acceptor;
    asio::steady_timer pause;
  };
  void accept(Port& port);
  void add(tcp::socket peer);
  void make_room();
  void close_ports();

  asio::io_context& io;
  transport::TlsContext tls;
  Endpoint& endpoint;
  std::function<void()> on_paired;
  ServerLimits limits;
  std::deque<Port> ports;                              // addresses in it stay
  std::list<std::shared_ptr<Connection>> connections;  ///< oldest first
  bool stopped = false;
};

/// The server's list and the pending handlers own a connection.
class Server::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket peer, std::shared_ptr<State> state)
      : state_(std::move(state)), stream_(std::move(peer), state_->tls), deadline_(state_->io) {}

  void start() {
    wait();
    stream_.async_handshake(TlsStream::handshake_type::server, [self = shared_from_this()](error_code ec) {
      if (ec || self->ended_) return self->end();
      auto channel = self->stream_.export_secret(protocol::pairing_exporter_label);
      if (!channel) return self->end();
      self->session_.emplace(self->state_->endpoint, std::move(*channel));
      self->exchange_.emplace(*self->session_);
      self->wait();
      self->read();
    });
  }
  [[nodiscard]] bool has_claim() const noexcept { return session_ && session_->has_claim(); }

  /// Frees the claim and the place in the list at once. The handlers end later.
  void end() {
    if (std::exchange(ended_, true)) return;
    deadline_.cancel();
    exchange_.reset();
    session_.reset();
    error_code ignored;
    stream_.next_layer().close(ignored);
    std::erase(state_->connections, shared_from_this());
  }

 private:
  /// One deadline for a whole request, however slowly its bytes arrive. The connection with the claim gets all the time
  /// of the claim, because the owner's machine requests the certificate meanwhile.
  void wait() {
    if (has_claim()) deadline_.expires_after(std::max(state_->limits.timeout, claim_timeout));
    else deadline_.expires_after(state_->limits.timeout);
    deadline_.async_wait([self = shared_from_this()](error_code ec) {
      if (!ec) self->end();
    });
  }

  void read() {
    stream_.async_read_some(asio::buffer(block_), [self = shared_from_this()](error_code ec, std::size_t size) {
      if (ec || self->ended_) return self->end();
      auto output = self->exchange_->receive(ByteView(self->block_).first(size));
      wipe(MutableBytes(self->block_).first(size));
      if (output.bytes.empty()) return self->read();
      self->write(std::move(output));
    });
  }

  void write(HttpExchange::Output output) {
    output_ = std::move(output);
    const bool paired = state_->endpoint.paired();
    // Stop listening even if this reply is lost.
    if (paired) state_->close_ports();
    wait();
    asio::async_write(stream_, asio::buffer(output_.bytes),
                      [self = shared_from_this(), paired](error_code ec, std::size_t) {
                        if (self->ended_) return self->notify(paired);
                        if (!ec && !self->output_.end) {
                          self->wait();
                          return self->read();
                        }
                        self->stream_.async_shutdown([self, paired](error_code) {
                          self->end();
                          self->notify(paired);
                        });
                      });
  }

  void notify(bool paired) {
    if (!paired || state_->stopped) return;
    if (auto done = std::exchange(state_->on_paired, {})) done();
  }

  std::shared_ptr<State> state_;
  TlsStream stream_;
  asio::steady_timer deadline_;
  std::optional<Endpoint::Session> session_;
  std::optional<HttpExchange> exchange_;
  std::array<std::byte, 4096> block_{};
  HttpExchange::Output output_;
  bool ended_ = false;
};

void Server::State::accept(Port& port) {
  port.acceptor.async_accept([self = shared_from_this(), &port](error_code ec, tcp::socket peer) {
    if (self->stopped || ec == asio::error::operation_aborted || self->endpoint.paired()) return;
    if (!ec) {
      self->add(std::move(peer));
      return self->accept(port);
    }
    // Usually no file descriptors are left, and trying again at once would be a busy loop.
    port.pause.expires_after(std::chrono::milliseconds(100));
    port.pause.async_wait([self, &port](error_code stop) {
      if (!stop && !self->stopped) self->accept(port);
    });
  });
}

void Server::State::add(tcp::socket peer) {
  error_code no_peer, no_own;
  const auto from = peer.remote_endpoint(no_peer), to = peer.local_endpoint(no_own);
  if (no_peer || no_own || !is_local(from.address(), to.address())) return;  // closes the socket before TLS
  make_room();
  auto connection = std::make_shared<Connection>(std::move(peer), shared_from_this());
  connections.push_back(connection);
  connection->start();
}

void Server::State::make_room() {
  if (connections.size() < limits.connections) return;
  const auto oldest = std::ranges::find_if(connections, [](const auto& c) { return !c->has_claim(); });
  if (oldest != connections.end()) std::shared_ptr(*oldest)->end();
}

void Server::State::close_ports() {
  error_code ignored;
  for (auto& port : ports) {
    port.acceptor.close(ignored);
    port.pause.cancel();
  }
}

namespace {

Result<> listen(tcp::acceptor& acceptor, const tcp::endpoint& address) {
  error_code ec;
  acceptor.open(address.protocol(), ec);
  if (ec == asio::error::address_family_not_supported)
    return fail(Errc::unsupported, "this kernel has no IPv6", ec.value());
  if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec && address.protocol() == tcp::v6()) acceptor.set_option(asio::ip::v6_only(true), ec);
  if (!ec) acceptor.bind(address, ec);
  if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
  if (ec == asio::error::access_denied) return fail(Errc::permission, "listening for pairing", ec.value());
  if (ec == asio::error::address_in_use)
    return fail(Errc::conflict, "another program uses the port for pairing: choose one with --pairing-listen",
                ec.value());
  if (ec == boost::system::errc::address_not_available)
    return fail(Errc::unsupported, "this device does not have the address of --pairing-listen", ec.value());
  if (ec) return fail(Errc::io, "listening for pairing", ec.value());
  return {};
}

}  // namespace

Result<std::unique_ptr<Server>> Server::open(asio::io_context& io, const std::vector<Address>& addresses,
                                             transport::TlsContext tls, Endpoint& endpoint,
                                             std::function<void()> on_paired, const ServerLimits& limits) {
  auto state = std::make_shared<State>(io, std::move(tls), endpoint, std::move(on_paired), limits);
  for (const auto& address : addresses)
    if (auto r = listen(state->ports.emplace_back(io).acceptor, address); !r) return std::unexpected(r.error());
  for (auto& port : state->ports) state->accept(port);
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::~Server() { stop(); }

void Server::stop() {
  if (std::exchange(state_->stopped, true)) return;
  state_->close_ports();
  const auto open = state_->connections;
  for (const auto& connection : open) connection->end();
}

std::vector<Server::Address> Server::addresses() const {
  std::vector<Address> all;
  for (const auto& port : state_->ports) {
    error_code ec;
    const auto bound = port.acceptor.local_endpoint(ec);
    if (!ec) all.push_back(bound);
  }
  return all;
}

std::size_t Server::connections() const noexcept { return state_->connections.size(); }

}  // namespace sealcam::pairing
