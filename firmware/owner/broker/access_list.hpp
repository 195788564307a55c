// SPDX-License-Identifier: Apache-2.0
/// The permissions of each device at the broker, and Mosquitto's access list (acl_file of mosquitto.conf(5)). The
/// permissions for writing name existing devices, so that no device can leave retained messages on other topics.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/device_descriptor.hpp"

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

/// The whole file. The devices are in ascending order of their ids. The operator's connection may write all topics,
/// because it deletes retained messages.
[[nodiscard]] std::string access_list(std::vector<Authorized> devices);

}  // namespace sealcam::owner
