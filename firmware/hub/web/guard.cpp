// SPDX-License-Identifier: Apache-2.0
#include "hub/web/guard.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace sealcam::hub::web {
namespace {

bool same(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

bool is_port(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 5 &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c) != 0; });
}

}  // namespace

bool host_allowed(std::string_view host) noexcept {
  static constexpr std::array<std::string_view, 3> names{"localhost", "127.0.0.1", "[::1]"};
  for (const auto name : names) {
    if (host.size() < name.size() || !same(host.substr(0, name.size()), name)) continue;
    const auto rest = host.substr(name.size());
    if (rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)))) return true;
  }
  return false;
}

bool origin_allowed(std::string_view origin, std::string_view host) noexcept {
  static constexpr std::string_view scheme = "http://";
  if (origin.empty()) return true;
  return origin.size() > scheme.size() && same(origin.substr(0, scheme.size()), scheme) &&
         same(origin.substr(scheme.size()), host);
}

}  // namespace sealcam::hub::web
