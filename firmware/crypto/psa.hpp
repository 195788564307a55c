// SPDX-License-Identifier: Apache-2.0
/// Start of the crypto library, random bytes, SHA-256 and key handles. This module uses mbedTLS through the PSA Crypto
/// API 1.1.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"

namespace sealcam::crypto {

/// Call it before all other functions of this module. A second call does nothing.
/// Thread-safe. Errors: crypto (no entropy, or an unreadable key store).
[[nodiscard]] Result<> init();

/// Fills `out` from the random generator. Thread-safe. Errors: crypto.
[[nodiscard]] Result<> random(MutableBytes out);

/// Compares in constant time for each size. Thread-safe.
[[nodiscard]] bool equal_secrets(ByteView a, ByteView b) noexcept;

using Digest = std::array<std::byte, 32>;

/// SHA-256 of a message in parts, so that a caller need not join them. Thread-bound. Errors of finish(): crypto.
class Sha256 {
 public:
  Sha256() noexcept;
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  ~Sha256();
  Sha256& update(ByteView part) noexcept;
  [[nodiscard]] Result<Digest> finish() noexcept;

 private:
  // Room for psa_hash_operation_t. The source file asserts its size.
  alignas(16) std::array<std::byte, 512> operation_;
  bool failed_ = false;
};

[[nodiscard]] Result<Digest> sha256(ByteView message) noexcept;

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
