// SPDX-License-Identifier: Apache-2.0
/// The operator's records: one file for each authorized device, and one file with all revocations.
///
///     devices/<id>   {"version": 1, "role", "device", "account", "certificates": [serial number in hexadecimal],
///     "login": {"salt": hexadecimal, "hash": hexadecimal}}; only a phone has "login", and it has no certificates
///     revoked.json   {"version": 1, "number", "certificates": [serial number], "devices": [{"role", "device",
///     "account"}]}
///
/// The permissions of each device at the broker, and Mosquitto's access list (acl_file of mosquitto.conf(5)), follow
/// from the records. The permissions for writing name existing devices, so that no device can leave retained messages
/// on other topics.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/passphrase.hpp"
#include "owner/broker/broker_setup.hpp"
#include "protocol/pairing.hpp"

namespace sealcam::owner {

/// A device with access to the broker.
struct Authorized {
  protocol::Role role = protocol::Role::camera;
  DeviceId device;
  AccountId account;
  friend bool operator==(const Authorized&, const Authorized&) = default;
};

/// The name of the operator's own connection. No device has it, because it is not an id.
inline constexpr std::string_view operator_name = "sealcam-operator";

/// Exact topics, except the account filter of an owner.
struct Permissions {
  std::vector<std::string> write, read;
};

/// The permissions of one device among the authorized devices. A camera writes its own grants, video, still and status.
/// It reads its own roster and command, and the requests of the account's hubs. A hub writes its own requests to the
/// account's cameras. It reads its index and the topics of these cameras. An owner writes the roster and the command of
/// each camera and the index of each hub. It reads all topics of its account (`sealcam/1/<account>/#`).
[[nodiscard]] Permissions permissions(const Authorized& device, std::span<const Authorized> all);

/// The topics that existed because of revoked devices and that no authorized device has any more. A device that is
/// authorized again has its topics.
[[nodiscard]] std::vector<std::string> topics_without_device(std::span<const Authorized> revoked,
                                                             std::span<const Authorized> authorized);

/// Former devices beyond the newest `max` of each account.
[[nodiscard]] std::vector<Authorized> excess_devices(std::span<const Authorized> former, std::size_t max);

struct Revocations;
/// The rosters of former cameras that the broker need not keep any more: an account has at most `max` of them, and none
/// once its owner is revoked.
[[nodiscard]] std::vector<std::string> obsolete_rosters(const Revocations& revocations,
                                                        std::span<const Authorized> authorized, std::size_t max);

/// The whole file. The devices are in ascending order of their ids. The operator's connection may write all topics,
/// because it deletes retained messages.
[[nodiscard]] std::string access_list(std::vector<Authorized> devices);

/// A device, and the serial numbers of its certificates in the order of their issue, or the hash of its password.
struct DeviceRecord {
  Authorized device;
  std::vector<std::string> certificates;
  std::optional<crypto::PasswordHash> login{};  ///< of a phone
  friend bool operator==(const DeviceRecord&, const DeviceRecord&) = default;
};

/// A device keeps so many certificates. When it gets one more, the oldest one is revoked.
inline constexpr std::size_t max_certificates = 8;

[[nodiscard]] std::string device_record_text(const DeviceRecord& record);
/// Errors: malformed (the message names the JSON pointer).
[[nodiscard]] Outcome<DeviceRecord> parse_device_record(std::string_view text, std::string_view file);

struct Revocations {
  std::uint64_t number = 1;               ///< of the certificate revocation list; each new list has a higher one
  std::vector<std::string> certificates;  ///< serial numbers, without end, because certificates have no end
  /// Devices whose session and retained messages may still exist at the broker, because it was not running.
  std::vector<Authorized> devices;
  /// Revoked devices, the newest last. The broker keeps the last rosters of the cameras among them. For the others see
  /// rabbitmq_definitions().
  std::vector<Authorized> former{};
  friend bool operator==(const Revocations&, const Revocations&) = default;
};
[[nodiscard]] std::string revocations_text(const Revocations& revocations);
[[nodiscard]] Outcome<Revocations> parse_revocations(std::string_view text, std::string_view file);

/// The record of a device. EX_NOINPUT: it is not authorized.
[[nodiscard]] Outcome<DeviceRecord> read_device(const BrokerFiles& files, const DeviceId& device);
[[nodiscard]] Outcome<> write_device(const BrokerFiles& files, const DeviceRecord& record);
/// The removal is durable on return.
[[nodiscard]] Outcome<> remove_device(const BrokerFiles& files, const DeviceId& device);
/// In ascending order of the id.
[[nodiscard]] Outcome<std::vector<DeviceRecord>> read_devices(const BrokerFiles& files);

[[nodiscard]] Outcome<Revocations> read_revocations(const BrokerFiles& files);
[[nodiscard]] Outcome<> write_revocations(const BrokerFiles& files, const Revocations& revocations);

}  // namespace sealcam::owner
