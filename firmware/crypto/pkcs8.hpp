// SPDX-License-Identifier: Apache-2.0
/// A private key on P-256 sealed with a passphrase, in the form that every tool reads: EncryptedPrivateKeyInfo of
/// PKCS #8 (RFC 5958 section 3) as PEM (RFC 7468 section 11), PBES2 with PBKDF2-HMAC-SHA256 and AES-256-CBC
/// (RFC 8018 section 6.2). Reentrant.
#pragma once

#include <string>
#include <string_view>

#include "crypto/passphrase.hpp"

namespace sealcam::crypto {

/// The PEM text, with `passphrase_iterations` and a salt of 16 random bytes. Errors: malformed (no scalar), crypto.
[[nodiscard]] Result<std::string> write_encrypted_key(const Secret<32>& scalar, const Passphrase& passphrase);

/// The first such block of a text, whatever stands around it. Takes what write_encrypted_key() and OpenSSL write.
/// Errors: not_found (no such block), malformed (not in that form), unsupported (another cipher, another kind of key,
/// more than `most_iterations`), not_decryptable (another passphrase, or changed), crypto.
[[nodiscard]] Result<Secret<32>> read_encrypted_key(std::string_view text, const Passphrase& passphrase);

}  // namespace sealcam::crypto
