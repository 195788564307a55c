// SPDX-License-Identifier: Apache-2.0
/// Anything sealed with a passphrase as one line of text that other programs open too: JWE Compact Serialization
/// (RFC 7516 section 3.1) with alg PBES2-HS256+A128KW (RFC 7518 section 4.8) and enc A128GCM (section 5.3). Reentrant.
#pragma once

#include <string>
#include <string_view>

#include "crypto/passphrase.hpp"

namespace sealcam::crypto {

/// With `passphrase_iterations`, a salt of 16 random bytes and a fresh content key. Errors: crypto.
[[nodiscard]] Result<std::string> seal_with_passphrase(ByteView plaintext, const Passphrase& passphrase);

/// `text` is the line alone. The caller wipes what it returns. Errors: malformed (not in that form), unsupported
/// (another alg or enc, fewer than 1,000 or more than `most_iterations`), not_decryptable (another passphrase, or
/// changed), crypto.
[[nodiscard]] Result<Bytes> open_with_passphrase(std::string_view text, const Passphrase& passphrase);

}  // namespace sealcam::crypto
