// SPDX-License-Identifier: Apache-2.0
/// Reads a passphrase from the terminal, or from a file for scripts.
#pragma once

#include <string>
#include <string_view>

#include "crypto/passphrase.hpp"
#include "owner/failure.hpp"
#include "protocol/command.hpp"

namespace sealcam::owner {

/// Minimum length of a new passphrase, in characters of UTF-8.
inline constexpr std::size_t min_characters = 10;

enum class PassphrasePrompt { once, twice };

/// Reads the passphrase of a backup: the first line of `file` (/dev/fd/N is descriptor N). If `file` is empty, it reads
/// from the terminal, without echo. `twice` is for a new passphrase. Fails if there is no terminal, if the two inputs
/// differ, or if a new passphrase is too short.
[[nodiscard]] Outcome<crypto::Passphrase> read_passphrase(const std::string& file, PassphrasePrompt prompt);

/// Reads the passphrase of a Wi-Fi network: the first line of `file` ("-" is standard input), or from the terminal if
/// `file` is empty. `option` is the command line option for the file; the failure without a terminal names it.
[[nodiscard]] Outcome<protocol::Passphrase> read_wifi_passphrase(const std::string& file, std::string_view option);

/// Checks the name (SSID) of a Wi-Fi network: 1 to 32 bytes.
[[nodiscard]] Outcome<Bytes> parse_ssid(std::string_view text);

}  // namespace sealcam::owner
