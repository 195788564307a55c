// SPDX-License-Identifier: Apache-2.0
#include "hub/web/routes.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/bytes.hpp"
#include "base/format.hpp"
#include "hub/web/recordings.hpp"
#include "transport/http_reader.hpp"

namespace sealcam::hub::web {
namespace {

/// Content-Security-Policy (W3C CSP 3) of the page: only its own files and its WebSocket, no inline script or style, no
/// frame of another page. Trusted Types without a policy: no text can become markup.
constexpr const char* page_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types";
/// Permissions-Policy of the page: full screen only.
constexpr const char* page_permissions =
    "fullscreen=(self), camera=(), microphone=(), geolocation=(), usb=(), serial=(), payment=()";

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

bool is_port(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 5 &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c) != 0; });
}

std::string status_line(const Request& request, unsigned status) {
  return sealcam::format("HTTP/1.{} {} {}\r\n", request.http_1_0 ? 0 : 1, status, transport::http_reason(status));
}

std::string_view type_of(std::string_view name) noexcept {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 9> types{{
      {".html", "text/html; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".webmanifest", "application/manifest+json"},
      {".json", "application/json"},
      {".txt", "text/plain; charset=utf-8"},
      {".md", "text/plain; charset=utf-8"},
  }};
  for (const auto& [suffix, type] : types)
    if (name.ends_with(suffix)) return type;
  return "application/octet-stream";
}

const PageFile* find_page_file(std::string_view path) noexcept {
  const auto name = path == "/" ? std::string_view("index.html") : path.substr(std::min<std::size_t>(1, path.size()));
  const auto files = page_files();
  const auto file = std::ranges::find(files, name, &PageFile::name);
  return path.starts_with('/') && file != files.end() ? &*file : nullptr;
}

bool is_link_to_open(const Request& request) {
  static constexpr std::string_view path = "/open";
  return path_of(request.target) == path && request.origins.empty() &&
         std::ranges::equal(request.fetch_modes, std::array{"navigate"}) &&
         std::ranges::equal(request.fetch_dests, std::array{"document"});
}

/// A health check or another simple program. Browsers always send Host, and none uses HTTP/1.0.
bool is_without_host(const Request& request) {
  return request.http_1_0 && request.hosts.empty() && request.origins.empty() && request.fetch_sites.empty() &&
         request.fetch_modes.empty() && request.fetch_dests.empty();
}

}  // namespace

void Response::set(std::string_view name, std::string value) {
  const auto field = std::ranges::find(fields, name, &decltype(fields)::value_type::first);
  if (field != fields.end()) field->second = std::move(value);
  else fields.emplace_back(name, std::move(value));
}

std::string to_http(const Request& request, const Response& response) {
  auto text = status_line(request, response.status);
  for (const auto& [name, value] : response.fields) text += sealcam::format("{}: {}\r\n", name, value);
  if (request.keep_alive == request.http_1_0)  // not the default of this version
    text += request.keep_alive ? "Connection: keep-alive\r\n" : "Connection: close\r\n";
  // RFC 9110 section 8.6: a response without content has no length; that of 304 would be the length of the file.
  if (response.status != 204 && response.status != 304)
    text += sealcam::format("Content-Length: {}\r\n", response.body.size());
  text += "\r\n";
  if (request.method != Request::Method::head) text += response.body;
  return text;
}

std::string stream_head(const Request& request, std::string_view type, std::string_view more) {
  return status_line(request, 200) +
         sealcam::format(
             "Content-Type: {}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
             "Cross-Origin-Resource-Policy: same-origin\r\n{}Connection: close\r\n\r\n",
             type, more);
}

Response respond_with(unsigned status, std::string_view type, std::string body) {
  return {.status = status,
          .fields = {{"Content-Type", std::string(type)},
                     {"Cache-Control", "no-store"},
                     {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
                     {"X-Content-Type-Options", "nosniff"},
                     {"Referrer-Policy", "no-referrer"},
                     {"Cross-Origin-Resource-Policy", "same-origin"}},
          .body = std::move(body)};
}

Response page_response(std::string_view name, std::string content, std::string_view policy) {
  auto response = respond_with(200, type_of(name), std::move(content));
  response.set("Content-Security-Policy", std::string(policy));
  response.set("Cross-Origin-Opener-Policy", "same-origin");
  response.set("Permissions-Policy", page_permissions);
  return response;
}

Response plain(unsigned status, std::string_view text) {
  return respond_with(status, "text/plain; charset=utf-8", std::string(text) + "\n");
}

Response method_rejection(std::string_view allowed, std::string_view text) {
  auto response = plain(405, text);
  response.set("Allow", std::string(allowed));
  return response;
}

bool host_allowed(std::string_view host) noexcept {
  static constexpr std::array<std::string_view, 4> names{"localhost", "localhost.", "127.0.0.1", "[::1]"};
  for (const auto name : names) {
    if (host.size() < name.size() || !equal_ignoring_case(host.substr(0, name.size()), name)) continue;
    const auto rest = host.substr(name.size());
    if (rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)))) return true;
  }
  return false;
}

