// SPDX-License-Identifier: Apache-2.0
/// sealcam.json, which a person puts onto the card's first partition:
/// {"name": "front-door", "wifi": {"ssid": "My network", "psk": "its passphrase"}, "country": "DE"}. All are optional.
/// {"hidden": true} beside ssid and psk is a network that does not say its name.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/wifi.hpp"

namespace sealcam::appliance {

inline constexpr std::size_t largest_settings = std::size_t{16} * 1024;  ///< bytes of the file
inline constexpr std::size_t largest_host_name = 63;                     ///< RFC 1123 section 2.1: one label

struct Settings {
  std::string host_name;  ///< empty: none was given
  std::optional<protocol::Wifi> wifi;
  bool wifi_hidden = false;  ///< the network does not say its name: it is to be called by it
  std::string country;  ///< ISO 3166-1 alpha-2 in capitals, or empty; whether there is such a country is not looked up
};

/// A host name made of what people call a camera: "Front door" becomes "front-door". Letters, digits and hyphens of
/// ASCII stay, everything between them becomes one hyphen. Empty when nothing is left.
[[nodiscard]] std::string host_name_of(std::string_view name);

/// Reads it strictly; an unknown setting is an error. The error is a sentence for people and never holds a passphrase.
[[nodiscard]] std::expected<Settings, std::string> parse_settings(std::string_view json);

}  // namespace sealcam::appliance
