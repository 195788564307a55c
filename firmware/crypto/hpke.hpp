// SPDX-License-Identifier: Apache-2.0
/// HPKE (RFC 9180) in base mode with DHKEM(P-256, HKDF-SHA256) and HKDF-SHA256. Sealcam seals with
/// AES-128-GCM; AES-256-GCM is here since the RFC's vectors have both.
#pragma once

#include <array>
#include <cstdint>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "core/secret.hpp"
#include "crypto/keys.hpp"

namespace sealcam::crypto::hpke {

/// IANA "HPKE AEAD Identifiers".
enum class Aead : std::uint16_t { aes_128_gcm = 0x0001, aes_256_gcm = 0x0002 };

/// The encapsulated key: an uncompressed point (RFC 9180 section 7.1.1).
using Enc = std::array<std::byte, 65>;

/// Authentication tag behind every ciphertext.
inline constexpr std::size_t tag_size = 16;

/// Intermediate values, for the vectors only.
struct Schedule {
  Secret<32> shared_secret;
  Bytes key_schedule_context;
  Secret<32> secret;
  Secret<32> exporter_secret;
};

/// AEAD key, base nonce and sequence number of one side (RFC 9180 section 5.2). Move-only.
class Context {
 public:
  Context(Context&&) noexcept = default;
  Context& operator=(Context&&) noexcept = default;

 protected:
  friend struct Access;
  Context() = default;
  /// Base nonce XOR sequence number; counting on is the caller's. Errors: exhausted.
  [[nodiscard]] Result<std::array<std::byte, 12>> next_nonce();
  VolatileKey key_;
  Secret<32> raw_key_;  ///< all zero, but for the vectors: set only where a Schedule is asked for
  Secret<12> base_nonce_;
  std::uint64_t sequence_ = 0;
};

/// Seals to one recipient, in order. Thread-bound.
class SenderContext : public Context {
 public:
  /// SetupBaseS. Errors: crypto.
  [[nodiscard]] static Result<SenderContext> setup(Aead aead, const PublicKey& recipient, ByteView info);
  /// With a given ephemeral key: test vectors only.
  [[nodiscard]] static Result<SenderContext> setup_with(Aead aead, const PublicKey& recipient, ByteView info,
                                                        const AgreementKey& ephemeral, Schedule* schedule);
  [[nodiscard]] const Enc& enc() const noexcept { return enc_; }
  /// Errors: crypto, exhausted.
  [[nodiscard]] Result<Bytes> seal(ByteView aad, ByteView plaintext);

 private:
  Enc enc_{};
};

/// Opens what was sealed to one's own key, in order. Thread-bound.
class RecipientContext : public Context {
 public:
  /// SetupBaseR. Errors: malformed (`enc` is no point of the curve), crypto.
  [[nodiscard]] static Result<RecipientContext> setup(Aead aead, const Enc& enc, const AgreementKey& own, ByteView info,
                                                      Schedule* schedule = nullptr);
  /// Errors: not_decryptable (also when the ciphertext is shorter than a tag), exhausted.
  [[nodiscard]] Result<Bytes> open(ByteView aad, ByteView ciphertext);
};

struct Sealed {
  Enc enc;
  Bytes ciphertext;
};

/// Single-shot forms of RFC 9180 section 6.1 with AES-128-GCM and empty aad. The caller wipes what open() returns.
[[nodiscard]] Result<Sealed> seal(const PublicKey& recipient, ByteView info, ByteView plaintext);
[[nodiscard]] Result<Bytes> open(const AgreementKey& own, const Enc& enc, ByteView info, ByteView ciphertext);

}  // namespace sealcam::crypto::hpke
