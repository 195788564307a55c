// SPDX-License-Identifier: Apache-2.0
#include "owner/broker/authorization.hpp"

#include <algorithm>
#include <iterator>

#include "base/bytes.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "owner/account/account.hpp"
#include "owner/broker/device_records.hpp"
#include "owner/broker/operator.hpp"
#include "owner/broker/rabbitmq.hpp"
#include "owner/broker/web_listener.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::owner {

namespace {

constexpr const char* next_authorization = "make a new authorization with 'sealcam authorization'";

/// Checks that the device signed for the TLS key of the request, or that it has none. Without this, an account could
/// get a certificate for the id of another account's device.
Outcome<> check_descriptor(const AuthorizationRequest& request, const protocol::Authorization& statement) {
  const auto descriptor = protocol::decode_device_descriptor(request.descriptor);
  if (!descriptor) return failure(descriptor.error(), "the device's descriptor is not valid");
  if (descriptor->identity.id() != statement.device)
    return failure(EX_NOPERM, sealcam::format("the authorization is for device {}, but the descriptor is of device {}",
                                              statement.device.to_string(), descriptor->identity.id().to_string()));
  if (descriptor->role != statement.role)
    return failure(EX_NOPERM, sealcam::format("the authorization is for a {}, but the device is a {}",
                                              protocol::name(statement.role), protocol::name(descriptor->role)));
  if (descriptor->tls != statement.tls)
    return failure(EX_NOPERM,
                   "the device did not sign the key of the certificate request; send the descriptor and the "
                   "request from the same state folder");
  return {};
}

/// Checks that the certificate request has the id and the key of the owner's authorization.
Outcome<> check_certificate_request(const AuthorizationRequest& request, const protocol::Authorization& statement) {
  const auto name = transport::requested_name(request.request_pem);
  if (!name) return failure(name.error(), "the certificate request is not valid");
  if (*name != statement.device.to_string())
    return failure(EX_NOPERM, sealcam::format("the authorization is for device {}, but the request is for device {}",
                                              statement.device.to_string(), *name));
  const auto key = transport::requested_key(request.request_pem);
  if (!key) return failure(key.error(), "the certificate request is not valid");
  if (!equal(*key, statement.tls->bytes()))
    return failure(EX_NOPERM, sealcam::format("the certificate request has another key than the owner's authorization; "
                                              "{}",
                                              next_authorization));
  return {};
}

/// Checks that the owner and the device signed for the key, the id and the role of the request. Returns the record of
/// the device, without certificates.
Outcome<DeviceRecord> check_statement(const AuthorizationRequest& request) {
  const auto statement = protocol::decode_authorization(request.authorization);
  if (!statement) return failure(statement.error(), "the owner's authorization is not valid");
  if (statement->tls) {
    if (auto r = check_certificate_request(request, *statement); !r) return std::unexpected(r.error());
  } else if (!request.request_pem.empty()) {
    return failure(EX_NOPERM, "the authorization is for a phone, which has no certificate request");
  }
  if (auto r = check_descriptor(request, *statement); !r) return std::unexpected(r.error());
  const Authorized entry{statement->role, statement->device, statement->owner.account()};
  const bool names_the_owner = entry.device == owner_of(entry.account);
  if ((entry.role == protocol::Role::owner) != names_the_owner)
    return failure(
        EX_NOPERM,
        "the role of the authorization does not fit its device: only the account's own key has the role owner");
  return DeviceRecord{entry, {}, statement->login};
}

/// Fails if the device is authorized for another account or in another way, or if the account has too many devices.
/// Returns the record of the device, with its earlier certificates.
Outcome<DeviceRecord> check_account(const BrokerFiles& files, const BrokerSettings& settings,
                                    const DeviceRecord& requested) {
  const auto& entry = requested.device;
  if (requested.login && !settings.web_port) return no_web_listener(files);
  const auto records = read_devices(files);
  if (!records) return std::unexpected(records.error());
  const auto id_of = [](const DeviceRecord& record) { return record.device.device; };
  const auto before = std::ranges::find(*records, entry.device, id_of);
  if (before == records->end()) {
    const auto of_account = std::ranges::count(*records, entry.account, [](const auto& r) { return r.device.account; });
    if (of_account < settings.devices_per_account) return requested;
    return failure(EX_NOPERM,
                   sealcam::format("account {} already has {} devices, which is the maximum; revoke one with 'sealcam "
                                   "broker revoke', or increase 'devices_per_account' in {}",
                                   entry.account.to_string(), of_account, files.settings().string()));
  }
  if (before->device.account != entry.account)
    return failure(
        EX_NOPERM,
        sealcam::format("device {} is authorized for account {}; revoke it first with 'sealcam broker revoke {} {}'",
                        entry.device.to_string(), before->device.account.to_string(), files.folder.string(),
                        entry.device.to_string()));
  // A device has one way to log in, so that a revocation ends all.
  if (before->login.has_value() != requested.login.has_value())
    return failure(EX_NOPERM,
                   sealcam::format("device {} is authorized {}; revoke it first with 'sealcam broker revoke {} {}'",
                                   entry.device.to_string(), before->login ? "as a phone" : "with a certificate",
                                   files.folder.string(), entry.device.to_string()));
  return DeviceRecord{entry, before->certificates, requested.login};
}

Outcome<std::string> sign(const BrokerFiles& files, std::string_view request_pem, const Authorized& entry) {
  const auto authority = read_authority(files);
  if (!authority) return std::unexpected(authority.error());
  auto certificate =
      transport::sign_request(authority->certificate_pem, authority->key, request_pem, entry.device.to_string(),
                              transport::CertificateUse::client, {entry.device.to_string()});
  if (!certificate) return failure(certificate.error(), "cannot sign the certificate");
  return std::move(*certificate);
}

/// Records the certificate before a device receives it. Otherwise a revocation could miss it.
Outcome<> record_certificate(const BrokerFiles& files, DeviceRecord record, std::string_view certificate_pem) {
  const auto serial = transport::certificate_serial(certificate_pem);
  if (!serial) return failure(serial.error(), "cannot read the new certificate");
  record.certificates.push_back(to_hex(*serial));
  if (record.certificates.size() > max_certificates) {
    auto revocations = read_revocations(files);
    if (!revocations) return std::unexpected(revocations.error());
    ++revocations->number;
    revocations->certificates.push_back(record.certificates.front());
    record.certificates.erase(record.certificates.begin());
    if (auto r = write_revocations(files, *revocations); !r) return r;
  }
  return write_device(files, record);
}

}  // namespace

