// SPDX-License-Identifier: Apache-2.0
/// P-256 keys: who a device is (ECDSA, ES256 of RFC 9053 section 2.1) and what is sealed to it (HPKE).
/// Code takes these handles, never the store, so that tests can make thousands.
#pragma once

#include <array>

#include "core/bytes.hpp"
#include "core/id.hpp"
#include "core/result.hpp"
#include "core/secret.hpp"
#include "crypto/psa.hpp"
#include "crypto/sha256.hpp"

namespace sealcam::crypto {

/// r and s, 32 bytes each, big-endian (RFC 9053 section 2.1).
using Signature = std::array<std::byte, 64>;

/// A point on P-256 in SEC 1 uncompressed form: 0x04, x, y.
class PublicKey {
 public:
  static constexpr std::size_t size = 65;
  PublicKey() noexcept = default;  ///< no key: all zero, equal to itself only, never valid
  /// Errors: malformed (length, form, or not a point of the curve).
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

/// Checks signatures of one key. The handle holds the public key alone: verifying with a key pair's
/// handle is a quarter slower. Thread-safe.
class Verifier {
 public:
  /// Errors: malformed, crypto.
  [[nodiscard]] static Result<Verifier> open(const PublicKey& key);
  /// Errors: bad_signature, crypto.
  [[nodiscard]] Result<> verify(const Digest& digest, std::span<const std::byte, 64> signature) const;
  [[nodiscard]] const PublicKey& key() const noexcept { return public_; }
  [[nodiscard]] const DeviceId& id() const noexcept { return id_; }

 private:
  Verifier(VolatileKey handle, const PublicKey& key) : handle_(std::move(handle)), public_(key), id_(key.id()) {}
  VolatileKey handle_;
  PublicKey public_;
  DeviceId id_;
};

/// Names an identity key that somebody else owns. Thread-safe; valid as long as the owner lives.
class SigningKey {
 public:
  SigningKey(KeyId id, const PublicKey& key) : id_(id), public_(key), device_(key.id()) {}
  /// ECDSA with a fresh random k. Errors: crypto.
  [[nodiscard]] Result<Signature> sign(const Digest& digest) const;
  [[nodiscard]] const PublicKey& public_key() const noexcept { return public_; }
  [[nodiscard]] const DeviceId& id() const noexcept { return device_; }

 private:
  KeyId id_;
  PublicKey public_;
  DeviceId device_;
};

/// Names an HPKE recipient key that somebody else owns. Thread-safe.
class AgreementKey {
 public:
  AgreementKey(KeyId id, const PublicKey& key) : id_(id), public_(key) {}
  [[nodiscard]] const PublicKey& public_key() const noexcept { return public_; }
  [[nodiscard]] KeyId key_id() const noexcept { return id_; }

 private:
  KeyId id_;
  PublicKey public_;
};

/// What a device can do with its two private keys.
struct DeviceKeys {
  SigningKey identity;
  AgreementKey hpke;
};

/// Makes a volatile key pair. Errors: crypto.
[[nodiscard]] Result<std::pair<VolatileKey, PublicKey>> generate_signing_key();
[[nodiscard]] Result<std::pair<VolatileKey, PublicKey>> generate_agreement_key();
/// From the private scalar (32 bytes, big-endian): test vectors and restored backups. Errors: malformed, crypto.
[[nodiscard]] Result<std::pair<VolatileKey, PublicKey>> import_signing_key(const Secret<32>& scalar);
[[nodiscard]] Result<std::pair<VolatileKey, PublicKey>> import_agreement_key(const Secret<32>& scalar);

/// Two volatile keys that go together, for tests and simulations. Move-only.
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

}  // namespace sealcam::crypto
