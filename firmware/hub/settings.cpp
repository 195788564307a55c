// SPDX-License-Identifier: Apache-2.0
#include "hub/app.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/config.hpp"
#include "device/program.hpp"
#include "protocol/pairing.hpp"

namespace sealcam::hub {

std::optional<Address> parse_listen(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  Address address{text.substr(0, colon), 0};
  if (address.host == "[::1]") address.host = "::1";
  else if (!address.host.starts_with("127.") || address.host.find_first_not_of("0123456789.") != std::string::npos)
    return std::nullopt;
  const char* first = text.data() + colon + 1;
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(first, last, address.port);
  if (error != std::errc() || end != last || first == last) return std::nullopt;
  return address;
}

bool RecordingSettings::enabled() const noexcept {
  return mode != recordings::Mode::off ||
         std::ranges::any_of(cameras, [](const auto& camera) { return camera.second != recordings::Mode::off; });
}

namespace {

recordings::Mode read_mode(ConfigReader& reader, const std::string& pointer, std::string_view text) {
  if (text == "continuous") return recordings::Mode::continuous;
  if (text == "motion") return recordings::Mode::motion;
  if (text != "off") reader.reject(pointer, "must be 'off', 'motion' or 'continuous'");
  return recordings::Mode::off;
}

RecordingSettings read_recordings(ConfigReader& reader) {
  RecordingSettings settings;
  settings.folder = reader.text("/recordings/folder", "");
  if (!settings.folder.empty() && !settings.folder.is_absolute())
    reader.reject("/recordings/folder", "must be an absolute path");
  settings.max_gib = reader.integer("/recordings/max_gib", settings.max_gib, 0, 1'000'000);
  settings.max_days = reader.integer("/recordings/max_days", settings.max_days, 0, 36'500);
  settings.reserve_mib = reader.integer("/recordings/reserve_mib", settings.reserve_mib, 64, 1'000'000);
  settings.mode = read_mode(reader, "/recordings/mode", reader.text("/recordings/mode", "off"));
  for (const auto& name : reader.keys("/recordings/cameras")) {
    const auto pointer = "/recordings/cameras/" + name;
    const auto mode = read_mode(reader, pointer, reader.text(pointer, "off"));
    // Names are not unique, and people change them.
    const auto id = DeviceId::parse(name);
    if (!id) reader.reject(pointer, "must be the id of a camera; list the ids with 'sealcam camera list'");
    else settings.cameras.emplace(*id, mode);
  }
  return settings;
}

events::PostSettings read_events(ConfigReader& reader) {
  events::PostSettings settings;
  if (const auto text = reader.optional_text("/events/post_url")) {
    auto url = events::parse_post_url(*text);
    if (!url) reader.reject("/events/post_url", url.error().what);
    else settings.url = std::move(*url);
  }
  settings.topic = reader.text("/events/post_topic", "");
  settings.names = reader.boolean("/events/post_names", false);
  settings.authority = reader.text("/events/post_authority", "");
  if (!settings.authority.empty() && !settings.authority.is_absolute())
    reader.reject("/events/post_authority", "must be an absolute path");
  return settings;
}

bool is_numeric_address(const std::string& text) {
  in6_addr out{};
  return !text.contains('\0') &&  // inet_pton() reads up to a NUL byte
         (::inet_pton(AF_INET, text.c_str(), &out) == 1 || ::inet_pton(AF_INET6, text.c_str(), &out) == 1);
}

bool is_web_address(std::string_view text) {
  static constexpr std::string_view scheme = "wss://";
  return text.starts_with(scheme) && protocol::HostPort::parse(text.substr(scheme.size())).has_value();
}

PhoneSettings read_app(ConfigReader& reader) {
  PhoneSettings settings;
  settings.address = reader.text("/app/listen", "0.0.0.0");
  if (!is_numeric_address(settings.address)) reader.reject("/app/listen", "must be a numeric address, such as 0.0.0.0");
  settings.port = static_cast<std::uint16_t>(reader.integer("/app/port", 8444, 0, 65'535));
  settings.folder = reader.text("/app/folder", settings.folder.native());
  settings.certificate = reader.text("/app/certificate", "");
  settings.key = reader.text("/app/key", "");
  for (const auto& [pointer, path] :
       {std::pair("/app/certificate", settings.certificate), std::pair("/app/key", settings.key)}) {
    if (!path.empty() && !path.is_absolute()) reader.reject(pointer, "must be an absolute path");
    if (path.empty() == settings.enabled()) reader.reject(pointer, "certificate and key must be set together");
  }
  if (!settings.folder.is_absolute()) reader.reject("/app/folder", "must be an absolute path");
  if (reader.has("/app/folder") && !settings.enabled())
    reader.reject("/app/certificate", "must be set, because /app/folder is set");
  settings.broker = reader.text("/app/broker", "");
  if (!settings.broker.empty() && !is_web_address(settings.broker))
    reader.reject("/app/broker", "must be an address such as wss://broker.example:8884");
  return settings;
}

}  // namespace

std::optional<Settings> read_settings(const std::filesystem::path& file, bool optional, std::string& why) {
  auto reader = ConfigReader::from_file(file, optional);
  Settings settings;
  settings.listen = reader.text("/listen", settings.listen);
  if (!parse_listen(settings.listen)) reader.reject("/listen", "must be a loopback address with a port");
  settings.log = device::read_log_level(reader, "/log");
  settings.verify_threads = static_cast<unsigned>(reader.integer("/verify_threads", 0, 0, 64));
  settings.recordings = read_recordings(reader);
  settings.event_post = read_events(reader);
  settings.app = read_app(reader);
  if (const auto wrong = reader.finish()) {
    why = *wrong;
    return std::nullopt;
  }
  return settings;
}

}  // namespace sealcam::hub
