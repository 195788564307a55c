// SPDX-License-Identifier: Apache-2.0
/// For this module and the test vectors: AES-GCM, the steps of HPKE (RFC 9180) and SFrame (RFC 9605), and the permitted
/// use of each kind of key.
#pragma once

#include <psa/crypto.h>

#include <array>

#include "base/bytes.hpp"
#include "crypto/hkdf.hpp"
#include "crypto/hpke.hpp"
#include "crypto/keys.hpp"
#include "crypto/psa.hpp"
#include "crypto/sframe.hpp"

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

}  // namespace sealcam::crypto

namespace sealcam::crypto::hpke::detail {

/// "HPKE", KEM, KDF and AEAD (RFC 9180 section 5.1).
[[nodiscard]] Bytes suite_id(Aead aead);

/// RFC 9180 section 4. Fills `out`. Errors: crypto.
[[nodiscard]] Result<> labeled_expand(ByteView suite, ByteView prk, std::string_view label, ByteView info,
                                      MutableBytes out);

/// ExtractAndExpand of RFC 9180 section 4.1 over DH(own, peer). Errors: crypto.
[[nodiscard]] Result<Secret<32>> shared_secret(const AgreementKey& own, const PublicKey& peer, const Enc& enc,
                                               const PublicKey& recipient);

/// KeySchedule of RFC 9180 section 5.1 in base mode. A key takes key_size() bytes, the rest is zero.
struct KeySchedule {
  Bytes context;
  Secret<32> secret;
  Secret<32> key;
  Secret<12> base_nonce;
};
[[nodiscard]] constexpr std::size_t key_size(Aead aead) noexcept { return aead == Aead::aes_128_gcm ? 16 : 32; }
/// Errors: crypto.
[[nodiscard]] Result<KeySchedule> key_schedule(Aead aead, const Secret<32>& shared_secret, ByteView info);

}  // namespace sealcam::crypto::hpke::detail

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

namespace sealcam::crypto::policy {

/// ES256 with a random k (RFC 9053 section 2.1).
inline constexpr psa_algorithm_t es256_algorithm = PSA_ALG_ECDSA(PSA_ALG_SHA_256);

[[nodiscard]] psa_key_attributes_t signing();
[[nodiscard]] psa_key_attributes_t verification();
[[nodiscard]] psa_key_attributes_t agreement();

/// Errors: crypto.
[[nodiscard]] Result<PublicKey> public_key_of(KeyId id);

}  // namespace sealcam::crypto::policy
