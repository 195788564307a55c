// SPDX-License-Identifier: Apache-2.0
/// Wireless cards as NetworkManager has them. Private to this folder.
#pragma once

#include <systemd/sd-bus.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "hal/network_control.hpp"

namespace sealcam::hal::networkmanager {

/// NMDeviceState; those in between are steps of an activation.
enum class CardState : std::uint32_t {
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

struct Card {
  std::string path;
  CardState state = CardState::unknown;
};

/// Of the properties of a device, as GetAll returns them; nothing when it is no wireless card, or they have not the
/// form that NetworkManager gives them.
[[nodiscard]] std::optional<Card> read_card(const std::string& path, sd_bus_message& properties);
/// The card to use: one that is in a network, else one that can be. The fault says why none.
[[nodiscard]] std::expected<Card, JoinFault> choose(const std::vector<Card>& cards);

/// A list of objects, the first 1000 of it.
[[nodiscard]] std::vector<std::string> read_paths(sd_bus_message& reply);
/// The one object of an answer; empty when there is none.
[[nodiscard]] std::string read_path(sd_bus_message& reply);
/// A number in a variant, as Get returns it; 0 when it is none.
[[nodiscard]] std::uint32_t read_number(sd_bus_message& reply);

/// What a failed activation means: NMDeviceStateReason.
[[nodiscard]] JoinFault fault_of(std::uint32_t reason) noexcept;
/// What an activation that takes too long means.
[[nodiscard]] JoinFault fault_of(CardState reached) noexcept;

}  // namespace sealcam::hal::networkmanager
