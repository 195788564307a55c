// SPDX-License-Identifier: Apache-2.0
#include "device/wifi_file.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/config.hpp"
#include "base/file.hpp"
#include "base/format.hpp"

namespace sealcam::device {

static constexpr std::size_t max_file = 1024;

static bool is_token(std::string_view text) {
  return text.size() <= 32 && std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

Result<> write_wifi_file(const StateFiles& files, const protocol::Wifi& wifi, const WifiOutcome& outcome) {
  SC_ASSERT(is_token(outcome.word));
  // A JSON library would leave copies of the passphrase in memory. A passphrase is printable ASCII, so only quotation
  // marks and backslashes need escapes.
  Bytes json;
  json.reserve(max_file);
  const auto append = [&](std::string_view text) {
    const auto bytes = as_bytes(text);
    json.insert(json.end(), bytes.begin(), bytes.end());
  };
  append("{\"version\": 1, \"ssid\": \"");
  append(to_hex(wifi.ssid));
  append("\", \"passphrase\": \"");
  for (const char& c : wifi.passphrase.reveal()) {
    if (c == '"' || c == '\\') append("\\");
    append({&c, 1});
  }
  append("\"");
  if (!outcome.word.empty()) append(sealcam::format(", \"outcome\": \"{}\"", outcome.word));
  if (outcome.interrupted > 0) append(sealcam::format(", \"interrupted\": {}", outcome.interrupted));
  append("}\n");
  const auto written = write_file_durably(files.wifi(), json);
  wipe(json);
  return written;
}

Result<> remove_wifi_file(const StateFiles& files) {
  std::error_code ec;
  const bool was_there = std::filesystem::remove(files.wifi(), ec);
  if (ec) return fail(ec == std::errc::permission_denied ? Errc::permission : Errc::io, "delete wifi.json", ec.value());
  return was_there ? sync_entries(files.folder) : Result<>();
}

Result<protocol::Wifi> read_wifi_file(const StateFiles& files, WifiOutcome* outcome) {
  auto content = read_file(files.wifi(), max_file);
  if (!content && content.error().code != Errc::exhausted) return std::unexpected(content.error());
  static constexpr auto damaged = "wifi.json is damaged: send the network again with 'sealcam camera wifi'";
  if (!content) return fail(Errc::malformed, damaged);
  ConfigReader reader(as_text(*content));
  wipe(*content);
  const bool known = reader.integer("/version", 0, 0, INT64_MAX) == 1;
  auto ssid = from_hex(reader.required_text("/ssid"));
  std::string text = reader.required_text("/passphrase");
  auto passphrase = protocol::Passphrase::parse(text);
  wipe(std::as_writable_bytes(std::span(text.data(), text.size())));
  WifiOutcome known_outcome{reader.text("/outcome", ""),
                            static_cast<std::uint32_t>(reader.integer("/interrupted", 0, 0, UINT32_MAX))};
  if (reader.finish() || !known || !ssid || ssid->empty() || ssid->size() > 32 || !passphrase ||
      !is_token(known_outcome.word))
    return fail(Errc::malformed, damaged);
  if (outcome != nullptr) *outcome = std::move(known_outcome);
  return protocol::Wifi{std::move(*ssid), std::move(*passphrase)};
}

}  // namespace sealcam::device
