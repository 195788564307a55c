// SPDX-License-Identifier: Apache-2.0
/// A Wi-Fi network as NetworkManager keeps it (nm-settings-keyfile(5)).
#pragma once

#include "core/secret.hpp"
#include "protocol/wifi.hpp"

namespace sealcam::appliance {

/// The name of the file, and of the connection in it.
inline constexpr std::string_view connection_file_name = "sealcam-card.nmconnection";

/// The file's text. It holds the passphrase: the caller wipes it. A `hidden` network is called by its name, which
/// everybody in reach of the camera can then hear.
[[nodiscard]] std::string connection_file(const protocol::Wifi& wifi, bool hidden);

}  // namespace sealcam::appliance