bool origin_allowed(std::string_view origin, std::string_view host) noexcept {
  static constexpr std::string_view scheme = "http://";
  if (origin.empty()) return true;
  return origin.size() > scheme.size() && equal_ignoring_case(origin.substr(0, scheme.size()), scheme) &&
         equal_ignoring_case(origin.substr(scheme.size()), host);
}

bool Request::cross_site() const {
  return std::ranges::any_of(fetch_sites,
                             [](std::string_view site) { return site != "same-origin" && site != "none"; });
}

bool allowed(const Request& request) {
  if (is_without_host(request)) return true;
  if (request.hosts.size() != 1 || request.origins.size() > 1) return false;
  if (request.cross_site() && !is_link_to_open(request)) return false;
  return host_allowed(request.hosts[0]) &&
         origin_allowed(request.origins.empty() ? "" : std::string_view(request.origins[0]), request.hosts[0]);
}

std::optional<Response> reject(const Request& request) {
  if (request.hosts.size() != 1 && !is_without_host(request))  // RFC 9112 section 3.2
    return plain(400, "The request needs exactly one field Host.");
  if (!allowed(request))
    return plain(403,
                 "The hub answers only programs on this machine, and its own page. Use the address http://127.0.0.1 or "
                 "http://localhost. A page of another address cannot show its pictures.");
  const bool erases_recording = request.method == Request::Method::erase && is_recording_target(request.target);
  const bool reads = request.method == Request::Method::get || request.method == Request::Method::head;
  if ((!reads && !erases_recording) || request.has_body)
    return method_rejection("GET, HEAD", "The hub accepts only GET and HEAD, without a body.");
  return std::nullopt;
}

Response respond(const Request& request, const WebBackend& backend) {
  if (auto rejection = reject(request)) return std::move(*rejection);
  const auto path = path_of(request.target);
  if (path == "/api/state") return respond_with(200, "application/json", backend.state());
  if (path == "/metrics") return respond_with(200, "text/plain; version=0.0.4; charset=utf-8", backend.metrics());
  if (const auto* file = find_page_file(path))
    return page_response(file->name, std::string(file->content), page_policy);
  return plain(404, "The hub has no page with this address.");
}

