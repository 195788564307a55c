// SPDX-License-Identifier: Apache-2.0
/// A player that receives MPEG-TS over HTTP.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>

#include "hub/web/routes.hpp"

namespace sealcam::hub::web {

/// A stream ends after this time without a LIVE picture.
inline constexpr std::chrono::seconds stream_timeout{10};
/// A stream ends after this time in which the player took nothing.
inline constexpr std::chrono::seconds player_timeout{30};

/// Sends only LIVE pictures. While the camera is STALE the stream pauses; it continues with a key frame. The answer is
/// 503 if there was no LIVE picture at all. The answer to HEAD comes at the same time as that to GET, without pictures.
/// `request`: reject() accepted it.
/// `token`: the stream ends when this token is deleted.
void start_live_stream(boost::asio::ip::tcp::socket socket, Request request, ConnectionCount count,
                       const DeviceId& camera, const access::TokenHash& token);

}  // namespace sealcam::hub::web
