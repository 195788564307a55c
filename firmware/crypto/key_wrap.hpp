// SPDX-License-Identifier: Apache-2.0
/// Wraps small secrets with an AES-256-GCM key (NIST SP 800-38D), for storage on a disk.
#pragma once

#include "base/bytes.hpp"
#include "crypto/psa.hpp"

namespace sealcam::crypto {

/// Wraps and unwraps with one key. A wrapped secret is nonce (12 random bytes), ciphertext and tag (16 bytes). One key
/// may wrap 2^32 secrets, so that no nonce repeats (SP 800-38D section 8.3). Thread-safe. Move-only.
class WrappingKey {
 public:
  static constexpr std::size_t overhead = 28;
  /// Errors: crypto.
  [[nodiscard]] static Result<WrappingKey> open(const Secret<32>& key);
  /// `context` is authenticated and not stored. Errors: crypto.
  [[nodiscard]] Result<Bytes> wrap(ByteView context, ByteView secret) const;
  /// Writes wrapped.size() - overhead bytes to `out`. The caller wipes them. Errors: malformed (the sizes do not fit),
  /// not_decryptable (another key or context, or altered), crypto.
  [[nodiscard]] Result<> unwrap(ByteView context, ByteView wrapped, MutableBytes out) const;

 private:
  WrappingKey(VolatileKey sealing, VolatileKey opening) : sealing_(std::move(sealing)), opening_(std::move(opening)) {}
  VolatileKey sealing_, opening_;
};

}  // namespace sealcam::crypto
