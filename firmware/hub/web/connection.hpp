// SPDX-License-Identifier: Apache-2.0
/// One HTTP connection: reads requests, answers them, or becomes a WebSocket.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "hub/web/server.hpp"

namespace sealcam::hub::web {

/// Lives as long as its handlers.
void start_connection(boost::asio::ip::tcp::socket peer, std::shared_ptr<ServerShared> shared);

/// Counts one connection as long as it lives.
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
