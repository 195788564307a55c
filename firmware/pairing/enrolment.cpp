// SPDX-License-Identifier: Apache-2.0
#include <format>
#include <nlohmann/json.hpp>

#include "core/config.hpp"
#include "core/file.hpp"
#include "pairing/device_state.hpp"

namespace sealcam::pairing {

namespace {

constexpr std::size_t largest_enrolment = 64U << 10;

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

Result<Enrolment> read_enrolment(const StateFiles& files, std::string* why) {
  const auto content = read_file(files.enrolment(), largest_enrolment);
  if (!content) return std::unexpected(content.error());
  // Keys are checked to be points of the curve, which takes the crypto library.
  if (auto r = crypto::init(); !r) return std::unexpected(r.error());

  ConfigReader reader(as_text(*content));
  Enrolment enrolment;
  if (reader.integer("/version", 0, 0, INT64_MAX) != 1) reader.reject("/version", "must be 1");
  enrolment.role = read_role(reader);
  enrolment.owner = read_key(reader, "/owner");
  enrolment.broker_host = reader.required_text("/broker/host");
  if (enrolment.broker_host.empty()) reader.reject("/broker/host", "must not be empty");
  enrolment.broker_port = static_cast<std::uint16_t>(reader.integer("/broker/port", 0, 0, 65535));
  if (enrolment.broker_port == 0) reader.reject("/broker/port", "must be a whole number from 1 to 65535");
  enrolment.ca_pem = reader.required_text("/authority");
  enrolment.certificate_pem = reader.required_text("/certificate");
  enrolment.name = reader.text("/name", "");
  if (enrolment.name.size() > largest_name) reader.reject("/name", "must have at most 64 bytes");
  if (const auto error = reader.finish()) {
    if (why != nullptr) *why = std::format("{}: {}", files.enrolment().string(), *error);
    return fail(Errc::malformed, "enrolment.json is damaged: enrol this device again");
  }
  return enrolment;
}

Result<> write_enrolment(const StateFiles& files, const Enrolment& enrolment) {
  if (enrolment.name.size() > largest_name) return fail(Errc::invalid_argument, "a name has at most 64 bytes");
  const nlohmann::ordered_json json = {
      {"version", 1},
      {"role", protocol::name(enrolment.role)},
      {"owner", to_hex(enrolment.owner.bytes())},
      {"broker", {{"host", enrolment.broker_host}, {"port", enrolment.broker_port}}},
      {"authority", enrolment.ca_pem},
      {"certificate", enrolment.certificate_pem},
      {"name", enrolment.name},
  };
  std::string text;
  try {
    text = json.dump(2) + "\n";
  } catch (const nlohmann::json::exception&) {
    return fail(Errc::invalid_argument, "a text of the enrolment is not UTF-8");
  }
  return write_file_durably(files.enrolment(), as_bytes(text));
}

}  // namespace sealcam::pairing
