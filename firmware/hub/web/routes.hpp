// SPDX-License-Identifier: Apache-2.0
/// Requests and answers of the web server without their connection: the answers for the page, /api/state and /metrics,
/// and the credentials of a request: the cookie of a browser (RFC 6265), Bearer (RFC 6750) and Basic (RFC 7617).
/// Reentrant.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hub/access/access.hpp"
#include "hub/web/server.hpp"

namespace sealcam::hub::web {

/// The parts of an HTTP request that the hub uses.
struct Request {
  enum class Method : std::uint8_t { get, head, erase, other } method = Method::get;
  std::string target;
  std::vector<std::string> hosts;    ///< the values of all Host fields
  std::vector<std::string> origins;  ///< the values of all Origin fields
  /// The values of all fields Authorization, Cookie, Sec-Fetch-Site, Sec-Fetch-Mode, Sec-Fetch-Dest, Sec-Purpose.
  std::vector<std::string> authorizations, cookies, fetch_sites, fetch_modes, fetch_dests, purposes;
  bool http_1_0 = false;
  bool has_body = false;
  bool keep_alive = true;

  /// A page of another site, port or file is the reason for the request (W3C Fetch Metadata). Programs other than
  /// browsers send no such field.
  [[nodiscard]] bool cross_site() const;
};

struct Response {
  unsigned status = 200;
  std::vector<std::pair<std::string_view, std::string>> fields;  ///< the names exist until the program ends
  std::string body;

  /// Replaces a field of this name.
  void set(std::string_view name, std::string value);
};

/// The bytes of a response (RFC 9112). A response to HEAD has no body.
[[nodiscard]] std::string to_http(const Request& request, const Response& response);
/// The bytes before a body without length: the body ends with the connection, which every player understands.
/// `more`: further fields, each with its line end.
[[nodiscard]] std::string stream_head(const Request& request, std::string_view type, std::string_view more = {});

/// The answers for the page, /api/state and /metrics; 404 for other paths. Includes reject(). Never fails.
[[nodiscard]] Response respond(const Request& request, const WebBackend& backend);
/// The rejection if Host, Origin, the site or the method are wrong, or there is a body. It depends on nothing else.
/// Only recordings accept DELETE.
[[nodiscard]] std::optional<Response> reject(const Request& request);
/// True if Host and Origin belong to the page of this machine and the request is not cross-site. A link may lead to
/// /open from everywhere, because it needs a code.
[[nodiscard]] bool allowed(const Request& request);
[[nodiscard]] Response respond_with(unsigned status, std::string_view type, std::string body);
/// A file of a page, with its type by `name`, its Content-Security-Policy, and the permissions that a page has.
[[nodiscard]] Response page_response(std::string_view name, std::string content, std::string_view policy);
/// The target without its query.
[[nodiscard]] constexpr std::string_view path_of(std::string_view target) noexcept {
  return target.substr(0, target.find('?'));
}
/// A text for people.
[[nodiscard]] Response plain(unsigned status, std::string_view text);
/// 405 with the methods that are allowed.
[[nodiscard]] Response method_rejection(std::string_view allowed, std::string_view text);

/// Every web page in a browser of this machine can send requests to a loopback address. The check of Host prevents DNS
/// rebinding. True for `localhost`, also with a dot at its end, `127.0.0.1` or `[::1]`, with or without a port.
[[nodiscard]] bool host_allowed(std::string_view host) noexcept;
/// The check of Origin rejects scripts of other pages. True without an origin (not a browser), and for `http://` and
/// the value of Host.
[[nodiscard]] bool origin_allowed(std::string_view origin, std::string_view host) noexcept;

/// A file of page/. CMake embeds all of them.
struct PageFile {
  std::string_view name;
  std::string_view content;
};
[[nodiscard]] std::span<const PageFile> page_files() noexcept;

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
