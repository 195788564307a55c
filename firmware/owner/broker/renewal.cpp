// SPDX-License-Identifier: Apache-2.0
#include "owner/broker/authorization.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "base/config.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "crypto/psa.hpp"
#include "owner/account/account.hpp"
#include "owner/account/backup.hpp"
#include "owner/broker/device_records.hpp"
#include "owner/broker/operator.hpp"
#include "owner/broker/rabbitmq.hpp"
#include "owner/console.hpp"

namespace sealcam::owner {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::string_view broker_label = "SEALCAM BROKER";
constexpr std::size_t max_broker_file = 16U << 20;
constexpr std::string_view devices = "devices/";
/// The files of a backup, except the records of devices, which contain the hashes of passwords.
constexpr std::array names = {"broker.json",  "ca.pem",  "server.key", "server.pem",
                              "revoked.json", "acl.own", "web.key",    "web.pem"};
constexpr std::size_t required_names = 5;  ///< the others exist only if the operator made them

Outcome<Json> collect_files(const BrokerFiles& files) {
  Json out = Json::object();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto* const name = names[i];
    const auto content = read_file(files.folder / name, max_broker_file);
    if (!content && content.error().code == Errc::not_found && i >= required_names) continue;
    if (!content) return failure(content.error(), sealcam::format("cannot read {}", (files.folder / name).string()));
    out[name] = as_text(*content);
  }
  const auto records = read_devices(files);
  if (!records) return std::unexpected(records.error());
  for (const auto& record : *records)
    out[std::string(devices) + record.device.device.to_string()] = device_record_text(record);
  return out;
}

bool is_known(std::string_view name) {
  if (!name.starts_with(devices))
    return std::ranges::contains(names, name, [](const char* n) { return std::string_view(n); });
  return DeviceId::parse(name.substr(devices.size())).has_value();
}

std::unexpected<Failure> damaged(std::string_view why) {
  return failure(EX_CONFIG, sealcam::format("the backup is damaged: {}; use another copy of it", why));
}

/// Checks the contents before the first one is written.
Outcome<BrokerSettings> check_files(const BackedUpFiles& content, const transport::TlsKey& authority) {
  std::optional<BrokerSettings> settings;
  for (const auto& [name, text] : content) {
    if (name == "broker.json") {
      auto parsed = parse_broker_settings(text, "broker.json in the backup");
      if (!parsed) return std::unexpected(parsed.error());
      settings = std::move(*parsed);
    } else if (name == "revoked.json") {
      if (const auto r = parse_revocations(text, "revoked.json in the backup"); !r) return std::unexpected(r.error());
    } else if (name == "ca.pem") {
      const auto request = transport::make_request(authority, "key");
      const auto key = transport::requested_key(request.value_or(""));
      const auto own = transport::certificate_key(text);
      if (!key || !own || *key != *own) return damaged("the key and the certificate of the authority do not match");
    } else if (name.starts_with(devices)) {
      const auto record = parse_device_record(text, name + " in the backup");
      if (!record) return std::unexpected(record.error());
      if (record->device.device.to_string() != std::string_view(name).substr(devices.size()))
        return damaged(sealcam::format("{} contains another device", name));
    }
  }
  std::vector<std::string_view> required(names.begin(), names.begin() + required_names);
  // Without them, Mosquitto would not start.
  if (settings && settings->web_port) required.insert(required.end(), {"web.key", "web.pem"});
  for (const auto name : required)
    if (!std::ranges::contains(content, name, &BackedUpFiles::value_type::first))
      return damaged(sealcam::format("{} is missing", name));
  return *settings;
}

}  // namespace

Outcome<bool> renew_server(const BrokerFiles& files, const std::vector<std::string>& hosts) {
  auto settings = read_broker(files);
  if (!settings) return std::unexpected(settings.error());
  if (auto r = crypto::init(); !r) return failure(r.error(), "cannot start the crypto library");
  auto lock = lock_broker(files);
  if (!lock) return std::unexpected(lock.error());
  if (!hosts.empty()) settings->hosts = hosts;
  if (auto r = check_nodes(*settings); !r) return std::unexpected(r.error());
  const auto authority = read_authority(files);
  if (!authority) return std::unexpected(authority.error());
  if (auto r = make_server_certificate(files, *settings, *authority); !r) return std::unexpected(r.error());
  if (auto r = write_broker_settings(files, *settings); !r) return std::unexpected(r.error());
  lock->reset();
  const auto turn = lock_reload(files);
  if (!turn) return std::unexpected(turn.error());
  return reload_broker(files, settings->kind);
}

