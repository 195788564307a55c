// SPDX-License-Identifier: Apache-2.0
#include "hub/web/server.hpp"

#include <format>

#include "hub/web/connection.hpp"
#include "hub/web/viewer.hpp"

namespace sealcam::hub::web {

namespace asio = boost::asio;
using asio::ip::tcp;

void ServerShared::update_interest() const {
  if (host == nullptr) return;
  bool all = false;
  std::set<DeviceId> cameras;
  for (const auto* viewer : viewers) {
    all = all || viewer->queue().watches_all();
    cameras.insert(viewer->queue().wanted().begin(), viewer->queue().wanted().end());
  }
  cameras.merge(snapshots->interest());
  host->on_interest(all, std::move(cameras));
}

void ServerShared::leave(Viewer& viewer) {
  std::erase(viewers, &viewer);
  dropped += viewer.queue().dropped();
  update_interest();
}

Result<std::unique_ptr<Server>> Server::open(asio::io_context& io, const tcp::endpoint& address, Host& host,
                                             hal::Media& media, const Clock& clock, Log& log) {
  if (!address.address().is_loopback()) return fail(Errc::invalid_argument, "the page is for loopback only");
  auto server = std::unique_ptr<Server>(new Server(io, host, media, clock, log));
  boost::system::error_code ec;
  auto& acceptor = server->acceptor_;
  acceptor.open(address.protocol(), ec);
  if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) acceptor.bind(address, ec);
  if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
  if (ec == asio::error::access_denied) return fail(Errc::permission, "listen", ec.value());
  if (ec == asio::error::address_in_use) return fail(Errc::conflict, "the port is taken", ec.value());
  if (ec) return fail(Errc::io, "listen", ec.value());
  server->accept();
  return server;
}

Server::Server(asio::io_context& io, Host& host, hal::Media& media, const Clock& clock, Log& log)
    : acceptor_(io),
      log_(log),
      shared_(std::make_shared<ServerShared>(ServerShared{.host = &host,
                                                          .clock = &clock,
                                                          .media = &media,
                                                          .worker = &worker_,
                                                          .network = io.get_executor(),
                                                          .snapshots = {},
                                                          .viewers = {}})) {
  shared_->snapshots = std::make_shared<Snapshots>(io.get_executor(), host, clock, worker_, media,
                                                   [shared = shared_.get()] { shared->update_interest(); });
}

Server::~Server() { stop(); }

void Server::accept() {
  acceptor_.async_accept([this, shared = shared_](const boost::system::error_code& ec, tcp::socket peer) {
    if (ec == asio::error::operation_aborted || shared->host == nullptr) return;
    if (ec) log_.warning("the page cannot accept a connection: {}", ec.message());
    // Too many: `peer` is closed here.
    if (!ec && shared->connections < ServerShared::max_connections) start_connection(std::move(peer), shared);
    accept();
  });
}

void Server::on_picture(const DeviceId& camera, const watch::PictureInfo& picture, ByteView access_unit) {
  SharedUnit unit;
  for (auto* viewer : shared_->viewers) {
    if (!viewer->queue().watches(camera)) continue;
    if (!unit) unit = std::make_shared<const Bytes>(access_unit.begin(), access_unit.end());
    viewer->send({camera, picture, unit, false});
  }
  shared_->snapshots->on_picture(camera, picture);
}

void Server::withdraw(const DeviceId& camera) {
  for (auto* viewer : shared_->viewers) viewer->withdraw(camera);
  shared_->snapshots->withdraw(camera);
}

void Server::tick() {
  if (shared_->host == nullptr) return;
  shared_->snapshots->tick();
  const auto viewers = shared_->viewers;  // some may go
  for (auto* viewer : viewers) viewer->tick();
}

void Server::broadcast_state() {
  if (shared_->viewers.empty()) return;
  const auto state = shared_->host->state();
  for (auto* viewer : shared_->viewers) viewer->send_state(state);
}

void Server::stop() {
  if (shared_->host == nullptr) return;
  shared_->host = nullptr;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  shared_->snapshots->stop();
  const auto viewers = shared_->viewers;
  for (auto* viewer : viewers) viewer->close();
}

std::string Server::address() const {
  boost::system::error_code ec;
  const auto bound = acceptor_.local_endpoint(ec);
  const auto host = bound.address().to_string();
  return bound.address().is_v6() ? std::format("[{}]:{}", host, bound.port())
                                 : std::format("{}:{}", host, bound.port());
}

std::uint64_t Server::dropped() const noexcept {
  auto sum = shared_->dropped;
  for (const auto* viewer : shared_->viewers) sum += viewer->queue().dropped();
  return sum;
}

}  // namespace sealcam::hub::web
