// SPDX-License-Identifier: Apache-2.0
/// wifi.json: the Wi-Fi network that the owner gave the camera at pairing or by a command, and the result of joining
/// it.
/// {"version": 1, "ssid": hexadecimal, "passphrase": text, "outcome": word, "interrupted": number}; the last two are
/// optional. Mode 0600: apart from the keys, it is the folder's only secret.
#pragma once

#include <cstdint>
#include <string>

#include "device/state_folder.hpp"
#include "protocol/command.hpp"

namespace sealcam::device {

/// The result of joining the network.
struct WifiOutcome {
  std::string word;               ///< the program's own, at most 32 of a-z and _; empty: not tried yet
  std::uint32_t interrupted = 0;  ///< join attempts that began and did not end
};

/// Atomic and durable. Errors: permission, io.
[[nodiscard]] Result<> write_wifi_file(const StateFiles& files, const protocol::Wifi& wifi,
                                       const WifiOutcome& outcome = {});
/// Durable. Succeeds if there is no file. Errors: permission, io.
[[nodiscard]] Result<> remove_wifi_file(const StateFiles& files);
/// `outcome` may be null. Errors: not_found (the owner gave no network), malformed (the text names the file and the
/// next step), permission, io.
[[nodiscard]] Result<protocol::Wifi> read_wifi_file(const StateFiles& files, WifiOutcome* outcome = nullptr);

}  // namespace sealcam::device
