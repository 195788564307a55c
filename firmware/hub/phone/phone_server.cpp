// SPDX-License-Identifier: Apache-2.0
#include "hub/phone/phone_server.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <list>
#include <optional>

#include "transport/tls/tls_stream.hpp"

namespace sealcam::hub::phone {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using transport::HttpReader;
using transport::TlsStream;

Peer peer_of(const asio::ip::address& address) {
  constexpr Peer ipv4 = Peer{0xffff} << 32;
  if (address.is_v4()) return ipv4 | address.to_v4().to_uint();
  const auto v6 = address.to_v6();
  if (v6.is_v4_mapped()) return ipv4 | asio::ip::make_address_v4(asio::ip::v4_mapped, v6).to_uint();
  const auto bytes = v6.to_bytes();
  return load_be<std::uint64_t>(std::as_bytes(std::span(bytes)));
}

void PeerRates::Bucket::fill(BootTime now) {
  const std::chrono::duration<double> passed = now - filled;
  level = std::min(rate.burst, level + std::max(0.0, passed.count()) * rate.per_second);
  filled = now;
}

PeerRates::Bucket& PeerRates::bucket_of(Peer peer, BootTime now) {
  const Bucket full{each_, each_.burst, now};
  if (const auto known = peers_.find(peer); known != peers_.end()) return known->second;
  if (peers_.size() >= max_peers) {
    // A peer with a full bucket has the same rights as an unknown one.
    std::erase_if(peers_, [now](auto& entry) {
      entry.second.fill(now);
      return entry.second.level >= entry.second.rate.burst;
    });
  }
  if (peers_.size() < max_peers) return peers_.emplace(peer, full).first->second;
  if (!others_) others_ = full;
  return *others_;
}

bool PeerRates::allow(Peer peer, BootTime now) {
  auto& own = bucket_of(peer, now);
  own.fill(now);
  all_.fill(now);
  if (own.level < 1 || all_.level < 1) return false;
  own.level -= 1;
  all_.level -= 1;
  return true;
}

struct PhoneServer::State : std::enable_shared_from_this<State> {
  State(asio::io_context& c, transport::TlsContext t, Site& s, const Clock& k, Log& l, const ServerLimits& limit)
      : acceptor(c), pause(c), tls(std::move(t)), site(s), clock(k), log(l), limits(limit) {}

  void accept();
  void add(tcp::socket socket);
  void make_room(Peer peer);
  void end_oldest_of(Peer peer);

  tcp::acceptor acceptor;
  asio::steady_timer pause;
  transport::TlsContext tls;
  Site& site;
  const Clock& clock;
  Log& log;
  ServerLimits limits;
  PeerRates accepts{limits.accept_each, limits.accept_all};
  PeerRates requests{limits.request_each, limits.request_all};
  PeerRates openings{limits.opening_each, limits.opening_all};
  RateLimit error_log{std::chrono::minutes(1)};
  std::list<std::shared_ptr<Connection>> connections;  ///< oldest first
  bool stopped = false;
};

/// The server's list and the pending handlers own a connection.
class PhoneServer::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, Peer peer, std::shared_ptr<State> state)
      : state_(std::move(state)),
        peer_(peer),
        stream_(std::move(socket), state_->tls),
        deadline_(stream_.get_executor()),
        reader_(Site::limits) {}

  void start() {
    wait(state_->limits.timeout);
    stream_.async_handshake(TlsStream::handshake_type::server, [self = shared_from_this()](error_code ec) {
      if (ec || self->ended_) return self->end();
      self->wait(self->state_->limits.timeout);
      self->read();
    });
  }
  [[nodiscard]] Peer peer() const noexcept { return peer_; }

  /// Frees the place in the list at once. The handlers end later.
  void end() {
    if (std::exchange(ended_, true)) return;
    deadline_.cancel();
    error_code ignored;
    stream_.next_layer().close(ignored);
    std::erase(state_->connections, shared_from_this());
  }

 private:
  /// One deadline for a whole request or reply, however slowly its bytes arrive or leave.
  void wait(std::chrono::milliseconds time) {
    deadline_.expires_after(time);
    deadline_.async_wait([self = shared_from_this()](error_code ec) {
      if (!ec) self->end();
    });
  }

  void read() {
    stream_.async_read_some(asio::buffer(block_), [self = shared_from_this()](error_code ec, std::size_t size) {
      if (ec || self->ended_) return self->end();
      if (const auto fault = self->reader_.receive(ByteView(self->block_).first(size)))
        return self->write(to_http(*fault), true);
      if (!self->reader_.complete()) return self->read();
      self->answer();
    });
  }

  void answer() {
    auto text = to_http(reader_, allowed() ? state_->site.answer(reader_) : too_many());
    const bool last = !reader_.keep_alive();
    reader_.next();
    write(std::move(text), last);
  }

  [[nodiscard]] bool allowed() {
    const auto now = state_->clock.boot();
    return state_->requests.allow(peer_, now) && (!Site::opens_slot(reader_) || state_->openings.allow(peer_, now));
  }

  [[nodiscard]] static web::Response too_many() {
    auto response = web::plain(429, "Too many requests. Wait for some seconds.");
    response.set("Retry-After", "10");
    return response;
  }

  void write(std::string text, bool last) {
    output_ = std::move(text);
    wait(state_->limits.timeout + std::chrono::seconds(output_.size() / state_->limits.slow_rate));
    asio::async_write(stream_, asio::buffer(output_), [self = shared_from_this(), last](error_code ec, std::size_t) {
      if (ec || self->ended_) return self->end();
      self->output_ = {};  // an idle connection holds no file
      self->wait(self->state_->limits.timeout);
      if (!last) return self->read();
      self->stream_.async_shutdown([self](error_code) { self->end(); });
    });
  }

  std::shared_ptr<State> state_;
  Peer peer_;
  TlsStream stream_;
  asio::steady_timer deadline_;
  HttpReader reader_;
  std::array<std::byte, 4096> block_{};
  std::string output_;
  bool ended_ = false;
};

