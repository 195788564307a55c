// SPDX-License-Identifier: Apache-2.0
#include "hal/networkmanager/wifi_adapter.hpp"

#include <algorithm>
#include <string_view>

namespace sealcam::hal::networkmanager {

static constexpr std::uint32_t wireless = 2;  // NM_DEVICE_TYPE_WIFI

std::optional<WifiAdapter> read_adapter(const std::string& path, sd_bus_message& properties) {
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
  return WifiAdapter{path, static_cast<WifiAdapterState>(state)};
}

std::expected<WifiAdapter, JoinFault> choose(const std::vector<WifiAdapter>& adapters) {
  const auto best = std::ranges::max_element(adapters, {}, &WifiAdapter::state);
  if (best == adapters.end() || best->state <= WifiAdapterState::unmanaged)
    return std::unexpected(JoinFault::no_adapter);
  if (best->state <= WifiAdapterState::unavailable) return std::unexpected(JoinFault::switched_off);
  return *best;
}

JoinFault fault_of(std::uint32_t reason) noexcept {
  switch (reason) {
    case 7:  // NO_SECRETS: NetworkManager needs another passphrase
    case 8:  // SUPPLICANT_DISCONNECT
      return JoinFault::rejected;
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

JoinFault fault_of(WifiAdapterState reached) noexcept {
  if (reached >= WifiAdapterState::activated) return JoinFault::other;
  if (reached >= WifiAdapterState::ip_config) return JoinFault::no_address;
  if (reached >= WifiAdapterState::need_auth) return JoinFault::rejected;
  return JoinFault::not_found;
}

}  // namespace sealcam::hal::networkmanager
