// SPDX-License-Identifier: Apache-2.0
/// One WebSocket client (RFC 6455): gets hello, states and the pictures it asked for.
#pragma once

#include <boost/beast/core/tcp_stream.hpp>

#include "hub/web/connection.hpp"
#include "hub/web/routes.hpp"

namespace sealcam::hub::web {

/// `request` is a checked upgrade to /ws.
void start_socket(boost::beast::tcp_stream stream, Request request, ConnectionCount count);

}  // namespace sealcam::hub::web