Outcome<AuthorizedDevice> authorize(const BrokerFiles& files, const AuthorizationRequest& request) {
  const auto settings = read_broker(files);
  if (!settings) return std::unexpected(settings.error());
  const auto entry = check_statement(request);
  if (!entry) return std::unexpected(entry.error());
  const auto lock = lock_broker(files);
  if (!lock) return std::unexpected(lock.error());
  auto record = check_account(files, *settings, *entry);
  if (!record) return std::unexpected(record.error());
  if (record->login) {
    if (auto r = write_device(files, *record); !r) return std::unexpected(r.error());
    return AuthorizedDevice{entry->device, ""};
  }
  auto certificate = sign(files, request.request_pem, entry->device);
  if (!certificate) return std::unexpected(certificate.error());
  if (auto r = record_certificate(files, std::move(*record), *certificate); !r) return std::unexpected(r.error());
  return AuthorizedDevice{entry->device, std::move(*certificate)};
}

namespace {

enum class Reload { if_immediate, always };

/// Writes the lists. Returns the number of the revocations in them.
Outcome<std::uint64_t> write_lists(const BrokerFiles& files, BrokerKind kind) {
  const auto lock = lock_broker(files);
  if (!lock) return std::unexpected(lock.error());
  if (auto r = write_access(files, kind); !r) return std::unexpected(r.error());
  const auto revocations = read_revocations(files);
  if (!revocations) return std::unexpected(revocations.error());
  return revocations->number;
}

/// Makes the running broker read the lists, and clears it. Other commands can authorize and revoke devices meanwhile;
/// their changes are in the folder and wait for this function.
Outcome<Revoked> reload_and_clear(const BrokerFiles& files, BrokerKind kind) {
  const auto turn = lock_reload(files);
  if (!turn) return std::unexpected(turn.error());
  for (;;) {
    const auto number = write_lists(files, kind);
    if (!number) return std::unexpected(number.error());
    if (!reload_broker(files, kind))
      return Revoked{.reloaded = false, .cleared = false, .topics = 0, .why_not = "no broker is running"};
    const auto lock = lock_broker(files);
    if (!lock) return std::unexpected(lock.error());
    const auto now = read_revocations(files);
    if (!now) return std::unexpected(now.error());
    // Otherwise a device was revoked meanwhile, and the broker would accept its next connection. This ends, because the
    // command that revoked it waits for this one.
    if (now->number == *number) return clear_revoked(files, kind);
  }
}

Outcome<BrokerAccess> write_and_reload(const BrokerFiles& files, Reload reload) {
  const auto settings = read_broker(files);
  if (!settings) return std::unexpected(settings.error());
  if (reload == Reload::if_immediate && settings->kind == BrokerKind::rabbitmq) {
    if (auto r = write_lists(files, settings->kind); !r) return std::unexpected(r.error());
    return BrokerAccess::pending;
  }
  // A revocation while the broker was not running is completed here. The next command repeats it after a failure.
  const auto done = reload_and_clear(files, settings->kind);
  if (!done) return std::unexpected(done.error());
  return done->reloaded ? BrokerAccess::applied : BrokerAccess::no_broker;
}

}  // namespace

