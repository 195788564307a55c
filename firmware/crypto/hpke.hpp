// SPDX-License-Identifier: Apache-2.0
/// HPKE (RFC 9180) in base mode with DHKEM(P-256, HKDF-SHA256) and HKDF-SHA256. Sealcam seals with AES-128-GCM. The
/// test vectors of the RFC use AES-256-GCM too.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.hpp"
#include "crypto/keys.hpp"

namespace sealcam::crypto::hpke {

/// IANA "HPKE AEAD Identifiers".
enum class Aead : std::uint16_t { aes_128_gcm = 0x0001, aes_256_gcm = 0x0002 };

/// The encapsulated key: an uncompressed point (RFC 9180 section 7.1.1).
using Enc = std::array<std::byte, 65>;

/// Authentication tag behind every ciphertext.
inline constexpr std::size_t tag_size = 16;

/// AEAD key, base nonce and sequence number of one side (RFC 9180 section 5.2). Move-only.
class Context {
 public:
  Context(Context&&) noexcept = default;
  Context& operator=(Context&&) noexcept = default;
  /// From the shared secret of the KEM. Errors: crypto.
  [[nodiscard]] static Result<Context> open(Aead aead, bool sender, const Secret<32>& shared_secret, ByteView info);

 protected:
  friend struct ContextAccess;  // defined by tests only
  Context(VolatileKey key, Secret<12> base_nonce) : key_(std::move(key)), base_nonce_(std::move(base_nonce)) {}
  /// Base nonce XOR sequence number. The caller increments the number. Errors: exhausted.
  [[nodiscard]] Result<std::array<std::byte, 12>> next_nonce();
  VolatileKey key_;
  Secret<12> base_nonce_;
  std::uint64_t sequence_ = 0;
};

/// Seals to one recipient, in order. Thread-bound.
class SenderContext : public Context {
 public:
  /// SetupBaseS. Errors: crypto.
  [[nodiscard]] static Result<SenderContext> setup(Aead aead, const PublicKey& recipient, ByteView info);
  [[nodiscard]] const Enc& enc() const noexcept { return enc_; }
  /// Errors: crypto, exhausted.
  [[nodiscard]] Result<Bytes> seal(ByteView aad, ByteView plaintext);

 private:
  friend struct ContextAccess;
  SenderContext(Context context, const Enc& enc) : Context(std::move(context)), enc_(enc) {}
  [[nodiscard]] static Result<SenderContext> setup(Aead aead, const PublicKey& recipient, ByteView info,
                                                   const AgreementKey& ephemeral);
  Enc enc_{};
};

/// Opens messages of one sender, in order. Thread-bound.
class RecipientContext : public Context {
 public:
  /// SetupBaseR. Errors: malformed (`enc` is not a point of the curve), crypto.
  [[nodiscard]] static Result<RecipientContext> setup(Aead aead, const Enc& enc, const AgreementKey& own,
                                                      ByteView info);
  /// Errors: not_decryptable (also if the ciphertext is shorter than a tag), exhausted.
  [[nodiscard]] Result<Bytes> open(ByteView aad, ByteView ciphertext);

 private:
  explicit RecipientContext(Context context) : Context(std::move(context)) {}
};

struct Sealed {
  Enc enc;
  Bytes ciphertext;
};

/// Single-shot forms of RFC 9180 section 6.1 with AES-128-GCM and empty aad. The caller wipes the result of open().
[[nodiscard]] Result<Sealed> seal(const PublicKey& recipient, ByteView info, ByteView plaintext);
[[nodiscard]] Result<Bytes> open(const AgreementKey& own, const Enc& enc, ByteView info, ByteView ciphertext);

}  // namespace sealcam::crypto::hpke
