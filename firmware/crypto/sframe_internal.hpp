// SPDX-License-Identifier: Apache-2.0
/// For sframe.cpp and the test vectors: the steps of RFC 9605.
#pragma once

#include <array>

#include "crypto/sframe.hpp"

namespace sealcam::crypto::sframe::detail {

/// RFC 9605 section 4.4.2: "SFrame 1.0 Secret key " or "…salt ", KID, suite.
inline constexpr std::size_t key_label_size = 22 + 8 + 2;
inline constexpr std::size_t salt_label_size = 23 + 8 + 2;
[[nodiscard]] std::array<std::byte, key_label_size> key_label(CipherSuite suite, std::uint64_t kid) noexcept;
[[nodiscard]] std::array<std::byte, salt_label_size> salt_label(CipherSuite suite, std::uint64_t kid) noexcept;

/// The values of the derivation. Secret and key take the number of bytes of the suite, the rest is zero.
struct Raw {
  Secret<64> secret;
  Secret<32> key;
  Secret<nonce_size> salt;
};
/// `base_key` of any length, as in the RFC. Errors: unsupported, crypto.
[[nodiscard]] Result<Raw> derive_raw(CipherSuite suite, std::uint64_t kid, ByteView base_key);
[[nodiscard]] Result<Derived> derive_from(CipherSuite suite, std::uint64_t kid, ByteView base_key, bool sealing);

/// RFC 9605 section 4.4.3: salt XOR CTR.
[[nodiscard]] std::array<std::byte, nonce_size> nonce(const Secret<nonce_size>& salt, std::uint64_t ctr) noexcept;

/// One message with a given header. Same contract as SealingKey::seal and OpeningKey::open.
[[nodiscard]] Result<MutableBytes> seal(const Derived& derived, const Header& header, MutableBytes out,
                                        ByteView metadata, ByteView plaintext);
[[nodiscard]] Result<MutableBytes> open(const Derived& derived, std::uint64_t kid, MutableBytes out, ByteView metadata,
                                        ByteView ciphertext);

}  // namespace sealcam::crypto::sframe::detail
