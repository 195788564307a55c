// SPDX-License-Identifier: Apache-2.0
/// Whoever gets pictures as they come: a page's WebSocket, a player's stream.
#pragma once

#include <string>

#include "hub/web/client_queue.hpp"

namespace sealcam::hub::web {

/// Lives as long as its handlers, and is in ServerShared::viewers while it takes pictures. What its queue watches is
/// asked of the cameras. Thread-bound.
class Viewer {
 public:
  virtual void send(QueuedPicture picture) = 0;
  virtual void send_state(const std::string& text) = 0;
  /// Nothing of this camera may be shown any more, also nothing that waits. Called from within the watcher, so nobody's
  /// interest may change in it.
  virtual void withdraw(const DeviceId& camera) = 0;
  /// About ten times a second.
  virtual void tick() = 0;
  virtual void close() = 0;
  [[nodiscard]] const ClientQueue& queue() const noexcept { return queue_; }

 protected:
  ~Viewer() = default;
  ClientQueue queue_;
};

}  // namespace sealcam::hub::web
