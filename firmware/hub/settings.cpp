// SPDX-License-Identifier: Apache-2.0
#include "hub/settings.hpp"

#include <charconv>

#include "base/config.hpp"
#include "device/program.hpp"

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

std::optional<Settings> read_settings(const std::filesystem::path& file, bool optional, std::string& why) {
  auto reader = ConfigReader::from_file(file, optional);
  Settings settings;
  settings.listen = reader.text("/listen", settings.listen);
  if (!parse_listen(settings.listen)) reader.reject("/listen", "must be a loopback address with a port");
  settings.log = device::read_log_level(reader, "/log");
  settings.verify_threads = static_cast<unsigned>(reader.integer("/verify_threads", 0, 0, 64));
  if (const auto wrong = reader.finish()) {
    why = *wrong;
    return std::nullopt;
  }
  return settings;
}

}  // namespace sealcam::hub
