// SPDX-License-Identifier: Apache-2.0
/// Asking a person for a passphrase, or taking it from a file for scripts.
#pragma once

#include <string>
#include <string_view>

#include "crypto/passphrase.hpp"
#include "owner/failure.hpp"
#include "protocol/wifi.hpp"

namespace sealcam::owner {

/// Characters (UTF-8) that a new passphrase needs.
inline constexpr std::size_t fewest_characters = 10;

enum class Asking { once, twice };

/// `file` empty: from the terminal, without echo, once or twice. Else the first line of that file (/dev/fd/N reads a
/// descriptor). Fails when there is no terminal, when both answers differ, when it is too short for a new one.
[[nodiscard]] Outcome<crypto::Passphrase> read_passphrase(const std::string& file, Asking asking);

/// The passphrase of a Wi-Fi network: the first line of `file` ("-": of standard input), empty: from the terminal,
/// without echo. `option`: what names the file, for the sentence when there is no terminal.
[[nodiscard]] Outcome<protocol::Passphrase> read_wifi_passphrase(const std::string& file, std::string_view option);
/// 1 to 32 bytes.
[[nodiscard]] Outcome<Bytes> parse_ssid(std::string_view text);

}  // namespace sealcam::owner
