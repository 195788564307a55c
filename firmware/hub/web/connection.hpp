// SPDX-License-Identifier: Apache-2.0
/// One TCP connection: answers HTTP requests, or becomes a WebSocket (RFC 6455) or a stream. Only this file's source
/// includes Boost.Beast.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "hub/web/server_shared.hpp"

namespace sealcam::hub::web {

/// Pending handlers keep the connection alive.
void start_connection(boost::asio::ip::tcp::socket peer, std::shared_ptr<ServerShared> shared);

}  // namespace sealcam::hub::web