namespace {

using access::Rights;

/// Browsers keep a cookie for 400 days at most. The hub's own limit is shorter.
constexpr std::chrono::seconds cookie_time{std::chrono::hours(400 * 24)};

constexpr std::string_view how_to_enter =
    "To open the page in a browser, run this command on the hub's machine:\n\n    sealcam-hub open\n\n"
    "As a service the hub has its own user. Then run: sudo sealcam-hub open --print\n\n"
    "Other programs need a token: sealcam-hub token create NAME --rights view\n";

std::string_view trimmed(std::string_view text) noexcept {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_scheme(std::string_view text, std::string_view scheme) noexcept {
  return std::ranges::equal(text, scheme,
                            [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

/// The password of "token:PASSWORD" in base64 (RFC 4648 section 4) with padding.
std::optional<std::string> basic_password(std::string_view text) {
  static constexpr std::string_view user = "token:";
  std::string url(text.substr(0, text.find('=')));
  if (text.size() - url.size() > 2 || text.find_first_not_of('=', url.size()) != std::string_view::npos ||
      url.find_first_of("-_") != std::string::npos)
    return std::nullopt;
  std::ranges::replace(url, '+', '-');
  std::ranges::replace(url, '/', '_');
  const auto bytes = from_base64url(url);
  if (!bytes || !as_text(*bytes).starts_with(user)) return std::nullopt;
  return std::string(as_text(*bytes).substr(user.size()));
}

std::optional<std::string> authorization_token(std::string_view value) {
  value = trimmed(value);
  const auto space = value.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto scheme = value.substr(0, space), rest = trimmed(value.substr(space));
  if (is_scheme(scheme, "bearer")) return std::string(rest);
  if (is_scheme(scheme, "basic")) return basic_password(rest);
  return std::nullopt;
}

/// Browsers show a dialog for Basic, so only other programs receive this challenge. Some players send the password of
/// an address only after it.
Response unauthorized(const Request& request, std::string_view text) {
  const bool browser = !request.fetch_sites.empty() || !request.fetch_modes.empty();
  auto response = plain(401, text);
  response.set("WWW-Authenticate", browser ? "Bearer realm=\"Sealcam hub\"" : "Basic realm=\"Sealcam hub\"");
  return response;
}

std::optional<std::string_view> code_of(std::string_view target) noexcept {
  static constexpr std::string_view before = "?code=";
  const auto query = target.substr(std::min(open_path.size(), target.size()));
  if (!query.starts_with(before)) return std::nullopt;
  return query.substr(before.size());
}

}  // namespace

std::string cookie_name(std::uint16_t port) { return sealcam::format("sealcam-{}", port); }

std::vector<std::string> presented_tokens(const Request& request, std::uint16_t port) {
  std::vector<std::string> tokens;
  if (!request.authorizations.empty()) {
    if (request.authorizations.size() > 1) return tokens;
    if (auto token = authorization_token(request.authorizations[0])) tokens.push_back(std::move(*token));
    return tokens;
  }
  const auto name = cookie_name(port);
  for (std::string_view rest : request.cookies) {
    while (!rest.empty()) {
      const auto end = rest.find(';');
      const auto pair = trimmed(rest.substr(0, end));
      const auto equals = pair.find('=');
      if (equals != std::string_view::npos && pair.substr(0, equals) == name)
        tokens.emplace_back(pair.substr(equals + 1));
      rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
    }
  }
  return tokens;
}

Rights needed_rights(const Request& request) noexcept {
  if (request.method == Request::Method::erase) return Rights::privacy;
  return path_of(request.target) == "/metrics" ? Rights::metrics : Rights::view;
}

std::expected<access::Grant, Response> authorize(const Request& request, access::Access& access, std::uint16_t port) {
  std::optional<access::Grant> grant;
  for (const auto& token : presented_tokens(request, port)) {
    const auto found = access.find(token);
    if (found && (!grant || allows(found->rights, grant->rights))) grant = found;
  }
  if (!grant)
    return std::unexpected(
        unauthorized(request, std::string("This hub needs an access token.\n\n") + std::string(how_to_enter)));
  if (const auto needed = needed_rights(request); !allows(grant->rights, needed))
    return std::unexpected(plain(403, needed == Rights::privacy
                                          ? "Deleting recordings needs a token with the right privacy."
                                          : "This token gives access to /metrics only."));
  return *grant;
}

Response open_page(const Request& request, access::Access& access, std::uint16_t port) {
  if (request.method != Request::Method::get)
    return method_rejection("GET", "The hub accepts only GET for this address.");
  const bool prefetch =
      std::ranges::any_of(request.purposes, [](const std::string& purpose) { return purpose.contains("prefetch"); });
  if (prefetch) return plain(503, "The hub does not answer prefetches of this address.");
  const auto code = code_of(request.target);
  const auto token = code ? access.redeem(*code) : fail(Errc::not_found, "no code");
  if (!token && token.error().code == Errc::exhausted) {
    auto response = plain(429, "Too many wrong codes. Wait a minute, then run: sealcam-hub open");
    response.set("Retry-After", "60");
    return response;
  }
  if (!token && token.error().code == Errc::crypto) return plain(500, "The hub cannot make a token. See its log.");
  if (!token)
    return unauthorized(request, std::string("This address was used before, or is older than 60 seconds.\n\n") +
                                     std::string(how_to_enter));
  // A browser sends a SameSite=Strict cookie only after a page of this hub led to the page. So the answer to a link
  // in a file is a small page that refreshes itself.
  const bool link = request.cross_site();
  auto response = plain(link ? 200 : 303, "Opening the page: /");
  response.set(link ? "Refresh" : "Location", link ? "0; url=/" : "/");
  response.set("Set-Cookie", sealcam::format("{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict", cookie_name(port),
                                             *token, cookie_time.count()));
  return response;
}

}  // namespace sealcam::hub::web
