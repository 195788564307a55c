// SPDX-License-Identifier: Apache-2.0
/// HTTP and WebSocket on loopback, in the network thread. At most 32 connections; a request has 10 s, 8 KiB of header
/// and no body.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>
#include <vector>

#include "core/log.hpp"
#include "hal/media.hpp"
#include "hub/web/host.hpp"
#include "hub/web/snapshots.hpp"
#include "hub/web/worker.hpp"

namespace sealcam::hub::web {

class Viewer;

/// What connections share with their server. It outlives the server when handlers are still under way.
struct ServerShared {
  static constexpr std::size_t max_connections = 32;
  Host* host;  ///< null once the server stopped; then media and worker are not to be used, too
  const Clock* clock;
  hal::Media* media;  ///< for jobs of the worker
  Worker* worker;
  boost::asio::any_io_executor network;  ///< where the worker's results go
  std::shared_ptr<Snapshots> snapshots;
  std::vector<Viewer*> viewers;  ///< open ones; each takes itself out
  std::size_t connections = 0;
  std::uint64_t dropped = 0;  ///< pictures, by clients that are gone

  /// Tells the host what viewers and snapshots together want.
  void update_interest() const;
  /// A viewer takes no more pictures.
  void leave(Viewer& viewer);
};

/// Thread-bound.
class Server {
 public:
  /// `address`: loopback only. `io`, `host`, `media`, `clock`, `log` outlive the server. `media` is used on a thread of
  /// the server's own. Errors: invalid_argument (not loopback), permission, conflict (the port is taken), io.
  [[nodiscard]] static Result<std::unique_ptr<Server>> open(boost::asio::io_context& io,
                                                            const boost::asio::ip::tcp::endpoint& address, Host& host,
                                                            hal::Media& media, const Clock& clock, Log& log);
  ~Server();

  void on_picture(const DeviceId& camera, const watch::PictureInfo& picture, ByteView access_unit);
  /// Nothing of this camera may be shown any more: what waits for viewers goes, its streams end, its snapshots fail.
  /// May be called from within the watcher.
  void withdraw(const DeviceId& camera);
  /// About ten times a second: what ends by itself.
  void tick();
  /// Sends the host's state to every page.
  void broadcast_state();
  /// No new connections; open ones are closed.
  void stop();

  /// Address and port as bound.
  [[nodiscard]] std::string address() const;
  [[nodiscard]] std::size_t clients() const noexcept { return shared_->viewers.size(); }
  [[nodiscard]] std::uint64_t dropped() const noexcept;

 private:
  Server(boost::asio::io_context& io, Host& host, hal::Media& media, const Clock& clock, Log& log);
  void accept();

  boost::asio::ip::tcp::acceptor acceptor_;
  Log& log_;
  std::shared_ptr<ServerShared> shared_;
  Worker worker_;  // last: its jobs end before what they use
};

}  // namespace sealcam::hub::web