Outcome<> renew_authority(const BrokerFiles& files) {
  if (auto r = read_broker(files); !r) return std::unexpected(r.error());
  if (auto r = crypto::init(); !r) return failure(r.error(), "cannot start the crypto library");
  const auto lock = lock_broker(files);
  if (!lock) return std::unexpected(lock.error());
  const auto authority = read_authority(files);
  if (!authority) return std::unexpected(authority.error());
  const auto name = transport::certificate_name(authority->certificate_pem);
  if (!name) return failure(name.error(), sealcam::format("{} is damaged", files.authority().string()));
  const auto renewed = transport::make_authority(authority->key, *name);
  if (!renewed) return failure(renewed.error(), "cannot make the operator's authority");
  return write(files.authority(), as_bytes(*renewed));
}

Outcome<> back_up_broker(const BrokerFiles& files, const fs::path& file, const crypto::Passphrase& passphrase,
                         CaptureTime made) {
  if (auto r = read_broker(files); !r) return std::unexpected(r.error());
  if (auto r = crypto::init(); !r) return failure(r.error(), "cannot start the crypto library");
  std::error_code ec;
  if (fs::exists(fs::symlink_status(file, ec)))
    return failure(EX_CANTCREAT, sealcam::format("{} already exists; choose another name", file.string()));
  const auto lock = lock_broker(files);
  if (!lock) return std::unexpected(lock.error());
  const auto authority = read_authority(files);
  if (!authority) return std::unexpected(authority.error());
  const auto scalar = authority->key.reveal_scalar();
  if (!scalar) return failure(scalar.error(), "cannot read the authority's key");
  const auto content = collect_files(files);
  if (!content) return std::unexpected(content.error());
  const auto key = crypto::write_encrypted_key(*scalar, passphrase);
  if (!key) return failure(key.error(), "cannot seal the authority's key");
  auto text = Json{{"version", 1}, {"made", made.since_epoch.count()}, {"files", *content}}.dump();
  const auto sealed = crypto::write_sealed_pem(broker_label, as_bytes(text), *scalar);
  wipe(std::as_writable_bytes(std::span(text)));  // it contains the key of the broker
  if (!sealed) return failure(sealed.error(), "cannot seal the files of the broker");
  return write_output(
      file, as_bytes(sealcam::format(
                "Backup of a Sealcam broker's authority, made {}.\nRestore it with: sealcam broker restore DIR "
                "FILE\n{}{}",
                backup_time(made), *key, *sealed)));
}

Outcome<BackedUpFiles> parse_backed_up_files(std::string_view text) {
  ConfigReader reader(text);
  if (reader.integer("/version", 0, 0, INT64_MAX) != 1) reader.reject("/version", "must be 1");
  (void)reader.integer("/made", 0, 0, INT64_MAX);
  BackedUpFiles out;
  for (const auto& name : reader.keys("/files")) {
    if (!is_known(name)) {
      reader.reject("/files", "contains an unknown file");
      break;
    }
    std::string escaped = name;  // JSON Pointer (RFC 6901)
    if (const auto slash = escaped.find('/'); slash != std::string::npos) escaped.replace(slash, 1, "~1");
    out.emplace_back(name, reader.required_text("/files/" + escaped));
  }
  if (const auto error = reader.finish()) return damaged(*error);
  return out;
}

Outcome<> restore_broker(const BrokerFiles& files, std::string_view backup, const crypto::Passphrase& passphrase) {
  if (auto r = crypto::init(); !r) return failure(r.error(), "cannot start the crypto library");
  const auto scalar = crypto::read_encrypted_key(backup, passphrase);
  if (!scalar) return open_failure(scalar.error(), "broker");
  const auto authority = transport::TlsKey::from_scalar(*scalar);
  if (!authority) return open_failure(authority.error(), "broker");
  auto plain = crypto::read_sealed_pem(broker_label, backup, *scalar);
  if (!plain) return open_failure(plain.error(), "broker");
  const auto content = parse_backed_up_files(as_text(*plain));
  wipe(*plain);
  if (!content) return std::unexpected(content.error());
  const auto settings = check_files(*content, *authority);
  if (!settings) return std::unexpected(settings.error());
  if (auto r = make_broker_folder(files, settings->kind); !r) return r;
  if (auto r = write(files.authority_key(), authority->reveal_pem()); !r) return r;
  for (const auto& [name, text] : *content)
    if (name != "broker.json")
      if (auto r = write(files.folder / name, as_bytes(text)); !r) return r;
  return complete_broker(files, *settings);
}

}  // namespace sealcam::owner
