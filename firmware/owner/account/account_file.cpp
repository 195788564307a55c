// SPDX-License-Identifier: Apache-2.0
#include "owner/account/account.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "base/config.hpp"
#include "base/format.hpp"
#include "crypto/psa.hpp"

namespace sealcam::owner {

using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t max_account = 4U << 20;

/// Reads the members of the record at the JSON pointer `at`.
class RecordReader {
 public:
  RecordReader(ConfigReader& reader, std::string at) : reader_(reader), at_(std::move(at)) {}

  [[nodiscard]] std::string text(std::string_view key) { return reader_.required_text(pointer(key)); }
  [[nodiscard]] bool boolean(std::string_view key) { return reader_.boolean(pointer(key), false); }
  [[nodiscard]] bool has(std::string_view key) const { return reader_.has(pointer(key)); }
  [[nodiscard]] std::uint64_t number(std::string_view key, std::int64_t min = 0,
                                     std::int64_t max = std::numeric_limits<std::int64_t>::max()) {
    return static_cast<std::uint64_t>(reader_.integer(pointer(key), 0, min, max));
  }
  [[nodiscard]] protocol::RosterVersion version(std::string_view key) { return protocol::RosterVersion(number(key)); }
  /// The number of the command that first carried an item; not 0.
  [[nodiscard]] protocol::CommandSeq since(std::string_view key) { return protocol::CommandSeq(number(key, 1)); }
  [[nodiscard]] Bytes bytes(std::string_view key) {
    auto bytes = from_hex(text(key));
    if (!bytes) reject(key, "must be hexadecimal");
    return bytes.value_or(Bytes());
  }
  [[nodiscard]] DeviceId device(std::string_view key) {
    const auto id = DeviceId::parse(text(key));
    if (!id) reader_.reject(pointer(key), "must be a device id of 32 characters");
    return id.value_or(DeviceId());
  }
  [[nodiscard]] std::vector<std::string> texts(std::string_view key) { return reader_.texts(pointer(key)); }
  [[nodiscard]] std::vector<DeviceId> devices(std::string_view key) {
    std::vector<DeviceId> out;
    for (const auto& each : reader_.texts(pointer(key))) {
      const auto id = DeviceId::parse(each);
      if (id) out.push_back(*id);
      else reader_.reject(pointer(key), "must be a list of device ids of 32 characters");
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
  [[nodiscard]] RecordReader below(std::string_view key) const { return {reader_, pointer(key)}; }
  void reject(std::string_view key, std::string_view why) { reader_.reject(pointer(key), why); }

 private:
  [[nodiscard]] std::string pointer(std::string_view key) const { return sealcam::format("{}/{}", at_, key); }
  ConfigReader& reader_;
  std::string at_;
};

std::optional<PictureAreas> read_areas(RecordReader& record, std::string_view key) {
  if (!record.has(key)) return std::nullopt;
  PictureAreas areas;
  for (const auto& text : record.texts(key)) {
    const auto area = parse_picture_area(text);
    if (!area) record.reject(key, area.error().what);
    else areas.push_back(*area);
  }
  if (areas.size() > max_picture_areas) record.reject(key, "has at most 8 areas");
  return areas;
}

protocol::CameraSettings read_settings(RecordReader& record) {
  protocol::CameraSettings settings;
  if (record.has("settings/bitrate"))
    settings.bitrate = BitsPerSecond(static_cast<std::uint32_t>(record.number("settings/bitrate", 1, UINT32_MAX)));
  if (record.has("settings/width"))
    settings.size = {static_cast<std::uint32_t>(record.number("settings/width", 1, 65535)),
                     static_cast<std::uint32_t>(record.number("settings/height", 1, 65535))};
  if (record.has("settings/rate"))
    settings.frames_per_second = static_cast<std::uint32_t>(record.number("settings/rate", 1, 1000));
  settings.masks = read_areas(record, "settings/masks");
  if (record.has("settings/motion"))
    settings.motion =
        static_cast<std::uint32_t>(record.number("settings/motion", 0, protocol::CameraSettings::max_motion));
  settings.zones = read_areas(record, "settings/zones");
  return settings;
}

CommandRecord read_command(RecordReader record) {
  CommandRecord command;
  command.newest = record.since("newest");
  command.published = protocol::CommandSeq(record.number("published"));
  command.applied = protocol::CommandSeq(record.number("applied"));
  if (record.has("name")) command.name = {record.since("name/since"), record.text("name/value")};
  if (record.has("privacy")) command.privacy = {record.since("privacy/since"), record.boolean("privacy/value")};
  if (record.has("settings")) command.settings = {record.since("settings/since"), read_settings(record)};
  if (record.has("wifi")) command.wifi = {record.since("wifi/since"), record.bytes("wifi/ssid")};
  if (record.has("wifi/lost")) command.wifi_lost = record.since("wifi/lost");
  if (record.has("reset")) command.reset = record.since("reset/since");
  return command;
}

CameraRecord read_camera(RecordReader record) {
  CameraRecord camera;
  camera.id = record.device("id");
  camera.name = record.text("name");
  camera.identity = record.key("identity");
  camera.hpke = record.key("hpke");
  camera.version = record.version("roster");
  camera.published = record.version("published");
  camera.confirmed = record.version("confirmed");
  camera.contradicted = record.boolean("contradicted");
  camera.not_stored = record.boolean("not_stored");
  camera.out_of_sync = record.boolean("out_of_sync");
  camera.removed = record.boolean("removed");
  camera.gone = record.boolean("gone");
  if (record.has("wifi_fault")) camera.wifi_fault = static_cast<protocol::WifiFault>(record.number("wifi_fault", 1, 6));
  if (record.has("command")) camera.command = read_command(record.below("command"));
  if (camera.identity.id() != camera.id) record.reject("identity", "does not match the id");
  if (camera.published > camera.version) record.reject("published", "is newer than the newest roster");
  return camera;
}

IndexRecord read_index(RecordReader record) {
  IndexRecord index{protocol::IndexVersion(record.number("version", 1)),
                    protocol::IndexVersion(record.number("published"))};
  if (index.published > index.version) record.reject("published", "is newer than the newest list of cameras");
  return index;
}

HubRecord read_hub(RecordReader record) {
  HubRecord hub;
  hub.id = record.device("id");
  hub.name = record.text("name");
  hub.identity = record.key("identity");
  hub.hpke = record.key("hpke");
  hub.this_machine = record.boolean("this_machine");
  hub.phone = record.boolean("phone");
  hub.unfinished = record.boolean("unfinished");
  if (record.has("integration")) hub.integration = record.integration("integration");
  hub.denied = record.devices("denied");
  hub.may_switch_privacy = record.boolean("may_switch_privacy");
  hub.unlinked = record.boolean("unlinked");
  if (record.has("index")) hub.index = read_index(record.below("index"));
  if (hub.identity.id() != hub.id) record.reject("identity", "does not match the id");
  return hub;
}

std::string to_text(protocol::Integration label) {
  std::array<std::byte, 8> bytes{};
  store_be(bytes, label.value());
  return to_hex(bytes);
}

Json to_json(const protocol::CommandItem<protocol::CameraSettings>& item) {
  Json json = {{"since", item.since.value()}};
  if (item.value.bitrate) json["bitrate"] = item.value.bitrate->value();
  if (item.value.size) json["width"] = item.value.size->width;
  if (item.value.size) json["height"] = item.value.size->height;
  if (item.value.frames_per_second) json["rate"] = *item.value.frames_per_second;
  const auto add_areas = [&json](const char* name, const std::optional<PictureAreas>& areas) {
    if (!areas) return;
    json[name] = Json::array();
    for (const auto& area : *areas) json[name].push_back(to_string(area));
  };
  add_areas("masks", item.value.masks);
  if (item.value.motion) json["motion"] = *item.value.motion;
  add_areas("zones", item.value.zones);
  return json;
}

Json to_json(const CommandRecord& command) {
  Json json = {{"newest", command.newest.value()},
               {"published", command.published.value()},
               {"applied", command.applied.value()}};
  if (command.name) json["name"] = {{"since", command.name->since.value()}, {"value", command.name->value}};
  if (command.privacy) json["privacy"] = {{"since", command.privacy->since.value()}, {"value", command.privacy->value}};
  if (command.settings) json["settings"] = to_json(*command.settings);
  if (command.wifi) json["wifi"] = {{"since", command.wifi->since.value()}, {"ssid", to_hex(command.wifi->value)}};
  if (command.wifi && command.wifi_lost) json["wifi"]["lost"] = command.wifi_lost->value();
  if (command.reset) json["reset"] = {{"since", command.reset->value()}};
  return json;
}

void add_index(Json& json, const IndexRecord& index) {
  if (index.version != protocol::IndexVersion())
    json["index"] = {{"version", index.version.value()}, {"published", index.published.value()}};
}

/// Writes a flag only if it is set, because most records have no flags.
void add_flag(Json& json, const char* name, bool value) {
  if (value) json[name] = true;
}

Json to_json(const CameraRecord& camera) {
  Json json = {{"id", camera.id.to_string()},
               {"name", camera.name},
               {"identity", to_hex(camera.identity.bytes())},
               {"hpke", to_hex(camera.hpke.bytes())},
               {"roster", camera.version.value()},
               {"published", camera.published.value()},
               {"confirmed", camera.confirmed.value()}};
  add_flag(json, "contradicted", camera.contradicted);
  add_flag(json, "not_stored", camera.not_stored);
  add_flag(json, "out_of_sync", camera.out_of_sync);
  add_flag(json, "removed", camera.removed);
  add_flag(json, "gone", camera.gone);
  if (camera.wifi_fault) json["wifi_fault"] = static_cast<int>(*camera.wifi_fault);
  if (camera.command.newest != protocol::CommandSeq()) json["command"] = to_json(camera.command);
  return json;
}

Json to_json(const HubRecord& hub) {
  Json json = {{"id", hub.id.to_string()},
               {"name", hub.name},
               {"identity", to_hex(hub.identity.bytes())},
               {"hpke", to_hex(hub.hpke.bytes())},
               {"this_machine", hub.this_machine}};
  if (hub.integration) json["integration"] = to_text(*hub.integration);
  add_flag(json, "phone", hub.phone);
  add_flag(json, "unfinished", hub.unfinished);
  json["denied"] = Json::array();
  for (const auto& camera : hub.denied) json["denied"].push_back(camera.to_string());
  add_flag(json, "may_switch_privacy", hub.may_switch_privacy);
  add_flag(json, "unlinked", hub.unlinked);
  add_index(json, hub.index);
  return json;
}

Json to_json(const IntegrationRecord& integration) {
  return {{"label", to_text(integration.label)}, {"name", integration.name}, {"suspended", integration.suspended}};
}

}  // namespace

Outcome<AccountFile> parse_account(std::string_view text, std::string_view source) {
  // The check that a public key is on the curve needs the crypto library.
  if (auto r = crypto::init(); !r) return failure(r.error(), "cannot start the crypto library");
  ConfigReader reader(text);
  if (reader.integer("/version", 0, 0, INT64_MAX) != 1) reader.reject("/version", "must be 1");
  AccountFile file;
  RecordReader top(reader, "");
  file.account = AccountId(top.device("account").bytes());
  for (std::size_t i = 0; i < reader.size("/cameras"); ++i)
    file.cameras.push_back(read_camera({reader, sealcam::format("/cameras/{}", i)}));
  for (std::size_t i = 0; i < reader.size("/hubs"); ++i)
    file.hubs.push_back(read_hub({reader, sealcam::format("/hubs/{}", i)}));
  for (std::size_t i = 0; i < reader.size("/integrations"); ++i) {
    RecordReader record(reader, sealcam::format("/integrations/{}", i));
    file.integrations.push_back({record.integration("label"), record.text("name"), record.boolean("suspended")});
  }
  if (reader.has("/backup"))
    file.backup = {CaptureTime{std::chrono::microseconds(top.number("backup/made"))}, top.text("backup/content")};
  if (reader.has("/index")) file.index = read_index(top.below("index"));
  file.broker_folder = reader.text("/broker", "");
  file.resync_pending = reader.boolean("/resync", false);
  if (const auto error = reader.finish())
    return failure(EX_CONFIG, sealcam::format("{}: {}; restore the file from a copy", source, *error));
  return file;
}

Outcome<AccountFile> read_account(const std::filesystem::path& path) {
  const auto content = read(path, max_account, "create an account with 'sealcam account create'");
  if (!content) return std::unexpected(content.error());
  auto account = parse_account(as_text(*content), path.string());
  if (!account) return account;
  if (auto r = read_decisions(path.parent_path() / decisions_file, *account); !r) return std::unexpected(r.error());
  return account;
}

std::string account_text(const AccountFile& account) {
  Json json = {{"version", 1}, {"account", account.account.to_string()}};
  json["cameras"] = Json::array();
  json["hubs"] = Json::array();
  json["integrations"] = Json::array();
  for (const auto& camera : account.cameras) json["cameras"].push_back(to_json(camera));
  for (const auto& hub : account.hubs) json["hubs"].push_back(to_json(hub));
  for (const auto& integration : account.integrations) json["integrations"].push_back(to_json(integration));
  if (account.backup)
    json["backup"] = {{"made", account.backup->made.since_epoch.count()}, {"content", account.backup->content}};
  add_index(json, account.index);
  if (!account.broker_folder.empty()) json["broker"] = account.broker_folder;
  add_flag(json, "resync", account.resync_pending);
  return json.dump(2) + "\n";
}

Outcome<> write_account(const std::filesystem::path& path, const AccountFile& account) {
  // A decision without its command waits for the next one. A command without its decision would be incomplete.
  if (auto r = write_decisions(path.parent_path() / decisions_file, account); !r) return r;
  return write(path, as_bytes(account_text(account)));
}

bool AccountFile::out_of_sync() const noexcept {
  return resync_pending || std::ranges::contains(cameras, true, &CameraRecord::out_of_sync);
}

std::string content_digest(const AccountFile& account) {
  // Versions, numbers and confirmations change without a change of the content, so the digest leaves them out.
  AccountFile plain = account;
  plain.backup.reset();
  plain.broker_folder.clear();
  plain.resync_pending = false;
  plain.index = {};
  for (auto& hub : plain.hubs) hub.index = {};
  for (auto& camera : plain.cameras) {
    camera.version = camera.published = camera.confirmed = protocol::RosterVersion();
    camera.contradicted = camera.not_stored = camera.out_of_sync = false;
    camera.command = {};
  }
  const auto digest = crypto::sha256(as_bytes(account_text(plain)));
  return digest ? to_hex(*digest) : std::string();
}

}  // namespace sealcam::owner
