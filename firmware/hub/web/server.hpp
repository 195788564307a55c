// SPDX-License-Identifier: Apache-2.0
/// HTTP and WebSocket server for this machine, its interface to the hub, and the data that all connections share. It
/// accepts 32 connections. A request must arrive within 10 s, with at most 32 KiB of header and no body. Only
/// connection.cpp includes Boost.Beast. Thread-bound to the network thread.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "hal/media.hpp"
#include "hub/access/access.hpp"
#include "recordings/archive.hpp"
#include "watch/picture_sink.hpp"

namespace sealcam::hub::web {

class RecordingPool;
class Snapshots;
class WebSession;
class Worker;

/// The functions of the hub that the web server uses.
class WebBackend {
 public:
  [[nodiscard]] virtual std::string hello() const = 0;
  [[nodiscard]] virtual std::string state() const = 0;
  /// The metrics in Prometheus' text format.
  [[nodiscard]] virtual std::string metrics() const = 0;
  [[nodiscard]] virtual std::set<DeviceId> cameras() const = 0;
  [[nodiscard]] virtual std::vector<watch::CameraStatus> statuses() const = 0;
  /// Null without a cached group.
  [[nodiscard]] virtual const watch::PictureGroup* newest(const DeviceId& camera) const = 0;
  /// Errors: not_found, permission (the camera's roster does not allow it), connection.
  [[nodiscard]] virtual Result<> switch_privacy(const DeviceId& camera, bool on) = 0;
  /// The cameras that all pages, streams and snapshots together need.
  virtual void on_interest(bool all, std::set<DeviceId> cameras) = 0;

 protected:
  ~WebBackend() = default;
};

/// Runs a job on the network thread. Thread-safe.
using NetworkPost = std::function<void(std::move_only_function<void()>)>;

/// Pending handlers keep it alive, also after the end of the server.
struct ServerShared {
  static constexpr std::size_t max_connections = 32;
  /// Null after the server stopped. The pointers up to `archive` are then invalid, too.
  WebBackend* backend;
  access::Access* access;
  const Clock* clock;
  hal::Media* media;  ///< used by the worker's jobs
  Worker* worker;
  RecordingPool* recording_pool;  ///< null without an archive
  recordings::Archive* archive;   ///< used by the pool's jobs
  NetworkPost post;               ///< for the results of the worker's jobs
  std::shared_ptr<Snapshots> snapshots;
  std::vector<WebSession*> sessions;  ///< open ones; each removes itself
  std::uint16_t port = 0;             ///< of the listening socket
  std::size_t connections = 0;
  std::uint64_t dropped = 0;  ///< pictures, by sessions that ended

  /// Reports to the backend which cameras sessions and snapshots need.
  void update_interest() const;
  /// A session that ended.
  void remove(WebSession& session);
};

/// Counts one connection during its lifetime.
class ConnectionCount {
 public:
  explicit ConnectionCount(std::shared_ptr<ServerShared> shared) : shared_(std::move(shared)) {
    ++shared_->connections;
  }
  ConnectionCount(ConnectionCount&&) noexcept = default;
  ConnectionCount& operator=(ConnectionCount&&) = delete;
  ~ConnectionCount() {
    if (shared_) --shared_->connections;
  }
  [[nodiscard]] ServerShared& shared() const noexcept { return *shared_; }

 private:
  std::shared_ptr<ServerShared> shared_;
};

/// Pending handlers keep the connection alive.
void start_connection(boost::asio::ip::tcp::socket peer, std::shared_ptr<ServerShared> shared);

}  // namespace sealcam::hub::web

namespace boost::asio {
class io_context;
}

namespace sealcam::hub::web {

class Server {
 public:
  /// Listens on `host`, a numeric loopback address; port 0 lets the system choose one. All references must outlive the
  /// server. The server uses `media` on a separate thread.
  /// `archive`: the recordings of the hub; null if it has none. The server reads it on separate threads.
  /// Errors: invalid_argument (no loopback address), permission, conflict (the port is in use), io.
  [[nodiscard]] static Result<std::unique_ptr<Server>> open(boost::asio::io_context& io, const std::string& host,
                                                            std::uint16_t port, WebBackend& backend,
                                                            access::Access& access, hal::Media& media,
                                                            const Clock& clock, Log& log,
                                                            recordings::Archive* archive = nullptr);
  ~Server();

  void on_picture(const DeviceId& camera, const watch::PictureInfo& picture, ByteView access_unit);
  /// The camera is blocked: drops its queued pictures, ends its streams, rejects its snapshots. The watcher may be the
  /// caller.
  void withdraw(const DeviceId& camera);
  /// Ends requests and streams that time out, and sessions whose token was deleted. Call this about ten times a second.
  void tick();
  /// Sends the hub's state to every page.
  void broadcast_state();
  /// Closes the listening socket and all connections.
  void stop();

  /// The bound address and port.
  [[nodiscard]] std::string address() const;
  [[nodiscard]] std::size_t clients() const noexcept { return shared_->sessions.size(); }
  /// Pictures dropped because a client was slow.
  [[nodiscard]] std::uint64_t dropped() const noexcept;

 private:
  class Listener;
  Server(boost::asio::io_context& io, WebBackend& backend, access::Access& access, hal::Media& media,
         const Clock& clock, recordings::Archive* archive);

  std::shared_ptr<ServerShared> shared_;
  std::unique_ptr<Worker> worker_;                 // its destructor ends the jobs, which use `shared_`
  std::unique_ptr<RecordingPool> recording_pool_;  // as `worker_`, which its jobs use
  std::unique_ptr<Listener> listener_;
};

}  // namespace sealcam::hub::web
