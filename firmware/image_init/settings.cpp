// SPDX-License-Identifier: Apache-2.0
#include "image_init/settings.hpp"

#include <algorithm>

#include "base/config.hpp"
#include "base/file.hpp"
#include "base/format.hpp"

namespace sealcam::image_init {

namespace {

/// Nothing if the settings have no network. The reader collects the errors.
std::optional<protocol::Wifi> read_wifi(ConfigReader& reader) {
  if (!reader.has("/wifi")) return std::nullopt;
  const auto ssid = reader.required_text("/wifi/ssid");
  auto psk = reader.required_text("/wifi/psk");
  auto passphrase = protocol::Passphrase::parse(psk);
  wipe(std::as_writable_bytes(std::span(psk)));
  if (ssid.empty() || ssid.size() > 32) {
    reader.reject("/wifi/ssid", "must have 1 to 32 bytes");
    return std::nullopt;
  }
  if (!passphrase) {
    reader.reject("/wifi/psk", "must have 8 to 63 printable ASCII characters");
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
  out.resize(std::min(out.size(), max_host_name));
  while (out.ends_with('-')) out.pop_back();
  return out;
}

std::expected<Settings, std::string> parse_settings(std::string_view json) {
  ConfigReader reader(json);
  Settings settings;
  if (const auto name = reader.optional_text("/name")) {
    settings.host_name = host_name_of(*name);
    if (settings.host_name.empty()) reader.reject("/name", "must contain a letter or a digit");
  }
  settings.wifi = read_wifi(reader);
  if (settings.wifi) settings.wifi_hidden = reader.boolean("/wifi/hidden", false);
  settings.country = reader.text("/country", "");
  if (!settings.country.empty() && !is_country(settings.country))
    reader.reject("/country", "must be two capital letters, such as DE");
  if (auto error = reader.finish()) return std::unexpected(std::move(*error));
  return settings;
}

bool is_country(std::string_view text) {
  return text.size() == 2 && std::ranges::all_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
}

std::optional<bool> has_rules(ByteView database, std::string_view country) {
  SC_ASSERT(is_country(country));
  constexpr std::uint32_t magic = 0x52474442;  // "RGDB"
  constexpr std::uint32_t version = 20;
  constexpr std::size_t head = 8;
  constexpr std::size_t entry = 4;  // two letters and the place of the country's rules
  if (database.size() < head || load_be<std::uint32_t>(database) != magic ||
      load_be<std::uint32_t>(database.subspan(4)) != version)
    return std::nullopt;
  for (auto rest = database.subspan(head); rest.size() >= entry; rest = rest.subspan(entry)) {
    if (load_be<std::uint16_t>(rest.subspan(2)) == 0) return false;  // end of the list
    if (as_text(rest.first(2)) == country) return true;
  }
  return std::nullopt;  // the file is truncated
}

std::optional<bool> has_rules(const std::filesystem::path& database, std::string_view country) {
  const auto content = read_file(database, max_rules);
  return content ? has_rules(ByteView(*content), country) : std::nullopt;
}

namespace {

/// Escapes a value for GLib's key files. Of the printable characters, a backslash and a leading space need it.
std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(2 * text.size() + 2);
  for (const char c : text) {
    if (c == '\\') out += "\\\\";
    else if (c == ' ') out += "\\s";
    else out += c;
  }
  return out;
}

}  // namespace

std::string connection_file(const ConnectionFile& file, const protocol::Wifi& wifi, bool hidden) {
  std::string ssid;  // decimal bytes need no escapes
  for (const std::byte b : wifi.ssid) ssid += sealcam::format("{};", std::to_integer<int>(b));
  std::string psk = escaped(wifi.passphrase.reveal());
  std::string text;
  text.reserve(1024);  // a reallocation would leave a copy of the passphrase
  text += sealcam::format(
      "[connection]\nid={}\nuuid=5ea1ca30-0000-4000-8000-00000000000{}\ntype=wifi\n\n[wifi]\nmode=infrastructure\n",
      file.name.substr(0, file.name.find('.')), file.last_digit_of_uuid);
  if (hidden) text += "hidden=true\n";
  text += sealcam::format("ssid={}\n\n[wifi-security]\nkey-mgmt={}\npsk=", ssid, file.key_management);
  text += psk;
  text += "\n\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n";
  wipe(std::as_writable_bytes(std::span(psk)));
  return text;
}

}  // namespace sealcam::image_init
