// SPDX-License-Identifier: Apache-2.0
/// HTTP and WebSocket server for this machine. It accepts 32 connections. A request must arrive within 10 s, with at
/// most 8 KiB of header and no body. Thread-bound to the network thread.
#pragma once

#include <memory>
#include <string>

#include "base/log.hpp"
#include "hub/web/server_shared.hpp"

namespace boost::asio {
class io_context;
}

namespace sealcam::hub::web {

class Server {
 public:
  /// Listens on `host`, a numeric loopback address; port 0 lets the system choose one. All references must outlive the
  /// server. The server uses `media` on a thread of its own.
  /// `archive`: the recordings of the hub; null if it has none. The server reads it on threads of its own.
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
