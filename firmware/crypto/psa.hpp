// SPDX-License-Identifier: Apache-2.0
/// Starting the crypto stack. Everything in this module stands on mbedTLS through the PSA Crypto API 1.1.
#pragma once

#include <cstdint>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace sealcam::crypto {

/// Once per process, before anything else of this module; calling it again does nothing.
/// Thread-safe. Errors: crypto (no entropy, or a key store that cannot be read).
[[nodiscard]] Result<> init();

/// Fills `out` from the random generator. Thread-safe. Errors: crypto.
[[nodiscard]] Result<> random(MutableBytes out);

/// Compares in a time that depends on the sizes alone. Thread-safe.
[[nodiscard]] bool equal_secrets(ByteView a, ByteView b) noexcept;

/// A PSA key identifier (psa_key_id_t), without its header.
using KeyId = std::uint32_t;

/// Owns a volatile PSA key and destroys it. Move-only. Thread-safe to use, thread-bound to move.
class VolatileKey {
 public:
  VolatileKey() noexcept = default;
  explicit VolatileKey(KeyId id) noexcept : id_(id) {}
  VolatileKey(VolatileKey&& other) noexcept;
  VolatileKey& operator=(VolatileKey&& other) noexcept;
  VolatileKey(const VolatileKey&) = delete;
  VolatileKey& operator=(const VolatileKey&) = delete;
  ~VolatileKey();
  [[nodiscard]] KeyId id() const noexcept { return id_; }

 private:
  KeyId id_ = 0;
};

}  // namespace sealcam::crypto
