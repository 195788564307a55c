// SPDX-License-Identifier: Apache-2.0
#include "owner/account_file.hpp"

#include <algorithm>
#include <format>
#include <limits>
#include <nlohmann/json.hpp>
#include <tuple>

#include "core/config.hpp"
#include "crypto/cbor.hpp"
#include "pairing/device_state.hpp"

namespace sealcam::owner {

using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t largest_account = 4U << 20;

/// Reads one record's members; every pointer is below `at`.
class RecordReader {
 public:
  RecordReader(ConfigReader& reader, std::string at) : reader_(reader), at_(std::move(at)) {}

  [[nodiscard]] std::string text(std::string_view key) { return reader_.required_text(pointer(key)); }
  [[nodiscard]] bool boolean(std::string_view key) { return reader_.boolean(pointer(key), false); }
  [[nodiscard]] bool has(std::string_view key) const { return reader_.has(pointer(key)); }
  [[nodiscard]] RosterVersion version(std::string_view key) {
    return RosterVersion(
        static_cast<std::uint64_t>(reader_.integer(pointer(key), 0, 0, std::numeric_limits<std::int64_t>::max())));
  }
  [[nodiscard]] DeviceId device(std::string_view key) {
    const auto id = DeviceId::parse(text(key));
    if (!id) reader_.reject(pointer(key), "must be an identity of 32 letters");
    return id.value_or(DeviceId());
  }
  [[nodiscard]] std::vector<DeviceId> devices(std::string_view key) {
    std::vector<DeviceId> out;
    for (const auto& each : reader_.texts(pointer(key))) {
      const auto id = DeviceId::parse(each);
      if (id) out.push_back(*id);
      else reader_.reject(pointer(key), "must be a list of identities of 32 letters");
    }
    return out;
  }
  [[nodiscard]] crypto::PublicKey key(std::string_view key) {
    const auto bytes = from_hex(text(key));
    const auto parsed = bytes ? crypto::PublicKey::parse(*bytes) : std::unexpected(bytes.error());
    if (!parsed) reader_.reject(pointer(key), "must be a P-256 public key in hexadecimal");
    return parsed.value_or(crypto::PublicKey());
  }
  [[nodiscard]] protocol::Integration integration(std::string_view key) {
    const auto bytes = from_hex(text(key));
    if (bytes && bytes->size() == 8) return protocol::Integration(load_be<std::uint64_t>(*bytes));
    reader_.reject(pointer(key), "must be 8 bytes in hexadecimal");
    return {};
  }
  void reject(std::string_view key, std::string_view why) { reader_.reject(pointer(key), why); }

 private:
  [[nodiscard]] std::string pointer(std::string_view key) const { return std::format("{}/{}", at_, key); }
  ConfigReader& reader_;
  std::string at_;
};

CameraRecord read_camera(RecordReader record) {
  CameraRecord camera;
  camera.id = record.device("id");
  camera.name = record.text("name");
  camera.identity = record.key("identity");
  camera.hpke = record.key("hpke");
  camera.version = record.version("roster");
  camera.published = record.version("published");
  if (camera.identity.id() != camera.id) record.reject("identity", "is not the key of this id");
  if (camera.published > camera.version) record.reject("published", "is newer than the newest roster");
  return camera;
}

HubRecord read_hub(RecordReader record) {
  HubRecord hub;
  hub.id = record.device("id");
  hub.name = record.text("name");
  hub.identity = record.key("identity");
  hub.hpke = record.key("hpke");
  hub.this_machine = record.boolean("this_machine");
  if (record.has("integration")) hub.integration = record.integration("integration");
  hub.denied = record.devices("denied");
  if (hub.identity.id() != hub.id) record.reject("identity", "is not the key of this id");
  return hub;
}

std::string to_text(protocol::Integration label) {
  std::array<std::byte, 8> bytes{};
  store_be(bytes, label.value());
  return to_hex(bytes);
}

Json to_json(const CameraRecord& camera) {
  return {{"id", camera.id.to_string()},
          {"name", camera.name},
          {"identity", to_hex(camera.identity.bytes())},
          {"hpke", to_hex(camera.hpke.bytes())},
          {"roster", camera.version.value()},
          {"published", camera.published.value()}};
}

Json to_json(const HubRecord& hub) {
  Json json = {{"id", hub.id.to_string()},
               {"name", hub.name},
               {"identity", to_hex(hub.identity.bytes())},
               {"hpke", to_hex(hub.hpke.bytes())},
               {"this_machine", hub.this_machine}};
  if (hub.integration) json["integration"] = to_text(*hub.integration);
  json["denied"] = Json::array();
  for (const auto& camera : hub.denied) json["denied"].push_back(camera.to_string());
  return json;
}

Json to_json(const IntegrationRecord& integration) {
  return {{"label", to_text(integration.label)}, {"name", integration.name}, {"suspended", integration.suspended}};
}

}  // namespace

