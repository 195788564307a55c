// SPDX-License-Identifier: Apache-2.0
#include "hal/networkmanager/card.hpp"

#include <algorithm>
#include <string_view>

namespace sealcam::hal::networkmanager {

static constexpr std::uint32_t wireless = 2;     // NM_DEVICE_TYPE_WIFI
static constexpr std::size_t most_paths = 1000;  // each is asked about, one after the other

std::optional<Card> read_card(const std::string& path, sd_bus_message& properties) {
  std::uint32_t type = 0, state = 0;
  if (::sd_bus_message_enter_container(&properties, 'a', "{sv}") < 0) return std::nullopt;
  while (::sd_bus_message_enter_container(&properties, 'e', "sv") > 0) {
    const char* name = nullptr;
    if (::sd_bus_message_read(&properties, "s", &name) < 0) return std::nullopt;
    const std::string_view key = name;
    int r = 0;
    if (key == "DeviceType") r = ::sd_bus_message_read(&properties, "v", "u", &type);
    else if (key == "State") r = ::sd_bus_message_read(&properties, "v", "u", &state);
    else r = ::sd_bus_message_skip(&properties, "v");
    if (r < 0 || ::sd_bus_message_exit_container(&properties) < 0) return std::nullopt;
  }
  if (type != wireless) return std::nullopt;
  return Card{path, static_cast<CardState>(state)};
}

std::expected<Card, JoinFault> choose(const std::vector<Card>& cards) {
  const auto best = std::ranges::max_element(cards, {}, &Card::state);
  if (best == cards.end() || best->state <= CardState::unmanaged) return std::unexpected(JoinFault::no_card);
  if (best->state <= CardState::unavailable) return std::unexpected(JoinFault::switched_off);
  return *best;
}

std::vector<std::string> read_paths(sd_bus_message& reply) {
  std::vector<std::string> paths;
  if (::sd_bus_message_enter_container(&reply, 'a', "o") < 0) return paths;
  const char* path = nullptr;
  while (paths.size() < most_paths && ::sd_bus_message_read(&reply, "o", &path) > 0) paths.emplace_back(path);
  return paths;
}

std::string read_path(sd_bus_message& reply) {
  const char* path = nullptr;
  return ::sd_bus_message_read(&reply, "o", &path) > 0 ? path : "";
}

std::uint32_t read_number(sd_bus_message& reply) {
  std::uint32_t number = 0;
  return ::sd_bus_message_read(&reply, "v", "u", &number) > 0 ? number : 0;
}

JoinFault fault_of(std::uint32_t reason) noexcept {
  switch (reason) {
    case 7:  // NO_SECRETS: asked for another passphrase, and nobody is there to answer
    case 8:  // SUPPLICANT_DISCONNECT
      return JoinFault::refused;
    case 11:  // SUPPLICANT_TIMEOUT
    case 53:  // SSID_NOT_FOUND
      return JoinFault::not_found;
    case 5:   // IP_CONFIG_UNAVAILABLE
    case 6:   // IP_CONFIG_EXPIRED
    case 15:  // DHCP_START_FAILED
    case 16:  // DHCP_ERROR
    case 17:  // DHCP_FAILED
      return JoinFault::no_address;
    default: return JoinFault::other;
  }
}

JoinFault fault_of(CardState reached) noexcept {
  if (reached >= CardState::activated) return JoinFault::other;
  if (reached >= CardState::ip_config) return JoinFault::no_address;
  if (reached >= CardState::need_auth) return JoinFault::refused;
  return JoinFault::not_found;
}

}  // namespace sealcam::hal::networkmanager