void PhoneServer::State::accept() {
  acceptor.async_accept([self = shared_from_this()](error_code ec, tcp::socket socket) {
    if (self->stopped || ec == asio::error::operation_aborted) return;
    if (!ec) {
      self->add(std::move(socket));
      return self->accept();
    }
    // Usually no file descriptors are left, and trying again at once would be a busy loop.
    if (self->error_log.allow(self->clock.monotonic()))
      self->log.warning("the listener for phones cannot accept a connection: {}{}", ec.message(),
                        self->error_log.note());
    self->pause.expires_after(std::chrono::milliseconds(100));
    self->pause.async_wait([self](error_code stop) {
      if (!stop && !self->stopped) self->accept();
    });
  });
}

void PhoneServer::State::add(tcp::socket socket) {
  error_code ec;
  const auto from = socket.remote_endpoint(ec);
  if (ec) return;
  const auto peer = peer_of(from.address());
  if (!accepts.allow(peer, clock.boot())) return;  // closes the socket before TLS, which is the expensive part
  make_room(peer);
  auto connection = std::make_shared<Connection>(std::move(socket), peer, shared_from_this());
  connections.push_back(connection);
  connection->start();
}

void PhoneServer::State::end_oldest_of(Peer peer) {
  const auto oldest = std::ranges::find_if(connections, [&](const auto& c) { return c->peer() == peer; });
  if (oldest != connections.end()) std::shared_ptr(*oldest)->end();
}

void PhoneServer::State::make_room(Peer peer) {
  std::map<Peer, std::size_t> counts;
  for (const auto& connection : connections) ++counts[connection->peer()];
  if (counts[peer] >= limits.connections_of_peer) return end_oldest_of(peer);
  if (connections.size() < limits.connections) return;
  end_oldest_of(std::ranges::max_element(counts, {}, &std::pair<const Peer, std::size_t>::second)->first);
}

namespace {

Result<> listen(tcp::acceptor& acceptor, const tcp::endpoint& address) {
  error_code ec;
  acceptor.open(address.protocol(), ec);
  if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) acceptor.bind(address, ec);
  if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
  if (ec == asio::error::access_denied) return fail(Errc::permission, "listening for phones", ec.value());
  if (ec == asio::error::address_in_use)
    return fail(Errc::conflict, "another program uses the port for phones: set /app/port in hub.json", ec.value());
  if (ec == boost::system::errc::address_not_available || ec == asio::error::address_family_not_supported)
    return fail(Errc::unsupported, "this machine does not have the address /app/listen of hub.json", ec.value());
  if (ec) return fail(Errc::io, "listening for phones", ec.value());
  return {};
}

}  // namespace

Result<std::unique_ptr<PhoneServer>> PhoneServer::open(asio::io_context& io, const Address& address,
                                                       transport::TlsContext tls, Site& site, const Clock& clock,
                                                       Log& log, const ServerLimits& limits) {
  auto state = std::make_shared<State>(io, std::move(tls), site, clock, log, limits);
  if (auto r = listen(state->acceptor, address); !r) return std::unexpected(r.error());
  state->accept();
  return std::unique_ptr<PhoneServer>(new PhoneServer(std::move(state)));
}

PhoneServer::~PhoneServer() { stop(); }

void PhoneServer::stop() {
  if (std::exchange(state_->stopped, true)) return;
  error_code ignored;
  state_->acceptor.close(ignored);
  state_->pause.cancel();
  const auto open = state_->connections;
  for (const auto& connection : open) connection->end();
}

PhoneServer::Address PhoneServer::address() const {
  error_code ec;
  return state_->acceptor.local_endpoint(ec);
}

std::size_t PhoneServer::connections() const noexcept { return state_->connections.size(); }

}  // namespace sealcam::hub::phone
