// SPDX-License-Identifier: Apache-2.0
#include "owner/broker/revocation.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "owner/account/account.hpp"
#include "owner/broker/operator_connection.hpp"
#include "owner/broker/rabbitmq.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::owner {

namespace {

constexpr std::size_t max_own_access = 1U << 20;

std::vector<Authorized> devices_in(const std::vector<DeviceRecord>& records) {
  std::vector<Authorized> out;
  for (const auto& record : records) out.push_back(record.device);
  return out;
}

Outcome<> write_permissions(const BrokerFiles& files, BrokerKind kind) {
  const auto records = read_devices(files);
  if (!records) return std::unexpected(records.error());
  if (kind == BrokerKind::rabbitmq) {
    const auto revocations = read_revocations(files);
    if (!revocations) return std::unexpected(revocations.error());
    return write(files.definitions(), as_bytes(rabbitmq_definitions(devices_in(*records), revocations->former)));
  }
  auto text = access_list(devices_in(*records));
  if (const auto own = read_file(files.own_access(), max_own_access); own) text += as_text(*own);
  else if (own.error().code != Errc::not_found)
    return failure(own.error(), sealcam::format("cannot read {}", files.own_access().string()));
  return write(files.access_list(), as_bytes(text));
}

Outcome<> write_revocation_list(const BrokerFiles& files, BrokerKind kind) {
  const auto revocations = read_revocations(files);
  if (!revocations) return std::unexpected(revocations.error());
  const auto authority = read_authority(files);
  if (!authority) return std::unexpected(authority.error());
  std::vector<Bytes> serials;
  for (const auto& text : revocations->certificates)
    if (auto serial = from_hex(text)) serials.push_back(std::move(*serial));
  const auto list =
      transport::make_revocation_list(authority->certificate_pem, authority->key, revocations->number, serials);
  if (!list) return failure(list.error(), "cannot make the certificate revocation list");
  if (kind == BrokerKind::rabbitmq)
    if (auto r = write(files.rabbitmq_revocation_list(), as_bytes(*list)); !r) return r;
  return write(files.revocation_list(), as_bytes(*list));
}

/// Adds the record to the revocations, durably. A second call for the same record adds nothing.
Outcome<> note_revoked(const BrokerFiles& files, BrokerKind kind, const DeviceRecord& record) {
  auto revocations = read_revocations(files);
  if (!revocations) return std::unexpected(revocations.error());
  ++revocations->number;
  for (const auto& serial : record.certificates)
    if (!std::ranges::contains(revocations->certificates, serial)) revocations->certificates.push_back(serial);
  const auto add = [&](std::vector<Authorized>& devices) {
    if (!std::ranges::contains(devices, record.device)) devices.push_back(record.device);
  };
  add(revocations->devices);
  if (kind == BrokerKind::rabbitmq) add(revocations->former);
  return write_revocations(files, *revocations);
}

/// Ends the session of each device that is not authorized again, and deletes retained messages.
Outcome<std::size_t> clear(const BrokerFiles& files, BrokerKind kind, const std::vector<Authorized>& revoked) {
  const auto records = read_devices(files);
  if (!records) return std::unexpected(records.error());
  const auto authorized = devices_in(*records);
  const auto authority = read_authority(files);
  if (!authority) return std::unexpected(authority.error());
  for (const auto& device : revoked) {
    if (std::ranges::contains(authorized, device.device, &Authorized::device)) continue;
    const auto ended = kind == BrokerKind::rabbitmq ? remove_rabbitmq_user(files, device.device)
                                                    : end_session(files, *authority, device.device);
    if (!ended) return std::unexpected(ended.error());
  }
  // After the sessions, so that no message that is still in flight comes later.
  const auto topics = topics_without_device(revoked, authorized);
  if (topics.empty()) return 0;
  if (auto r = delete_retained(files, *authority, topics); !r) return std::unexpected(r.error());
  return topics.size();
}

}  // namespace

Outcome<> write_access(const BrokerFiles& files, BrokerKind kind) {
  if (auto r = write_revocation_list(files, kind); !r) return r;
  return write_permissions(files, kind);
}

Outcome<Revoked> clear_revoked(const BrokerFiles& files, BrokerKind kind) {
  auto revocations = read_revocations(files);
  if (!revocations) return std::unexpected(revocations.error());
  Revoked out{.reloaded = true, .cleared = true, .topics = 0, .why_not = ""};
  if (revocations->devices.empty()) return out;
  const auto topics = clear(files, kind, revocations->devices);
  if (!topics) {
    out.cleared = false;
    out.why_not = topics.error().message;
    return out;
  }
  out.topics = *topics;
  revocations->devices.clear();
  if (auto r = write_revocations(files, *revocations); !r) return std::unexpected(r.error());
  return out;
}

Outcome<Revoked> revoke(const BrokerFiles& files, const DeviceId& device) {
  const auto settings = read_broker(files);
  if (!settings) return std::unexpected(settings.error());
  const auto lock = lock_broker(files);
  if (!lock) return std::unexpected(lock.error());
  const auto record = read_device(files, device);
  if (record) {
    if (auto r = note_revoked(files, settings->kind, *record); !r) return std::unexpected(r.error());
    // The removal must be durable before the new list is written. Otherwise a power cut could restore the permissions.
    if (auto r = remove_device(files, device); !r) return std::unexpected(r.error());
  } else {
    const auto revocations = read_revocations(files);
    if (!revocations) return std::unexpected(revocations.error());
    if (record.error().exit_code != EX_NOINPUT ||
        !std::ranges::contains(revocations->devices, device, &Authorized::device))
      return std::unexpected(record.error());
  }
  if (auto r = write_access(files, settings->kind); !r) return std::unexpected(r.error());
  if (!reload_broker(files, settings->kind))
    return Revoked{.reloaded = false, .cleared = false, .topics = 0, .why_not = "no broker is running"};
  return clear_revoked(files, settings->kind);
}

}  // namespace sealcam::owner
