// SPDX-License-Identifier: Apache-2.0
#include "owner/broker/device_records.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <ranges>
#include <set>
#include <utility>

#include "base/bytes.hpp"
#include "base/config.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "owner/account/account.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::owner {

namespace {

using protocol::Leaf;
using protocol::Role;
using protocol::Route;
using Topics = std::vector<std::string>;

constexpr auto written_by_camera = {Leaf::grants, Leaf::video, Leaf::still, Leaf::past, Leaf::status};
constexpr auto written_by_owner = {Leaf::roster, Leaf::command};
constexpr auto read_by_hub = {Leaf::grants, Leaf::video, Leaf::still, Leaf::past, Leaf::status};

void add(Topics& topics, const Route& route, std::initializer_list<Leaf> leaves) {
  for (const auto leaf : leaves) topics.push_back(protocol::topic(route, leaf));
}

Permissions of_camera(const Authorized& camera, std::span<const Authorized> account) {
  const Route own{camera.account, camera.device};
  Permissions out;
  add(out.write, own, written_by_camera);
  add(out.read, own, written_by_owner);
  for (const auto& hub : account)
    if (hub.role == Role::hub) out.read.push_back(protocol::request_topic(own, hub.device));
  return out;
}

Permissions of_hub(const Authorized& hub, std::span<const Authorized> account) {
  Permissions out;
  out.read.push_back(protocol::index_topic(hub.account, hub.device));
  // Also of former cameras: a hub that was offline learns from the last roster that the camera is gone.
  out.read.push_back(protocol::account_filter(hub.account, Leaf::roster));
  for (const auto& camera : account) {
    if (camera.role != Role::camera) continue;
    const Route route{camera.account, camera.device};
    add(out.read, route, read_by_hub);
    out.write.push_back(protocol::request_topic(route, hub.device));
  }
  return out;
}

Permissions of_owner(const Authorized& owner, std::span<const Authorized> account) {
  Permissions out;
  for (const auto& device : account) {
    if (device.role == Role::camera) add(out.write, {device.account, device.device}, written_by_owner);
    if (device.role == Role::hub) out.write.push_back(protocol::index_topic(device.account, device.device));
  }
  out.write.push_back(protocol::index_topic(owner.account, owner.device));  // of all cameras
  out.read.push_back(sealcam::format("sealcam/1/{}/#", owner.account.to_string()));
  return out;
}

Permissions permissions_in(const Authorized& device, std::span<const Authorized> account) {
  switch (device.role) {
    case Role::camera: return of_camera(device, account);
    case Role::hub: return of_hub(device, account);
    case Role::owner: return of_owner(device, account);
  }
  return {};
}

std::vector<Authorized> devices_of(const AccountId& account, std::span<const Authorized> all) {
  std::vector<Authorized> out;
  std::ranges::copy_if(all, std::back_inserter(out), [&](const Authorized& each) { return each.account == account; });
  return out;
}

/// The topics of a camera or a hub: all that its role and its id make possible, with these devices of its account.
std::set<std::string> topics_of(const Authorized& device, std::span<const Authorized> account) {
  Topics out;
  const Route own{device.account, device.device};
  if (device.role == Role::camera) {
    add(out, own, written_by_camera);
    add(out, own, written_by_owner);
  }
  // The owner's own index lists all cameras.
  if (device.role != Role::camera) out.push_back(protocol::index_topic(device.account, device.device));
  for (const auto& other : account) {
    if (device.role == Role::camera && other.role == Role::hub)
      out.push_back(protocol::request_topic(own, other.device));
    if (device.role == Role::hub && other.role == Role::camera)
      out.push_back(protocol::request_topic({other.account, other.device}, device.device));
  }
  return {out.begin(), out.end()};
}

std::string block(const Authorized& device, std::span<const Authorized> account) {
  auto out = sealcam::format("\n# {} {} of account {}\nuser {}\n", protocol::name(device.role),
                             device.device.to_string(), device.account.to_string(), device.device.to_string());
  const auto topics = permissions_in(device, account);
  for (const auto& topic : topics.write) out += sealcam::format("topic write {}\n", topic);
  for (const auto& topic : topics.read) out += sealcam::format("topic read {}\n", topic);
  return out;
}

}  // namespace

Permissions permissions(const Authorized& device, std::span<const Authorized> all) {
  return permissions_in(device, devices_of(device.account, all));
}