Outcome<BrokerAccess> write_authorizations(const BrokerFiles& files) {
  return write_and_reload(files, Reload::if_immediate);
}

Outcome<bool> apply_authorizations(const BrokerFiles& files) {
  const auto access = write_and_reload(files, Reload::always);
  if (!access) return std::unexpected(access.error());
  return *access == BrokerAccess::applied;
}

Outcome<Authorized> check_authorization(const BrokerFiles& files, const AuthorizationRequest& request) {
  const auto settings = read_broker(files);
  if (!settings) return std::unexpected(settings.error());
  const auto entry = check_statement(request);
  if (!entry) return std::unexpected(entry.error());
  if (auto r = check_account(files, *settings, *entry); !r) return std::unexpected(r.error());
  return entry->device;
}

Outcome<std::vector<Authorized>> list_authorized(const BrokerFiles& files) {
  if (auto r = read_broker(files); !r) return std::unexpected(r.error());
  const auto records = read_devices(files);
  if (!records) return std::unexpected(records.error());
  std::vector<Authorized> out;
  for (const auto& record : *records) out.push_back(record.device);
  return out;
}

namespace {

constexpr std::size_t max_own_access = 1U << 20;

std::vector<Authorized> devices_in(const std::vector<DeviceRecord>& records) {
  std::vector<Authorized> out;
  out.reserve(records.size());
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
  if (auto r = write(files.passwords(), as_bytes(password_file(*records))); !r) return r;
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
Outcome<> note_revoked(const BrokerFiles& files, const DeviceRecord& record) {
  auto revocations = read_revocations(files);
  if (!revocations) return std::unexpected(revocations.error());
  ++revocations->number;
  for (const auto& serial : record.certificates)
    if (!std::ranges::contains(revocations->certificates, serial)) revocations->certificates.push_back(serial);
  for (auto* const devices : {&revocations->devices, &revocations->former}) {
    std::erase(*devices, record.device);
    devices->push_back(record.device);
  }
  return write_revocations(files, *revocations);
}

/// Ends the session of each device that is not authorized again, and deletes retained messages.
Outcome<std::size_t> clear(const BrokerFiles& files, BrokerKind kind, const Revocations& revocations,
                           std::size_t max_former) {
  const auto& revoked = revocations.devices;
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
  auto topics = topics_without_device(revoked, authorized);
  std::ranges::copy(obsolete_rosters(revocations, authorized, max_former), std::back_inserter(topics));
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
  const auto settings = read_broker(files);
  if (!settings) return std::unexpected(settings.error());
  const auto topics = clear(files, kind, *revocations, settings->devices_per_account);
  if (!topics) {
    out.cleared = false;
    out.why_not = topics.error().message;
    return out;
  }
  out.topics = *topics;
  revocations->devices.clear();
  for (const auto& device : excess_devices(revocations->former, settings->devices_per_account))
    std::erase(revocations->former, device);
  if (auto r = write_revocations(files, *revocations); !r) return std::unexpected(r.error());
  return out;
}

Outcome<Revoked> revoke(const BrokerFiles& files, const DeviceId& device) {
  const auto settings = read_broker(files);
  if (!settings) return std::unexpected(settings.error());
  auto lock = lock_broker(files);
  if (!lock) return std::unexpected(lock.error());
  const auto record = read_device(files, device);
  if (record) {
    if (auto r = note_revoked(files, *record); !r) return std::unexpected(r.error());
    // The removal must be durable before the new list is written. Otherwise a power cut could restore the permissions.
    if (auto r = remove_device(files, device); !r) return std::unexpected(r.error());
  } else {
    const auto revocations = read_revocations(files);
    if (!revocations) return std::unexpected(revocations.error());
    if (record.error().exit_code != EX_NOINPUT ||
        !std::ranges::contains(revocations->devices, device, &Authorized::device))
      return std::unexpected(record.error());
  }
  // RabbitMQ reads the revocation list at each connection, so it does not wait for other commands.
  if (auto r = write_access(files, settings->kind); !r) return std::unexpected(r.error());
  lock->reset();
  return reload_and_clear(files, settings->kind);
}

}  // namespace sealcam::owner
