// SPDX-License-Identifier: Apache-2.0
/// The interface between the web server and the hub, and the data that all connections share. Thread-bound to the
/// network thread.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

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

}  // namespace sealcam::hub::web
