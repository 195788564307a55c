// SPDX-License-Identifier: Apache-2.0
/// The Wi-Fi network that the owner handed to the device, at pairing or by a command: wifi.json in the state folder,
/// {"version": 1, "ssid": hexadecimal, "passphrase": text}. Mode 0600; the only secret beside the keys.
#pragma once

#include "pairing/device_state.hpp"
#include "protocol/wifi.hpp"

namespace sealcam::pairing {

/// Atomic and durable. Errors: permission, io.
[[nodiscard]] Result<> write_wifi_file(const StateFiles& files, const protocol::Wifi& wifi);
/// Errors: not_found (none was handed over), malformed (the error names the file and the next step), permission, io.
[[nodiscard]] Result<protocol::Wifi> read_wifi_file(const StateFiles& files);

}  // namespace sealcam::pairing