std::vector<std::string> topics_without_device(std::span<const Authorized> revoked,
                                               std::span<const Authorized> authorized) {
  std::set<std::string> out;
  for (const auto& device : revoked) {
    // A hub and a camera that are both revoked have a topic in common.
    auto account = devices_of(device.account, authorized);
    const auto gone = devices_of(device.account, revoked);
    account.insert(account.end(), gone.begin(), gone.end());
    out.merge(topics_of(device, account));
  }
  for (const auto& device : authorized) {
    if (std::ranges::none_of(revoked, [&](const Authorized& each) { return each.account == device.account; })) continue;
    // A request topic needs both devices, so only the pairs of authorized devices keep it.
    for (const auto& topic : topics_of(device, devices_of(device.account, authorized))) out.erase(topic);
  }
  // Hubs that were offline learn from its last roster that the camera is gone. The owner wrote it, one for each camera.
  const auto has_owner = [&](const Authorized& each) {
    return std::ranges::any_of(authorized, [&](const Authorized& device) {
      return device.role == Role::owner && device.account == each.account;
    });
  };
  for (const auto& device : revoked)
    if (device.role == Role::camera && has_owner(device))
      out.erase(protocol::topic({device.account, device.device}, Leaf::roster));
  return {out.begin(), out.end()};
}

std::vector<Authorized> excess_devices(std::span<const Authorized> former, std::size_t max) {
  std::map<AccountId, std::size_t> counts;
  std::vector<Authorized> out;
  for (const auto& device : former | std::views::reverse)
    if (++counts[device.account] > max) out.push_back(device);
  return out;
}

std::vector<std::string> obsolete_rosters(const Revocations& revocations, std::span<const Authorized> authorized,
                                          std::size_t max) {
  const auto excess = excess_devices(revocations.former, max);
  const auto owner_revoked = [&](const AccountId& account) {
    const Authorized owner{Role::owner, owner_of(account), account};
    return std::ranges::contains(revocations.devices, owner) && !std::ranges::contains(authorized, owner);
  };
  Topics out;
  for (const auto& device : revocations.former) {
    if (device.role != Role::camera || std::ranges::contains(authorized, device)) continue;
    if (owner_revoked(device.account) || std::ranges::contains(excess, device))
      out.push_back(protocol::topic({device.account, device.device}, Leaf::roster));
  }
  return out;
}

std::string access_list(std::vector<Authorized> devices) {
  std::ranges::sort(devices, {}, &Authorized::device);
  auto out = sealcam::format(
      "# Generated by 'sealcam broker' from the files in devices. Do not edit this file; write your own rules into "
      "acl.own.\n\n# Deletes retained messages of revoked devices. Only the operator can make a certificate with this "
      "name.\nuser {}\ntopic write sealcam/1/#\n",
      operator_name);
  std::ranges::stable_sort(devices, {}, &Authorized::account);
  for (auto first = devices.begin(); first != devices.end();) {
    const auto last =
        std::find_if(first, devices.end(), [&](const auto& each) { return each.account != first->account; });
    const std::span account(first, last);
    for (const auto& device : account) out += block(device, account);
    first = last;
  }
  return out;
}

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t max_record = 16U << 10;
constexpr std::size_t max_revocations = 16U << 20;
constexpr std::size_t max_serial = 20;  // RFC 5280 section 4.1.2.2
/// A list with this number would start in the year 2051, and RFC 5280 section 5.1.2.4 changes the form of the time in
/// 2050.
constexpr std::int64_t max_list_number = 900'000'000;

Json to_json(const Authorized& device) {
  return {{"role", protocol::name(device.role)},
          {"device", device.device.to_string()},
          {"account", device.account.to_string()}};
}

std::optional<protocol::Role> parse_role(std::string_view text) {
  for (const auto role : {protocol::Role::camera, protocol::Role::hub, protocol::Role::owner})
    if (protocol::name(role) == text) return role;
  return std::nullopt;
}

Authorized read_authorized(ConfigReader& reader, const std::string& at) {
  const auto role = parse_role(reader.required_text(at + "/role"));
  if (!role) reader.reject(at + "/role", "must be camera, hub or owner");
  const auto device = DeviceId::parse(reader.required_text(at + "/device"));
  if (!device) reader.reject(at + "/device", "must be an id of 32 characters");
  const auto account = AccountId::parse(reader.required_text(at + "/account"));
  if (!account) reader.reject(at + "/account", "must be an id of 32 characters");
  return {role.value_or(protocol::Role::camera), device.value_or(DeviceId()), account.value_or(AccountId())};
}

std::vector<std::string> read_serials(ConfigReader& reader) {
  auto serials = reader.texts("/certificates");
  for (const auto& serial : serials) {
    const auto bytes = from_hex(serial);
    if (!bytes || bytes->empty() || bytes->size() > max_serial || to_hex(*bytes) != serial)
      reader.reject("/certificates", "must be serial numbers of certificates in hexadecimal");
  }
  return serials;
}

/// Only phones have it.
std::optional<crypto::PasswordHash> read_login(ConfigReader& reader) {
  if (!reader.has("/login")) return std::nullopt;
  crypto::PasswordHash login;
  const auto read = [&](const char* at, MutableBytes out) {
    const auto bytes = from_hex(reader.required_text(at));
    if (!bytes || bytes->size() != out.size()) return reader.reject(at, "has another size, or is not hexadecimal");
    std::ranges::copy(*bytes, out.begin());
  };
  read("/login/salt", login.salt);
  read("/login/hash", login.hash);
  return login;
}

