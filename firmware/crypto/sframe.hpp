// SPDX-License-Identifier: Apache-2.0
/// SFrame (RFC 9605): header, key derivation and the two AES-GCM suites. A sealing key and an opening key have
/// different types. The sealing key owns its counter: a caller cannot set it, and no value repeats.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/types.hpp"
#include "crypto/psa.hpp"

namespace sealcam::crypto::sframe {

/// IANA "SFrame Cipher Suites" (RFC 9605 section 4.5).
enum class CipherSuite : std::uint16_t { aes_128_gcm_sha256_128 = 4, aes_256_gcm_sha512_128 = 5 };

/// Nk, and the size of a base key here: 16 or 32 bytes. 0 for any other suite.
[[nodiscard]] constexpr std::size_t key_size(CipherSuite suite) noexcept {
  return suite == CipherSuite::aes_128_gcm_sha256_128 ? 16 : suite == CipherSuite::aes_256_gcm_sha512_128 ? 32 : 0;
}
inline constexpr std::size_t nonce_size = 12;
inline constexpr std::size_t tag_size = 16;
inline constexpr std::size_t max_header_size = 17;

/// Key ID (KID) and counter (CTR) of RFC 9605 section 4.3.
using KeyId = Strong<struct KeyIdTag, std::uint64_t>;
using Counter = Strong<struct CounterTag, std::uint64_t>;

/// Base key of one key ID; suites with 16-byte keys use the first 16 bytes.
using BaseKey = Secret<32>;

/// RFC 9605 section 4.3. The encoded form has a config byte, then KID and CTR with the fewest possible bytes.
struct Header {
  std::uint64_t kid = 0;
  std::uint64_t ctr = 0;
};
[[nodiscard]] std::size_t header_size(const Header& header) noexcept;
/// Writes header_size() bytes; `out` must have room for them.
std::size_t write_header(const Header& header, MutableBytes out) noexcept;
struct ParsedHeader {
  Header header;
  std::size_t size;
};
/// Errors: malformed (cut short, or a value not in its shortest form).
[[nodiscard]] Result<ParsedHeader> parse_header(ByteView ciphertext) noexcept;

/// Key and salt as derived in RFC 9605 section 4.4.2, for sealing and opening alike.
struct Derived {
  VolatileKey key;
  Secret<nonce_size> salt;
};
/// Errors: unsupported (suite), crypto. `sealing` sets what the PSA key may be used for.
[[nodiscard]] Result<Derived> derive(CipherSuite suite, std::uint64_t kid, const BaseKey& base, bool sealing);

/// Seals messages with one key ID. Thread-bound, move-only.
class SealingKey {
 public:
  /// seal() fails when the counter reaches `limit` (at most 2^32). Errors: invalid_argument (limit), unsupported,
  /// crypto.
  [[nodiscard]] static Result<SealingKey> open(CipherSuite suite, KeyId kid, const BaseKey& base,
                                               Counter limit = Counter(std::uint64_t{1} << 32));

  /// Number of bytes that the next seal() of `n` bytes writes.
  [[nodiscard]] std::size_t sealed_size(std::size_t n) const noexcept;
  [[nodiscard]] KeyId key_id() const noexcept { return KeyId(kid_); }
  /// Counter that the next seal() will use.
  [[nodiscard]] Counter next_counter() const noexcept { return Counter(counter_); }

  /// Writes header, ciphertext and tag into `out` (at least sealed_size(plaintext.size()) bytes, not
  /// overlapping `plaintext`) and returns that part of it. `metadata` is authenticated, not sent.
  /// A call that fails in the cipher uses up its counter too. Errors: exhausted (limit reached), crypto.
  [[nodiscard]] Result<MutableBytes> seal(MutableBytes out, ByteView metadata, ByteView plaintext);

 private:
  SealingKey(Derived derived, KeyId kid, Counter limit)
      : derived_(std::move(derived)), kid_(kid.value()), limit_(limit.value()) {}
  Derived derived_;
  std::uint64_t kid_;
  std::uint64_t counter_ = 0;
  std::uint64_t limit_;
};

/// Opens messages with one key ID in any order. The caller rejects replays. Thread-safe, move-only.
class OpeningKey {
 public:
  /// Errors: unsupported, crypto.
  [[nodiscard]] static Result<OpeningKey> open(CipherSuite suite, KeyId kid, const BaseKey& base);

  /// Writes the plaintext into `out` (at least ciphertext.size() bytes, not overlapping) and returns
  /// that part of it. Errors: malformed, wrong_key (another KID), not_decryptable; `out` is
  /// then wiped.
  [[nodiscard]] Result<MutableBytes> open(MutableBytes out, ByteView metadata, ByteView ciphertext) const;

 private:
  OpeningKey(Derived derived, KeyId kid) : derived_(std::move(derived)), kid_(kid.value()) {}
  Derived derived_;
  std::uint64_t kid_;
};

}  // namespace sealcam::crypto::sframe
