// SPDX-License-Identifier: Apache-2.0
/// The connection profile of a network, as NetworkManager takes it. Private to this folder.
#pragma once

#include <systemd/sd-bus.h>

#include <string>
#include <string_view>

#include "core/bytes.hpp"

namespace sealcam::hal::networkmanager {

/// What our profiles are called; no others are ever touched.
inline constexpr auto profile_name = "sealcam";

/// Appends a{sa{sv}}, joined by itself and before others: WPA with a passphrase, addresses by DHCP and router
/// advertisements. The passphrase belongs to the system: NetworkManager stores it in a file of root's alone. The
/// message is marked as sensitive, so that its memory is wiped. Negative: errno.
[[nodiscard]] int append_profile(sd_bus_message& message, const std::string& uuid, ByteView ssid,
                                 std::string_view passphrase);

/// Whether a profile, as GetSettings returns it, is one of ours.
[[nodiscard]] bool is_ours(sd_bus_message& settings);
/// Of a profile's properties, as GetAll returns them: whether it is in memory alone. What netplan keeps on the disk is
/// shown to NetworkManager as a file in /run, and counts as saved.
[[nodiscard]] bool is_unsaved(sd_bus_message& properties);

}  // namespace sealcam::hal::networkmanager
