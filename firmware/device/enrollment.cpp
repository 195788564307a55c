// SPDX-License-Identifier: Apache-2.0
#include "device/enrollment.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "base/config.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "crypto/psa.hpp"
#include "device/device_state.hpp"
#include "device/file_stores.hpp"
#include "transport/tls/tls_context.hpp"

namespace sealcam::device {

namespace {

constexpr std::size_t max_enrollment = 64U << 10;

protocol::Role read_role(ConfigReader& reader) {
  const auto text = reader.required_text("/role");
  for (const auto role : {protocol::Role::camera, protocol::Role::hub, protocol::Role::owner})
    if (text == protocol::name(role)) return role;
  reader.reject("/role", "must be camera, hub or owner");
  return protocol::Role::camera;
}

crypto::PublicKey read_key(ConfigReader& reader, std::string_view pointer) {
  const auto bytes = from_hex(reader.required_text(pointer));
  const auto key = bytes ? crypto::PublicKey::parse(*bytes) : std::unexpected(bytes.error());
  if (!key) reader.reject(pointer, "must be a P-256 public key in hexadecimal");
  return key.value_or(crypto::PublicKey());
}

}  // namespace

Result<Enrollment> read_enrollment(const StateFiles& files, std::string* why) {
  const auto content = read_file(files.enrollment(), max_enrollment);
  if (!content) return std::unexpected(content.error());
  // PublicKey::parse() checks that the key is a point of the curve.
  if (auto r = crypto::init(); !r) return std::unexpected(r.error());

  ConfigReader reader(as_text(*content));
  Enrollment enrollment;
  if (reader.integer("/version", 0, 0, INT64_MAX) != 1) reader.reject("/version", "must be 1");
  enrollment.role = read_role(reader);
  enrollment.owner = read_key(reader, "/owner");
  enrollment.broker_host = reader.required_text("/broker/host");
  if (enrollment.broker_host.empty()) reader.reject("/broker/host", "must not be empty");
  enrollment.broker_port = static_cast<std::uint16_t>(reader.integer("/broker/port", 0, 0, 65535));
  if (enrollment.broker_port == 0) reader.reject("/broker/port", "must be a whole number from 1 to 65535");
  enrollment.ca_pem = reader.required_text("/authority");
  enrollment.certificate_pem = reader.required_text("/certificate");
  enrollment.name = reader.text("/name", "");
  if (enrollment.name.size() > max_name) reader.reject("/name", "must have at most 64 bytes");
  if (const auto error = reader.finish()) {
    if (why != nullptr)
      *why = sealcam::format("{}: {}; restore the state folder from a copy, or reset the device and pair it again",
                             files.enrollment().string(),
                             content->empty() ? "the file is empty, as after a power cut" : *error);
    return fail(Errc::malformed, "enrollment.json is damaged: enroll this device again");
  }
  return enrollment;
}

Result<> write_enrollment(const StateFiles& files, const Enrollment& enrollment) {
  if (enrollment.name.size() > max_name)
    return fail(Errc::invalid_argument, "the name has more than 64 bytes: choose a shorter one");
  const nlohmann::ordered_json json = {
      {"version", 1},
      {"role", protocol::name(enrollment.role)},
      {"owner", to_hex(enrollment.owner.bytes())},
      {"broker", {{"host", enrollment.broker_host}, {"port", enrollment.broker_port}}},
      {"authority", enrollment.ca_pem},
      {"certificate", enrollment.certificate_pem},
      {"name", enrollment.name},
  };
  std::string text;
  try {
    text = json.dump(2) + "\n";
  } catch (const nlohmann::json::exception&) {
    return fail(Errc::invalid_argument, "a text of the enrollment is not UTF-8");
  }
  return write_file_durably(files.enrollment(), as_bytes(text));
}

Result<transport::TlsConfig> broker_tls(const StateFiles& files, const Enrollment& enrollment) {
  auto key = read_tls_key(files);
  if (!key) return std::unexpected(key.error());
  return transport::TlsConfig{.role = transport::TlsRole::client,
                              .authority_pem = enrollment.ca_pem,
                              .certificate_pem = enrollment.certificate_pem,
                              .key = std::move(*key)};
}

Result<> FolderInstaller::do_install(const Enrollment& enrollment, const std::optional<Bytes>& roster,
                                     const std::optional<protocol::Wifi>& wifi) {
  if (is_present(files_.enrollment())) return fail(Errc::exists, "this device is already paired: reset it first");
  // An interrupted enrollment may have left the Wi-Fi network of another owner.
  if (auto r = wifi ? write_wifi_file(files_, *wifi) : remove_wifi_file(files_); !r) return r;
  if (roster) {
    RosterFolder rosters(files_.rosters(enrollment.owner.account()));
    if (auto r = rosters.store(device_, *roster); !r) return r;
  }
  return write_enrollment(files_, enrollment);
}

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
  if (ec)
    return fail(ec == std::errc::permission_denied ? Errc::permission : Errc::io, "deleting wifi.json", ec.value());
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
