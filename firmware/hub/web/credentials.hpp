// SPDX-License-Identifier: Apache-2.0
/// Credentials of HTTP requests: the cookie of a browser (RFC 6265), Bearer (RFC 6750) and Basic (RFC 7617), and the
/// answers to requests without one. Reentrant.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "hub/access/access.hpp"
#include "hub/web/routes.hpp"

namespace sealcam::hub::web {

/// The path that exchanges a one-time code for a cookie: /open?code=CODE.
inline constexpr std::string_view open_path = "/open";

/// The tokens of a request. If it has an Authorization field, its cookies do not count. Cookies do not belong to a
/// port, so another server of this machine can add some: each one with the right name is returned.
[[nodiscard]] std::vector<std::string> presented_tokens(const Request& request, std::uint16_t port);

/// The cookie of the hub with this port. Browsers share cookies between all ports of a machine.
[[nodiscard]] std::string cookie_name(std::uint16_t port);

/// The right that a request needs. The same for all cameras, known or not. Deleting recordings needs `privacy`, which
/// browsers have, because programs that only show pictures must not be able to destroy evidence.
[[nodiscard]] access::Rights needed_rights(const Request& request) noexcept;

/// The access of a request, or the answer that rejects it: 401 without a valid token, 403 if the token lacks the right.
/// The answer does not depend on cameras.
[[nodiscard]] std::expected<access::Grant, Response> authorize(const Request& request, access::Access& access,
                                                               std::uint16_t port);

/// The answer to /open. It sets the cookie and leads to the page, so the code does not stay in the address bar.
[[nodiscard]] Response open_page(const Request& request, access::Access& access, std::uint16_t port);

}  // namespace sealcam::hub::web
