// SPDX-License-Identifier: Apache-2.0
/// The Wi-Fi network that the owner handed to the device, at pairing or by a command, and what came of joining it:
/// wifi.json in the state folder, {"version": 1, "ssid": hexadecimal, "passphrase": text, "outcome": word,
/// "interrupted": number}, the last two only where there is something to say. Mode 0600; the only secret beside the
/// keys.
#pragma once

#include <cstdint>
#include <string>

#include "pairing/device_state.hpp"
#include "protocol/wifi.hpp"

namespace sealcam::pairing {

/// What came of a network so far.
struct WifiOutcome {
  std::string word;               ///< at most 32 of a-z and _, the device's own; empty: it is still to be tried
  std::uint32_t interrupted = 0;  ///< how often it was begun to be tried without an end
};

/// Atomic and durable. Errors: permission, io.
[[nodiscard]] Result<> write_wifi_file(const StateFiles& files, const protocol::Wifi& wifi,
                                       const WifiOutcome& outcome = {});
/// Durable; a file that is not there is none to delete. Errors: permission, io.
[[nodiscard]] Result<> remove_wifi_file(const StateFiles& files);
/// `outcome` may be null. Errors: not_found (none was handed over), malformed (the error names the file and the next
/// step), permission, io.
[[nodiscard]] Result<protocol::Wifi> read_wifi_file(const StateFiles& files, WifiOutcome* outcome = nullptr);

}  // namespace sealcam::pairing
