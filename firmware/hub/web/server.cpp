// SPDX-License-Identifier: Apache-2.0
#include "hub/web/server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/format.hpp"
#include "hub/web/recordings.hpp"
#include "hub/web/snapshots.hpp"
#include "hub/web/web_session.hpp"

namespace sealcam::hub::web {

namespace asio = boost::asio;
using asio::ip::tcp;

void ServerShared::update_interest() const {
  if (backend == nullptr) return;
  bool all = false;
  std::set<DeviceId> cameras;
  for (const auto* session : sessions) {
    all = all || session->queue().watches_all();
    cameras.insert(session->queue().desired().begin(), session->queue().desired().end());
  }
  cameras.merge(snapshots->interest());
  backend->on_interest(all, std::move(cameras));
}

void ServerShared::remove(WebSession& session) {
  std::erase(sessions, &session);
  dropped += session.queue().dropped();
  update_interest();
}

/// The listening socket. After Server::stop() its pending handler does not use it any more.
class Server::Listener {
 public:
  Listener(asio::io_context& io, std::shared_ptr<ServerShared> shared, Log& log)
      : acceptor_(io), pause_(io), shared_(std::move(shared)), log_(log) {}

  Result<> open(const tcp::endpoint& address) {
    boost::system::error_code ec;
    acceptor_.open(address.protocol(), ec);
    if (!ec) acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec) acceptor_.bind(address, ec);
    if (!ec) acceptor_.listen(asio::socket_base::max_listen_connections, ec);
    if (ec == asio::error::access_denied) return fail(Errc::permission, "listening", ec.value());
    if (ec == asio::error::address_in_use) return fail(Errc::conflict, "the port is in use", ec.value());
    if (ec) return fail(Errc::io, "listening", ec.value());
    accept();
    return {};
  }
  void close() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
  }
  [[nodiscard]] std::uint16_t port() const {
    boost::system::error_code ec;
    return acceptor_.local_endpoint(ec).port();
  }
  [[nodiscard]] std::string address() const {
    boost::system::error_code ec;
    const auto bound = acceptor_.local_endpoint(ec);
    const auto host = bound.address().to_string();
    return bound.address().is_v6() ? sealcam::format("[{}]:{}", host, bound.port())
                                   : sealcam::format("{}:{}", host, bound.port());
  }

 private:
  void accept() {
    acceptor_.async_accept([this, shared = shared_](const boost::system::error_code& ec, tcp::socket peer) {
      if (ec == asio::error::operation_aborted || shared->backend == nullptr) return;
      if (ec) return accept_later(ec);
      // Over the limit the destructor of `peer` closes the connection.
      if (shared->connections < ServerShared::max_connections) start_connection(std::move(peer), shared);
      accept();
    });
  }

  /// Usually no file descriptors are left, and trying again at once would be a busy loop.
  void accept_later(const boost::system::error_code& reason) {
    if (error_log_.allow(shared_->clock->monotonic()))
      log_.warning("the web server cannot accept a connection: {}{}", reason.message(), error_log_.note());
    pause_.expires_after(accept_pause);
    pause_.async_wait([this, shared = shared_](const boost::system::error_code& ec) {
      if (!ec && shared->backend != nullptr) accept();
    });
  }

  static constexpr std::chrono::milliseconds accept_pause{100};
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  std::shared_ptr<ServerShared> shared_;
  Log& log_;
  RateLimit error_log_{std::chrono::minutes(1)};
};

Result<std::unique_ptr<Server>> Server::open(asio::io_context& io, const std::string& host, std::uint16_t port,
                                             WebBackend& backend, access::Access& access, hal::Media& media,
                                             const Clock& clock, Log& log, recordings::Archive* archive) {
  boost::system::error_code ec;
  const auto address = asio::ip::make_address(host, ec);
  if (ec || !address.is_loopback()) return fail(Errc::invalid_argument, "the web server needs a loopback address");
  auto server = std::unique_ptr<Server>(new Server(io, backend, access, media, clock, archive));
  server->listener_ = std::make_unique<Listener>(io, server->shared_, log);
  if (auto r = server->listener_->open({address, port}); !r) return std::unexpected(r.error());
  server->shared_->port = server->listener_->port();
  return server;
}

Server::Server(asio::io_context& io, WebBackend& backend, access::Access& access, hal::Media& media, const Clock& clock,
               recordings::Archive* archive)
    : worker_(std::make_unique<Worker>()),
      recording_pool_(archive == nullptr ? nullptr : std::make_unique<RecordingPool>()) {
  shared_ = std::make_shared<ServerShared>(
      ServerShared{.backend = &backend,
                   .access = &access,
                   .clock = &clock,
                   .media = &media,
                   .worker = worker_.get(),
                   .recording_pool = recording_pool_.get(),
                   .archive = archive,
                   .post = [executor = io.get_executor()](auto job) { asio::post(executor, std::move(job)); },
                   .snapshots = {},
                   .sessions = {}});
  shared_->snapshots = std::make_shared<Snapshots>(shared_->post, backend, clock, *worker_, media,
                                                   [shared = shared_.get()] { shared->update_interest(); });
}

Server::~Server() {
  stop();
  recording_pool_.reset();
  worker_.reset();
}

void Server::on_picture(const DeviceId& camera, const watch::PictureInfo& picture, ByteView access_unit) {
  SharedUnit unit;
  for (auto* session : shared_->sessions) {
    if (!session->queue().watches(camera)) continue;
    if (!unit) unit = std::make_shared<const Bytes>(access_unit.begin(), access_unit.end());
    session->send({camera, picture, unit, false});
  }
  shared_->snapshots->on_picture(camera, picture);
}

void Server::withdraw(const DeviceId& camera) {
  const auto sessions = shared_->sessions;  // a copy, because a session may remove itself
  for (auto* session : sessions) session->withdraw(camera);
  shared_->snapshots->withdraw(camera);
}

void Server::tick() {
  if (shared_->backend == nullptr) return;
  shared_->snapshots->tick();
  shared_->access->tick();
  const auto sessions = shared_->sessions;  // a copy, because a session may remove itself
  for (auto* session : sessions) {
    if (shared_->access->still_valid(session->token())) session->tick();
    else session->close();
  }
}

void Server::broadcast_state() {
  if (shared_->sessions.empty()) return;
  const auto state = shared_->backend->state();
  for (auto* session : shared_->sessions) session->send_state(state);
}

void Server::stop() {
  if (shared_->backend == nullptr) return;
  shared_->backend = nullptr;
  if (listener_) listener_->close();
  shared_->snapshots->stop();
  const auto sessions = shared_->sessions;
  for (auto* session : sessions) session->close();
}

std::string Server::address() const { return listener_->address(); }

std::uint64_t Server::dropped() const noexcept {
  auto sum = shared_->dropped;
  for (const auto* session : shared_->sessions) sum += session->queue().dropped();
  return sum;
}

}  // namespace sealcam::hub::web