Outcome<AccountFile> read_account(const std::filesystem::path& path) {
  const auto content = read(path, largest_account, "Create an account first: sealcam account create");
  if (!content) return std::unexpected(content.error());
  // Points are checked to lie on the curve, which takes the crypto library.
  if (auto r = crypto::init(); !r) return failure(r.error(), "Starting the crypto library");
  ConfigReader reader(as_text(*content));
  if (reader.integer("/version", 0, 0, INT64_MAX) != 1) reader.reject("/version", "must be 1");
  AccountFile file;
  file.account = AccountId(RecordReader(reader, "").device("account").bytes());
  for (std::size_t i = 0; i < reader.size("/cameras"); ++i)
    file.cameras.push_back(read_camera({reader, std::format("/cameras/{}", i)}));
  for (std::size_t i = 0; i < reader.size("/hubs"); ++i)
    file.hubs.push_back(read_hub({reader, std::format("/hubs/{}", i)}));
  for (std::size_t i = 0; i < reader.size("/integrations"); ++i) {
    RecordReader record(reader, std::format("/integrations/{}", i));
    file.integrations.push_back({record.integration("label"), record.text("name"), record.boolean("suspended")});
  }
  if (const auto error = reader.finish())
    return failure(EX_CONFIG, std::format("{}: {}. Restore the file from a copy", path.string(), *error));
  return file;
}

Outcome<> write_account(const std::filesystem::path& path, const AccountFile& account) {
  Json json = {{"version", 1}, {"account", account.account.to_string()}};
  json["cameras"] = Json::array();
  json["hubs"] = Json::array();
  json["integrations"] = Json::array();
  for (const auto& camera : account.cameras) json["cameras"].push_back(to_json(camera));
  for (const auto& hub : account.hubs) json["hubs"].push_back(to_json(hub));
  for (const auto& integration : account.integrations) json["integrations"].push_back(to_json(integration));
  return write(path, as_bytes(json.dump(2) + "\n"));
}

protocol::Roster roster_of(const AccountFile& account, const CameraRecord& camera, CaptureTime issued) {
  protocol::Roster roster;
  roster.version = camera.version;
  roster.camera_identity = camera.identity;
  roster.camera_hpke = camera.hpke;
  roster.issued = issued;
  for (const auto& hub : account.hubs)
    if (!std::ranges::contains(hub.denied, camera.id))
      roster.hubs.push_back({.identity = hub.identity, .hpke = hub.hpke, .integration = hub.integration});
  for (const auto& integration : account.integrations)
    if (integration.suspended) roster.suspended.push_back(integration.label);
  std::ranges::sort(roster.hubs, {}, [](const protocol::RosterHub& hub) { return hub.identity.id(); });
  std::ranges::sort(roster.suspended);
  return roster;
}

bool same_members(const protocol::Roster& a, const protocol::Roster& b) {
  const auto same_hub = [](const protocol::RosterHub& x, const protocol::RosterHub& y) {
    return x.identity == y.identity && x.hpke == y.hpke && x.integration == y.integration;
  };
  return a.camera_identity == b.camera_identity && a.camera_hpke == b.camera_hpke && a.suspended == b.suspended &&
         std::ranges::equal(a.hubs, b.hubs, same_hub);
}

Outcome<const CameraRecord*> find_camera(const AccountFile& account, std::string_view text) {
  const auto by_name = std::ranges::find(account.cameras, text, &CameraRecord::name);
  if (by_name != account.cameras.end()) return &*by_name;
  const CameraRecord* found = nullptr;
  for (const auto& camera : account.cameras) {
    if (text.empty() || !camera.id.to_string().starts_with(text)) continue;
    if (found != nullptr) return failure(EX_USAGE, std::format("More than one camera's id begins with '{}'", text));
    found = &camera;
  }
  if (found == nullptr)
    return failure(EX_NOINPUT, std::format("This account has no camera '{}'. See them: sealcam camera list", text));
  return found;
}

Outcome<> check_name(std::string_view name) {
  const bool control = std::ranges::any_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (name.empty() || name.size() > pairing::largest_name || control)
    return failure(EX_USAGE, "A name has 1 to 64 bytes and no control characters");
  // The CBOR reader refuses text that is not UTF-8, as the messages that carry the name will.
  Bytes encoded = {std::byte{0x78}, static_cast<std::byte>(name.size())};  // RFC 8949 section 3.1, major type 3
  if (name.size() < 24) encoded = {static_cast<std::byte>(0x60 + name.size())};
  const auto text = as_bytes(name);
  encoded.insert(encoded.end(), text.begin(), text.end());
  if (!crypto::CborReader(encoded).text()) return failure(EX_USAGE, "A name has to be UTF-8");
  return {};
}

}  // namespace sealcam::owner
