// SPDX-License-Identifier: Apache-2.0
/// NetworkManager's wireless adapters. Private to this folder.
#pragma once

#include <systemd/sd-bus.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "hal/network_control.hpp"

namespace sealcam::hal::networkmanager {

/// NMDeviceState. The states from config to ip_config are steps of an activation.
enum class WifiAdapterState : std::uint32_t {
  unknown = 0,
  unmanaged = 10,
  unavailable = 20,
  disconnected = 30,
  config = 50,
  need_auth = 60,
  ip_config = 70,
  activated = 100,
  failed = 120,
};

struct WifiAdapter {
  std::string path;
  WifiAdapterState state = WifiAdapterState::unknown;
};

/// Reads the properties of a device, as GetAll returns them. Returns nothing if the device is not a wireless adapter,
/// or if the reply is malformed.
[[nodiscard]] std::optional<WifiAdapter> read_adapter(const std::string& path, sd_bus_message& properties);
/// Chooses the adapter in the most advanced state. The error is the reason why none is usable.
[[nodiscard]] std::expected<WifiAdapter, JoinFault> choose(const std::vector<WifiAdapter>& adapters);

/// Maps NMDeviceStateReason of a failed activation.
[[nodiscard]] JoinFault fault_of(std::uint32_t reason) noexcept;
/// The fault of an activation that takes too long, by its last state.
[[nodiscard]] JoinFault fault_of(WifiAdapterState reached) noexcept;

}  // namespace sealcam::hal::networkmanager
