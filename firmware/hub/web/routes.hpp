// SPDX-License-Identifier: Apache-2.0
/// Answers to plain HTTP requests, from a table in routes.cpp. The WebSocket, snapshots and streams are not among them:
/// connection.cpp knows these.
#pragma once

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>

#include "hub/web/host.hpp"

namespace sealcam::hub::web {

using Request = boost::beast::http::request<boost::beast::http::empty_body>;
using Response = boost::beast::http::response<boost::beast::http::string_body>;

/// Host, Origin and method are checked first. Never fails.
[[nodiscard]] Response respond(const Request& request, const Host& host);

/// True when Host and Origin are those of this machine's own page.
[[nodiscard]] bool allowed(const Request& request);

/// What is said when Host, Origin or method are wrong.
[[nodiscard]] std::optional<Response> refuse(const Request& request);

[[nodiscard]] Response respond_with(const Request& request, boost::beast::http::status status, std::string_view type,
                                    std::string body);
/// A sentence for people.
[[nodiscard]] Response plain(const Request& request, boost::beast::http::status status, std::string_view text);

}  // namespace sealcam::hub::web
