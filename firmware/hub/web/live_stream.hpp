// SPDX-License-Identifier: Apache-2.0
/// One player that gets MPEG-TS over HTTP.
#pragma once

#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>

#include "hub/web/connection.hpp"
#include "hub/web/routes.hpp"

namespace sealcam::hub::web {

/// Without a LIVE picture for so long a stream ends.
inline constexpr std::chrono::seconds stream_patience{10};
/// A player that takes nothing for so long is gone.
inline constexpr std::chrono::seconds player_patience{30};

/// Only LIVE pictures get into the stream: while the camera is STALE it stands still, and goes on at a key frame. When
/// there is nothing to begin with the answer is 503. `request` is a checked GET.
void start_live_stream(boost::beast::tcp_stream stream, Request request, ConnectionCount count, const DeviceId& camera);

}  // namespace sealcam::hub::web
