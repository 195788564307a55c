// SPDX-License-Identifier: Apache-2.0
/// Inside the module only: AES-GCM keys and sealing in pieces.
#pragma once

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "crypto/psa.hpp"

namespace sealcam::crypto {

inline constexpr std::size_t gcm_tag_size = 16;
inline constexpr std::size_t gcm_nonce_size = 12;
using GcmNonce = std::span<const std::byte, gcm_nonce_size>;

enum class AeadUse { seal, open };

/// An AES key of 16 or 32 bytes for one direction of GCM. Errors: crypto.
[[nodiscard]] Result<VolatileKey> import_gcm_key(ByteView key, AeadUse use);

/// Writes ciphertext and tag (plaintext.size() + 16 bytes) to `out`. The associated data is
/// `aad1` then `aad2`, so that nobody has to join them. Buffers must not overlap.
/// Thread-safe. Errors: crypto.
[[nodiscard]] Result<> gcm_seal(KeyId key, GcmNonce nonce, ByteView aad1, ByteView aad2, ByteView plaintext,
                                MutableBytes out);

/// `ciphertext` ends with the tag; writes ciphertext.size() - 16 bytes to `out`, and wipes them when
/// the tag does not match. Thread-safe. Errors: not_decryptable (also when shorter than a tag), crypto.
[[nodiscard]] Result<> gcm_open(KeyId key, GcmNonce nonce, ByteView aad1, ByteView aad2, ByteView ciphertext,
                                MutableBytes out);

}  // namespace sealcam::crypto
