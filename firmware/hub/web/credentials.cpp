// SPDX-License-Identifier: Apache-2.0
#include "hub/web/credentials.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/bytes.hpp"
#include "base/format.hpp"

namespace sealcam::hub::web {
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
  // A browser sends a SameSite=Strict cookie only after a page of this hub led to the page. So the answer to a link in
  // a file is a page of its own that refreshes itself.
  const bool link = request.cross_site();
  auto response = plain(link ? 200 : 303, "Opening the page: /");
  response.set(link ? "Refresh" : "Location", link ? "0; url=/" : "/");
  response.set("Set-Cookie", sealcam::format("{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict", cookie_name(port),
                                             *token, cookie_time.count()));
  return response;
}

}  // namespace sealcam::hub::web
