// SPDX-License-Identifier: Apache-2.0
/// The two parts of a backup: a private key that a passphrase seals, and data that the private key seals. The
/// derivation of a key from the passphrase is deliberately slow, because an attacker with a backup can try
/// passphrases. Also the salted hash of a password that a program drew.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace sealcam::crypto {

/// Rounds of PBKDF2-HMAC-SHA256 in all output.
inline constexpr std::uint32_t passphrase_iterations = 600'000;
/// Input with fewer or more rounds is rejected. The maximum takes about ten seconds.
inline constexpr std::uint32_t min_iterations = 1'000;
inline constexpr std::uint32_t max_iterations = 10'000'000;

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

/// Seals a private key on P-256 in the form that common tools read: EncryptedPrivateKeyInfo of PKCS #8 (RFC 5958
/// section 3) as PEM (RFC 7468 section 11), PBES2 with PBKDF2-HMAC-SHA256 and AES-256-CBC (RFC 8018 section 6.2). Uses
/// `passphrase_iterations` and a salt of 16 random bytes. Reentrant. Errors: malformed (not a scalar), crypto.
[[nodiscard]] Result<std::string> write_encrypted_key(const Secret<32>& scalar, const Passphrase& passphrase);

/// Reads the first such block in a text, written by write_encrypted_key() or OpenSSL. Reentrant. Errors: not_found (no
/// such block), malformed (form), unsupported (another cipher, another kind of key, iterations outside
/// `min_iterations` to `max_iterations`), not_decryptable (another passphrase, or changed data), crypto.
[[nodiscard]] Result<Secret<32>> read_encrypted_key(std::string_view text, const Passphrase& passphrase);

/// Seals data with AES-256-GCM (NIST SP 800-38D) as a PEM block. The block contains a random salt of 32 bytes, a nonce
/// of 12 bytes, ciphertext and tag. The key is HKDF-SHA256 (RFC 5869) of `secret`, with this salt and the info `label`,
/// so each block has its own key. `label` stands in the BEGIN line. Reentrant. Errors: crypto.
[[nodiscard]] Result<std::string> write_sealed_pem(std::string_view label, ByteView plaintext,
                                                   const Secret<32>& secret);

/// Opens the first block with this label in a text. The caller wipes the result. Reentrant. Errors: not_found (no such
/// block), malformed (form), not_decryptable (another secret, or changed data), crypto.
[[nodiscard]] Result<Bytes> read_sealed_pem(std::string_view label, std::string_view text, const Secret<32>& secret);

/// What a broker stores instead of a password: PBKDF2-HMAC-SHA512 (RFC 8018 section 5.2) of it, in the form of
/// Mosquitto's password file. The few rounds are enough for a password of 256 random bits, which an attacker cannot try
/// out, and they do not let strangers occupy a broker with logins. Never use it for a person's passphrase.
struct PasswordHash {
  static constexpr std::uint32_t rounds = 101;
  using Salt = std::array<std::byte, 12>;
  Salt salt{};
  std::array<std::byte, 64> hash{};

  /// With a random salt. Reentrant. Errors: crypto.
  [[nodiscard]] static Result<PasswordHash> make(ByteView password);
  /// Reentrant. Errors: crypto.
  [[nodiscard]] static Result<PasswordHash> make(ByteView password, const Salt& salt);
  friend bool operator==(const PasswordHash&, const PasswordHash&) = default;
};

}  // namespace sealcam::crypto
