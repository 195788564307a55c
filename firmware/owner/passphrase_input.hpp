// SPDX-License-Identifier: Apache-2.0
/// Asking a person for a passphrase, or taking it from a file for scripts.
#pragma once

#include <string>

#include "crypto/passphrase.hpp"
#include "owner/failure.hpp"

namespace sealcam::owner {

/// Characters (UTF-8) that a new passphrase needs.
inline constexpr std::size_t fewest_characters = 10;

enum class Asking { once, twice };

/// `file` empty: from the terminal, without echo, once or twice. Else the first line of that file (/dev/fd/N reads a
/// descriptor). Fails when there is no terminal, when both answers differ, when it is too short for a new one.
[[nodiscard]] Outcome<crypto::Passphrase> read_passphrase(const std::string& file, Asking asking);

}  // namespace sealcam::owner
