// SPDX-License-Identifier: Apache-2.0
#include "pairing/server.hpp"

#include <algorithm>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <list>

#include "pairing/http_exchange.hpp"
#include "transport/tls_stream.hpp"

namespace sealcam::pairing {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using transport::TlsStream;

namespace {

constexpr std::chrono::milliseconds claim_patience = Endpoint::claim_time;

}  // namespace

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
  void admit(tcp::socket peer);
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

/// Lives in its server's list and in its handlers.
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
      self->conversation_.emplace(self->state_->endpoint, std::move(*channel));
      self->exchange_.emplace(*self->conversation_);
      self->wait();
      self->read();
    });
  }
  [[nodiscard]] bool has_claim() const noexcept { return conversation_ && conversation_->has_claim(); }

  /// The claim is free and the list shorter at once; the handlers end by themselves.
  void end() {
    if (std::exchange(ended_, true)) return;
    deadline_.cancel();
    exchange_.reset();
    conversation_.reset();
    error_code ignored;
    stream_.next_layer().close(ignored);
    std::erase(state_->connections, shared_from_this());
  }

 private:
  /// One deadline for a whole request, however slowly it drips. Who has the claim may use all its time: the broker's
  /// operator is asked meanwhile.
  void wait() {
    if (has_claim()) deadline_.expires_after(std::max(state_->limits.patience, claim_patience));
    else deadline_.expires_after(state_->limits.patience);
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
    // Nothing more is listened for, whatever becomes of this answer.
    if (paired) state_->close_ports();
    wait();
    asio::async_write(stream_, asio::buffer(output_.bytes),
                      [self = shared_from_this(), paired](error_code ec, std::size_t) {
                        if (self->ended_) return self->farewell(paired);
                        if (!ec && !self->output_.end) {
                          self->wait();
                          return self->read();
                        }
                        self->stream_.async_shutdown([self, paired](error_code) {
                          self->end();
                          self->farewell(paired);
                        });
                      });
  }

  void farewell(bool paired) {
    if (!paired || state_->stopped) return;
    if (auto done = std::exchange(state_->on_paired, {})) done();
  }

  std::shared_ptr<State> state_;
  TlsStream stream_;
  asio::steady_timer deadline_;
  std::optional<Endpoint::Conversation> conversation_;
  std::optional<HttpExchange> exchange_;
  std::array<std::byte, 4096> block_{};
  HttpExchange::Output output_;
  bool ended_ = false;
};

void Server::State::accept(Port& port) {
  port.acceptor.async_accept([self = shared_from_this(), &port](error_code ec, tcp::socket peer) {
    if (self->stopped || ec == asio::error::operation_aborted || self->endpoint.paired()) return;
    if (!ec) {
      self->admit(std::move(peer));
      return self->accept(port);
    }
    // No descriptors left, mostly: trying again at once would be a loop.
    port.pause.expires_after(std::chrono::milliseconds(100));
    port.pause.async_wait([self, &port](error_code stop) {
      if (!stop && !self->stopped) self->accept(port);
    });
  });
}

void Server::State::admit(tcp::socket peer) {
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
    return fail(Errc::unsupported, "no such address family here", ec.value());
  if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec && address.protocol() == tcp::v6()) acceptor.set_option(asio::ip::v6_only(true), ec);
  if (!ec) acceptor.bind(address, ec);
  if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
  if (ec == asio::error::access_denied) return fail(Errc::permission, "listen for pairing", ec.value());
  if (ec == asio::error::address_in_use) return fail(Errc::conflict, "the port for pairing is taken", ec.value());
  if (ec == boost::system::errc::address_not_available)
    return fail(Errc::unsupported, "this device has no such address", ec.value());
  if (ec) return fail(Errc::io, "listen for pairing", ec.value());
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
