// SPDX-License-Identifier: Apache-2.0
#include "appliance/settings.hpp"

#include <algorithm>

#include "appliance/radio.hpp"
#include "core/config.hpp"
#include "core/secret.hpp"

namespace sealcam::appliance {

namespace {

/// Nothing when there is no network in it; what is wrong goes to the reader.
std::optional<protocol::Wifi> read_wifi(ConfigReader& reader) {
  if (!reader.has("/wifi")) return std::nullopt;
  const auto ssid = reader.required_text("/wifi/ssid");
  auto psk = reader.required_text("/wifi/psk");
  auto passphrase = protocol::Passphrase::parse(psk);
  wipe(std::as_writable_bytes(std::span(psk)));
  if (ssid.empty() || ssid.size() > 32) {
    reader.reject("/wifi/ssid", "1 to 32 bytes");
    return std::nullopt;
  }
  if (!passphrase) {
    reader.reject("/wifi/psk", "8 to 63 printable ASCII characters");
    return std::nullopt;
  }
  const auto bytes = as_bytes(ssid);
  return protocol::Wifi{.ssid = Bytes(bytes.begin(), bytes.end()), .passphrase = std::move(*passphrase)};
}

}  // namespace

std::string host_name_of(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool kept = upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (kept) out += upper ? static_cast<char>(c - 'A' + 'a') : c;
    else if (!out.empty() && out.back() != '-') out += '-';
  }
  out.resize(std::min(out.size(), largest_host_name));
  while (out.ends_with('-')) out.pop_back();
  return out;
}

std::expected<Settings, std::string> parse_settings(std::string_view json) {
  ConfigReader reader(json);
  Settings settings;
  if (const auto name = reader.optional_text("/name")) {
    settings.host_name = host_name_of(*name);
    if (settings.host_name.empty()) reader.reject("/name", "needs a letter or a digit");
  }
  settings.wifi = read_wifi(reader);
  if (settings.wifi) settings.wifi_hidden = reader.boolean("/wifi/hidden", false);
  settings.country = reader.text("/country", "");
  if (!settings.country.empty() && !is_country(settings.country))
    reader.reject("/country", "two capital letters, like DE");
  if (auto error = reader.finish()) return std::unexpected(std::move(*error));
  return settings;
}

}  // namespace sealcam::appliance
