// SPDX-License-Identifier: Apache-2.0
/// The operator's records: one file for each authorized device, and one file with all revocations.
///
///     devices/<id>   {"version": 1, "role", "device", "account", "certificates": [serial number in hexadecimal]}
///     revoked.json   {"version": 1, "number", "certificates": [serial number], "devices": [{"role", "device",
///     "account"}]}
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "owner/broker/access_list.hpp"
#include "owner/broker/broker_setup.hpp"

namespace sealcam::owner {

/// A device, and the serial numbers of its certificates in the order of their issue.
struct DeviceRecord {
  Authorized device;
  std::vector<std::string> certificates;
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
  /// All revoked devices of a RabbitMQ; see rabbitmq_definitions().
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

/// Locks the broker's folder. Waits for another command, which may import definitions into RabbitMQ meanwhile.
[[nodiscard]] Outcome<UniqueFd> lock_broker(const BrokerFiles& files);

[[nodiscard]] Outcome<Revocations> read_revocations(const BrokerFiles& files);
[[nodiscard]] Outcome<> write_revocations(const BrokerFiles& files, const Revocations& revocations);

}  // namespace sealcam::owner
