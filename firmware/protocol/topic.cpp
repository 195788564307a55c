// SPDX-License-Identifier: Apache-2.0
#include "protocol/topic.hpp"

#include <array>
#include <format>

namespace sealcam::protocol {

namespace {

constexpr std::string_view prefix = "sealcam/1/";
constexpr std::array leaves{Leaf::roster, Leaf::command, Leaf::grants, Leaf::video, Leaf::still, Leaf::status};

std::string base(const Route& route) {
  return std::format("{}{}/{}/", prefix, route.account.to_string(), route.camera.to_string());
}

/// Cuts the part up to the next slash off `rest`.
std::string_view level(std::string_view& rest) {
  const auto slash = rest.find('/');
  const auto part = rest.substr(0, slash);
  rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  return part;
}

}  // namespace

std::string_view name(Leaf leaf) noexcept {
  switch (leaf) {
    case Leaf::roster: return "roster";
    case Leaf::command: return "command";
    case Leaf::grants: return "grants";
    case Leaf::video: return "video";
    case Leaf::still: return "still";
    case Leaf::status: return "status";
    case Leaf::ask: return "ask";
  }
  return "";
}

std::string topic(const Route& route, Leaf leaf) {
  SC_ASSERT(leaf != Leaf::ask);
  return base(route) + std::string(name(leaf));
}
std::string ask_topic(const Route& route, const DeviceId& hub) { return base(route) + "ask/" + hub.to_string(); }
std::string ask_filter(const Route& route) { return base(route) + "ask/+"; }
std::string account_filter(const AccountId& account, Leaf leaf) {
  return std::format("{}{}/+/{}", prefix, account.to_string(), name(leaf));
}

Result<Topic> parse_topic(std::string_view text) {
  if (!text.starts_with(prefix)) return fail(Errc::malformed, "topic of another protocol");
  auto rest = text.substr(prefix.size());
  const auto account = AccountId::parse(level(rest));
  if (!account) return std::unexpected(account.error());
  const auto camera = DeviceId::parse(level(rest));
  if (!camera) return std::unexpected(camera.error());
  Topic parsed{{*account, *camera}, Leaf::ask, {}};
  for (Leaf leaf : leaves) {
    if (rest != name(leaf)) continue;
    parsed.leaf = leaf;
    return parsed;
  }
  if (!rest.starts_with("ask/")) return fail(Errc::malformed, "unknown topic");
  const auto hub = DeviceId::parse(rest.substr(4));
  if (!hub) return std::unexpected(hub.error());
  parsed.hub = *hub;
  return parsed;
}

}  // namespace sealcam::protocol
