// SPDX-License-Identifier: Apache-2.0
/// What a person types to seal a backup, and the key that is made of it. Slow on purpose: who has the file can guess.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "core/secret.hpp"

namespace sealcam::crypto {

/// Rounds of PBKDF2-HMAC-SHA256 in everything that this writes.
inline constexpr std::uint32_t passphrase_iterations = 600'000;
/// More than this is not computed for a file that says so: about ten seconds.
inline constexpr std::uint32_t most_iterations = 10'000'000;

/// The bytes of a passphrase. Move-only, wiped, not printable.
class Passphrase {
 public:
  static constexpr std::size_t max_size = 256;  ///< bytes

  /// Copies the bytes in; the caller wipes its own copy. Errors: invalid_argument (empty, too long).
  [[nodiscard]] static Result<Passphrase> make(ByteView bytes);
  [[nodiscard]] ByteView reveal() const noexcept { return ByteView(bytes_.reveal()).first(size_); }

 private:
  Passphrase() = default;
  Secret<max_size> bytes_;
  std::size_t size_ = 0;
};

/// PBKDF2 with HMAC-SHA256 (RFC 8018 section 5.2); fills `out`. Reentrant.
/// Errors: invalid_argument (no iterations, or more than `most_iterations`), crypto.
[[nodiscard]] Result<> pbkdf2(const Passphrase& passphrase, ByteView salt, std::uint32_t iterations, MutableBytes out);

}  // namespace sealcam::crypto
