// SPDX-License-Identifier: Apache-2.0
/// For this module only: AES-GCM and HKDF (RFC 5869).
#pragma once

#include "base/bytes.hpp"
#include "crypto/psa.hpp"

namespace sealcam::crypto {

inline constexpr std::size_t gcm_tag_size = 16;
inline constexpr std::size_t gcm_nonce_size = 12;
using GcmNonce = std::span<const std::byte, gcm_nonce_size>;

enum class AeadUse { seal, open };

/// An AES key of 16 or 32 bytes for one direction of GCM. Errors: crypto.
[[nodiscard]] Result<VolatileKey> import_gcm_key(ByteView key, AeadUse use);

/// Writes ciphertext and tag (plaintext.size() + 16 bytes) to `out`. The associated data is
/// `aad1` followed by `aad2`; a caller need not join them. Buffers must not overlap.
/// Thread-safe. Errors: crypto.
[[nodiscard]] Result<> gcm_seal(KeyId key, GcmNonce nonce, ByteView aad1, ByteView aad2, ByteView plaintext,
                                MutableBytes out);

/// `ciphertext` ends with the tag; writes ciphertext.size() - 16 bytes to `out`, and wipes them if
/// the tag does not match. Thread-safe. Errors: not_decryptable (also if it is shorter than a tag), crypto.
[[nodiscard]] Result<> gcm_open(KeyId key, GcmNonce nonce, ByteView aad1, ByteView aad2, ByteView ciphertext,
                                MutableBytes out);

enum class HkdfHash { sha256, sha512 };

/// The first step: `prk` has the length of the hash. Thread-safe. Errors: crypto.
[[nodiscard]] Result<> hkdf_extract(HkdfHash hash, ByteView salt, ByteView input, MutableBytes prk);

/// The second step: fills `out`. `prk` has the length of the hash. Thread-safe. Errors: crypto.
[[nodiscard]] Result<> hkdf_expand(HkdfHash hash, ByteView prk, ByteView info, MutableBytes out);

}  // namespace sealcam::crypto
