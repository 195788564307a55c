// SPDX-License-Identifier: Apache-2.0
#include "hub/web/routes.hpp"

#include <array>

#include "hub/web/guard.hpp"
#include "hub/web/page.hpp"

namespace sealcam::hub::web {
namespace {

namespace http = boost::beast::http;

std::string_view value(const Request& request, http::field field) {
  const auto found = request[field];
  return {found.data(), found.size()};
}

Response make(const Request& request, http::status status, std::string_view type, std::string body) {
  Response response(status, request.version());
  response.set(http::field::content_type, type);
  response.set(http::field::cache_control, "no-store");
  response.set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
  response.set("X-Content-Type-Options", "nosniff");
  response.set("Referrer-Policy", "no-referrer");
  response.set("Cross-Origin-Resource-Policy", "same-origin");
  response.keep_alive(request.keep_alive());
  response.body() = std::move(body);
  const auto size = response.body().size();
  if (request.method() == http::verb::head) response.body().clear();
  response.content_length(size);
  return response;
}

Response state(const Request& request, const Host& host) {
  return make(request, http::status::ok, "application/json", host.state());
}

Response page(const Request& request, const PageFile& file) {
  auto response = make(request, http::status::ok, file.type, std::string(file.content));
  response.set("Content-Security-Policy", page_policy);
  response.set("Cross-Origin-Opener-Policy", "same-origin");
  response.set("Permissions-Policy", page_permissions);
  return response;
}

Response metrics(const Request& request, const Host& host) {
  return make(request, http::status::ok, "text/plain; version=0.0.4; charset=utf-8", host.metrics());
}

struct Route {
  std::string_view path;
  Response (*answer)(const Request&, const Host&);
};
constexpr std::array routes{Route{"/api/state", state}, Route{"/metrics", metrics}};

}  // namespace

bool allowed(const Request& request) {
  if (request.count(http::field::host) != 1 || request.count(http::field::origin) > 1) return false;
  const auto host = value(request, http::field::host);
  return host_allowed(host) && origin_allowed(value(request, http::field::origin), host);
}

Response plain(const Request& request, http::status status, std::string_view text) {
  return make(request, status, "text/plain; charset=utf-8", std::string(text) + "\n");
}

Response respond_with(const Request& request, http::status status, std::string_view type, std::string body) {
  return make(request, status, type, std::move(body));
}

std::optional<Response> refuse(const Request& request) {
  if (!allowed(request)) return plain(request, http::status::forbidden, "This hub answers its own machine only.");
  if (request.method() != http::verb::get && request.method() != http::verb::head)
    return plain(request, http::status::method_not_allowed, "Only GET and HEAD.");
  return std::nullopt;
}

Response respond(const Request& request, const Host& host) {
  if (auto refusal = refuse(request)) return std::move(*refusal);
  const std::string_view target(request.target().data(), request.target().size());
  const auto path = target.substr(0, target.find('?'));
  for (const auto& route : routes)
    if (route.path == path) return route.answer(request, host);
  if (const auto file = find_page_file(path)) return page(request, *file);
  return plain(request, http::status::not_found, "There is nothing here.");
}

}  // namespace sealcam::hub::web
