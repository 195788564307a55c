// SPDX-License-Identifier: Apache-2.0
/// P-256 keys. The identity key signs (ES256, RFC 9053 section 2.1); the HPKE key opens messages to its owner.
/// Functions take these handles instead of the key store, so that tests can create thousands of keys. A wrapping key
/// (AES-256-GCM, NIST SP 800-38D) protects small secrets on a disk.
#pragma once

#include <array>

#include "base/bytes.hpp"
#include "base/types.hpp"
#include "crypto/psa.hpp"

namespace sealcam::crypto {

/// r and s, 32 bytes each, big-endian (RFC 9053 section 2.1). If (r, s) is valid, (r, n - s) is valid too, where n is
/// the order of P-256. Sealcam uses the smaller s only, so that no second signature can be derived from the first.
using Signature = std::array<std::byte, 64>;
/// True if s is at most n/2.
[[nodiscard]] bool has_low_s(std::span<const std::byte, 64> signature) noexcept;
/// Replaces s by n - s if s is greater than n/2.
void make_low_s(Signature& signature) noexcept;

/// A point on P-256 in SEC 1 uncompressed form: 0x04, x, y.
class PublicKey {
 public:
  static constexpr std::size_t size = 65;
  PublicKey() noexcept = default;  ///< all zero: no valid key
  /// Errors: malformed (length, form, or not a point on the curve).
  [[nodiscard]] static Result<PublicKey> parse(ByteView sec1);
  [[nodiscard]] std::span<const std::byte, size> bytes() const noexcept { return bytes_; }
  /// COSE Key Thumbprint, RFC 9679 section 4.2: SHA-256 of {1: 2, -1: 1, -2: x, -3: y}.
  [[nodiscard]] Digest thumbprint() const;
  [[nodiscard]] DeviceId id() const;
  [[nodiscard]] AccountId account() const { return AccountId(id().bytes()); }
  friend bool operator==(const PublicKey&, const PublicKey&) = default;

 private:
  std::array<std::byte, size> bytes_{};
};

/// Verifies signatures of one key. The handle holds only the public key: verification with the handle of a key pair
/// takes a quarter longer. Thread-safe.
class Verifier {
 public:
  /// Errors: malformed, crypto.
  [[nodiscard]] static Result<Verifier> open(const PublicKey& key);
  /// Errors: bad_signature (also if s is greater than n/2), crypto.
  [[nodiscard]] Result<> verify(const Digest& digest, std::span<const std::byte, 64> signature) const;
  [[nodiscard]] const PublicKey& key() const noexcept { return public_; }
  [[nodiscard]] const DeviceId& id() const noexcept { return id_; }

 private:
  Verifier(VolatileKey handle, const PublicKey& key) : handle_(std::move(handle)), public_(key), id_(key.id()) {}
  VolatileKey handle_;
  PublicKey public_;
  DeviceId id_;
};

/// Refers to an identity key. Valid as long as the owner of the key exists. Thread-safe.
class SigningKey {
 public:
  SigningKey(KeyId id, const PublicKey& key) : id_(id), public_(key), device_(key.id()) {}
  /// ECDSA with a new random k and the smaller s. Errors: crypto.
  [[nodiscard]] Result<Signature> sign(const Digest& digest) const;
  [[nodiscard]] const PublicKey& public_key() const noexcept { return public_; }
  [[nodiscard]] const DeviceId& id() const noexcept { return device_; }

 private:
  KeyId id_;
  PublicKey public_;
  DeviceId device_;
};

/// Refers to an HPKE recipient key. Valid as long as the owner of the key exists. Thread-safe.
class AgreementKey {
 public:
  AgreementKey(KeyId id, const PublicKey& key) : id_(id), public_(key) {}
  [[nodiscard]] const PublicKey& public_key() const noexcept { return public_; }
  [[nodiscard]] KeyId key_id() const noexcept { return id_; }

 private:
  KeyId id_;
  PublicKey public_;
};

/// The two private keys of a device.
struct DeviceKeys {
  SigningKey identity;
  AgreementKey hpke;
};

/// Creates a volatile key pair. Errors: crypto.
[[nodiscard]] Result<std::pair<VolatileKey, PublicKey>> generate_signing_key();
[[nodiscard]] Result<std::pair<VolatileKey, PublicKey>> generate_agreement_key();
/// Imports the private scalar (32 bytes, big-endian) of a backup or a test vector. Errors: malformed, crypto.
[[nodiscard]] Result<std::pair<VolatileKey, PublicKey>> import_signing_key(const Secret<32>& scalar);
[[nodiscard]] Result<std::pair<VolatileKey, PublicKey>> import_agreement_key(const Secret<32>& scalar);

/// Owns the two volatile keys of a simulated device. Move-only.
class VolatileDevice {
 public:
  [[nodiscard]] static Result<VolatileDevice> generate();
  [[nodiscard]] DeviceKeys keys() const noexcept {
    return {SigningKey(identity_.id(), identity_public_), AgreementKey(hpke_.id(), hpke_public_)};
  }

 private:
  VolatileDevice() = default;
  VolatileKey identity_, hpke_;
  PublicKey identity_public_, hpke_public_;
};

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