void check_version(ConfigReader& reader) {
  if (reader.integer("/version", 0, 0, INT64_MAX) != 1) reader.reject("/version", "must be 1");
}

std::unexpected<Failure> damaged(std::string_view file, const std::string& why, std::string_view next) {
  return failure(EX_CONFIG, sealcam::format("{} is damaged: {}; {}", file, why, next));
}

fs::path path_of(const BrokerFiles& files, const DeviceId& device) { return files.devices() / device.to_string(); }

Outcome<DeviceRecord> read_record(const fs::path& path) {
  const auto text = read(path, max_record);
  if (!text) return std::unexpected(text.error());
  auto record = parse_device_record(as_text(*text), path.string());
  if (record && record->device.device.to_string() != path.filename().string())
    return damaged(path.string(), "it contains another device", "restore the file from a copy");
  return record;
}

}  // namespace

std::string device_record_text(const DeviceRecord& record) {
  Json json = {{"version", 1}};
  json.update(to_json(record.device));
  json["certificates"] = record.certificates;
  if (record.login) json["login"] = {{"salt", to_hex(record.login->salt)}, {"hash", to_hex(record.login->hash)}};
  return json.dump(1) + "\n";
}

Outcome<DeviceRecord> parse_device_record(std::string_view text, std::string_view file) {
  ConfigReader reader(text);
  check_version(reader);
  DeviceRecord record{read_authorized(reader, ""), read_serials(reader), std::nullopt};
  if (record.device.role == Role::hub) record.login = read_login(reader);
  if (const auto error = reader.finish())
    return damaged(file, *error, "delete the file and authorize the device again");
  return record;
}

std::string revocations_text(const Revocations& revocations) {
  Json json = {{"version", 1},
               {"number", revocations.number},
               {"certificates", revocations.certificates},
               {"devices", Json::array()}};
  for (const auto& device : revocations.devices) json["devices"].push_back(to_json(device));
  for (const auto& device : revocations.former) json["former"].push_back(to_json(device));
  return json.dump(1) + "\n";
}

Outcome<Revocations> parse_revocations(std::string_view text, std::string_view file) {
  ConfigReader reader(text);
  check_version(reader);
  Revocations out;
  out.number = static_cast<std::uint64_t>(reader.integer("/number", 0, 1, max_list_number));
  if (!reader.has("/number")) reader.reject("/number", "is missing");
  out.certificates = read_serials(reader);
  for (const auto& [place, list] : {std::pair("/devices", &out.devices), std::pair("/former", &out.former)}) {
    const auto count = reader.size(place);
    for (std::size_t i = 0; i < count; ++i)
      list->push_back(read_authorized(reader, sealcam::format("{}/{}", place, i)));
  }
  if (const auto error = reader.finish()) return damaged(file, *error, "restore the file from a copy");
  return out;
}

Outcome<DeviceRecord> read_device(const BrokerFiles& files, const DeviceId& device) {
  std::error_code ec;
  if (!fs::exists(path_of(files, device), ec))
    return failure(EX_NOINPUT,
                   sealcam::format("device {} is not authorized; list the devices with 'sealcam broker list {}'",
                                   device.to_string(), files.folder.string()));
  return read_record(path_of(files, device));
}

Outcome<> write_device(const BrokerFiles& files, const DeviceRecord& record) {
  return write(path_of(files, record.device.device), as_bytes(device_record_text(record)));
}

Outcome<> remove_device(const BrokerFiles& files, const DeviceId& device) {
  std::error_code ec;
  fs::remove(path_of(files, device), ec);
  if (ec)
    return failure(EX_IOERR, sealcam::format("cannot delete {}: {}", path_of(files, device).string(), ec.message()));
  if (auto r = sync_folder(files.devices()); !r)
    return failure(r.error(), sealcam::format("cannot write the folder {}", files.devices().string()));
  return {};
}

Outcome<std::vector<DeviceRecord>> read_devices(const BrokerFiles& files) {
  std::vector<DeviceRecord> out;
  std::error_code ec;
  for (fs::directory_iterator it(files.devices(), ec), end; !ec && it != end; it.increment(ec)) {
    if (!DeviceId::parse(it->path().filename().string())) continue;  // a temporary file of an interrupted write
    auto record = read_record(it->path());
    if (!record) return std::unexpected(record.error());
    out.push_back(std::move(*record));
  }
  if (ec)
    return failure(EX_IOERR, sealcam::format("cannot read the folder {}: {}", files.devices().string(), ec.message()));
  std::ranges::sort(out, {}, [](const DeviceRecord& record) { return record.device.device; });
  return out;
}

Outcome<Revocations> read_revocations(const BrokerFiles& files) {
  const auto text = read(files.revocations(), max_revocations);
  if (!text) return std::unexpected(text.error());
  return parse_revocations(as_text(*text), files.revocations().string());
}

Outcome<> write_revocations(const BrokerFiles& files, const Revocations& revocations) {
  return write(files.revocations(), as_bytes(revocations_text(revocations)));
}

}  // namespace sealcam::owner
