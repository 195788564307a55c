// SPDX-License-Identifier: Apache-2.0
#include "crypto/sframe.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "support/vectors.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace sealcam::crypto;
using sframe::CipherSuite;
using sframe::OpeningKey;
using sframe::SealingKey;

namespace {

constexpr sframe::KeyId kid{0x0000'0001'89ab'cdef};

sframe::BaseKey base_key(unsigned fill = 7) {
  sframe::BaseKey base;
  std::ranges::fill(base.fill(), static_cast<std::byte>(fill));
  return base;
}

struct Pair {
  SealingKey sealing;
  OpeningKey opening;
};

Pair make_pair_of_keys(CipherSuite suite, sframe::Counter limit = sframe::Counter(std::uint64_t{1} << 32)) {
  REQUIRE(init());
  auto sealing = SealingKey::open(suite, kid, base_key(), limit);
  REQUIRE(sealing);
  auto opening = OpeningKey::open(suite, kid, base_key());
  REQUIRE(opening);
  return {std::move(*sealing), std::move(*opening)};
}

Bytes seal(SealingKey& key, ByteView metadata, ByteView plaintext) {
  Bytes out(key.sealed_size(plaintext.size()));
  const auto sealed = key.seal(out, metadata, plaintext);
  REQUIRE(sealed);
  REQUIRE(sealed->size() == out.size());
  return out;
}

/// The reason of a failure to open. Checks that the buffer was wiped.
Errc rejection(const OpeningKey& key, ByteView metadata, ByteView ciphertext) {
  Bytes out(ciphertext.size(), std::byte{0xaa});
  const auto opened = key.open(out, metadata, ciphertext);
  REQUIRE_FALSE(opened);
  CHECK(std::ranges::all_of(out, [](std::byte b) { return b == std::byte{0}; }));
  return opened.error().code;
}

}  // namespace

TEST_CASE("SFrame seals and opens messages of all sizes near the size of a piece") {
  const auto suite = GENERATE(CipherSuite::aes_128_gcm_sha256_128, CipherSuite::aes_256_gcm_sha512_128);
  auto keys = make_pair_of_keys(suite);
  for (const std::size_t size :
       std::initializer_list<std::size_t>{0, 1, 15, 16, 17, 4096, 16383, 16384, 16385, 32768, 145'003}) {
    Bytes plaintext(size);
    for (std::size_t i = 0; i < size; ++i) plaintext[i] = static_cast<std::byte>(i * 7 + i / 256);
    const auto sealed = seal(keys.sealing, as_bytes("metadata"), plaintext);
    Bytes out(sealed.size());
    const auto opened = keys.opening.open(out, as_bytes("metadata"), sealed);
    REQUIRE(opened);
    CHECK(equal(*opened, plaintext));
    if (size > 64) {
      // The ciphertext contains no part of the plaintext.
      CHECK(std::ranges::search(sealed, ByteView(plaintext).first(16)).empty());
    }
  }
}

TEST_CASE("each flipped bit of header, ciphertext, tag and metadata is rejected") {
  const auto suite = GENERATE(CipherSuite::aes_128_gcm_sha256_128, CipherSuite::aes_256_gcm_sha512_128);
  auto keys = make_pair_of_keys(suite);
  const auto metadata = hex("00112233445566778899");
  for (int i = 0; i < 300; ++i) (void)seal(keys.sealing, {}, {});  // so that the counter has two bytes
  const auto message = seal(keys.sealing, metadata, as_bytes("an access unit"));
  Bytes out(message.size());
  REQUIRE(keys.opening.open(out, metadata, message));  // control
  for (std::size_t bit = 0; bit < message.size() * 8; ++bit) {
    auto bad = message;
    bad[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    INFO(bit);
    const auto code = rejection(keys.opening, metadata, bad);
    CHECK((code == Errc::not_decryptable || code == Errc::malformed || code == Errc::wrong_key));
    // After the header, only the tag detects a change.
    if (bit / 8 >= 8) CHECK(code == Errc::not_decryptable);
  }
  for (std::size_t bit = 0; bit < metadata.size() * 8; ++bit) {
    auto bad = metadata;
    bad[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    CHECK(rejection(keys.opening, bad, message) == Errc::not_decryptable);
  }
  for (std::size_t n = 0; n < metadata.size(); ++n)
    CHECK(rejection(keys.opening, ByteView(metadata).first(n), message) == Errc::not_decryptable);
}

TEST_CASE("every prefix of a message and an added byte are rejected") {
  auto keys = make_pair_of_keys(CipherSuite::aes_128_gcm_sha256_128);
  auto message = seal(keys.sealing, as_bytes("m"), as_bytes("an access unit"));
  for (std::size_t n = 0; n < message.size(); ++n) {
    INFO(n);
    const auto code = rejection(keys.opening, as_bytes("m"), ByteView(message).first(n));
    CHECK((code == Errc::malformed || code == Errc::not_decryptable));
  }
  message.push_back(std::byte{0});
  CHECK(rejection(keys.opening, as_bytes("m"), message) == Errc::not_decryptable);
}

TEST_CASE("a message does not open with another key ID, base key or suite") {
  auto keys = make_pair_of_keys(CipherSuite::aes_128_gcm_sha256_128);
  const auto message = seal(keys.sealing, {}, as_bytes("an access unit"));
  const auto other_epoch = OpeningKey::open(CipherSuite::aes_128_gcm_sha256_128, kid.next(), base_key());
  REQUIRE(other_epoch);
  CHECK(rejection(*other_epoch, {}, message) == Errc::wrong_key);
  const auto other_base = OpeningKey::open(CipherSuite::aes_128_gcm_sha256_128, kid, base_key(8));
  REQUIRE(other_base);
  CHECK(rejection(*other_base, {}, message) == Errc::not_decryptable);
  const auto other_suite = OpeningKey::open(CipherSuite::aes_256_gcm_sha512_128, kid, base_key());
  REQUIRE(other_suite);
  CHECK(rejection(*other_suite, {}, message) == Errc::not_decryptable);
  CHECK(OpeningKey::open(static_cast<CipherSuite>(1), kid, base_key()).error().code == Errc::unsupported);
  CHECK(SealingKey::open(static_cast<CipherSuite>(3), kid, base_key()).error().code == Errc::unsupported);
}

TEST_CASE("suite 4 uses the first 16 bytes of the base key, suite 5 all 32") {
  REQUIRE(init());
  sframe::BaseKey a = base_key(), b = base_key();
  b.fill()[31] ^= std::byte{1};
  for (const auto suite : {CipherSuite::aes_128_gcm_sha256_128, CipherSuite::aes_256_gcm_sha512_128}) {
    auto sealing = SealingKey::open(suite, kid, a);
    const auto opening = OpeningKey::open(suite, kid, b);
    REQUIRE(sealing);
    REQUIRE(opening);
    const auto message = seal(*sealing, {}, as_bytes("x"));
    Bytes out(message.size());
    CHECK(opening->open(out, {}, message).has_value() == (suite == CipherSuite::aes_128_gcm_sha256_128));
  }
}

TEST_CASE("each seal increments the counter by one, up to the limit") {
  auto keys = make_pair_of_keys(CipherSuite::aes_128_gcm_sha256_128, sframe::Counter(300));
  for (std::uint64_t i = 0; i < 300; ++i) {
    CHECK(keys.sealing.next_counter() == sframe::Counter(i));
    const auto message = seal(keys.sealing, {}, {});
    const auto header = sframe::parse_header(message);
    REQUIRE(header);
    REQUIRE(header->header.ctr == i);
    REQUIRE(header->header.kid == kid.value());
  }
  Bytes out(64);
  for (int i = 0; i < 3; ++i) CHECK(keys.sealing.seal(out, {}, {}).error().code == Errc::exhausted);
  CHECK(keys.sealing.next_counter() == sframe::Counter(300));
  CHECK(SealingKey::open(CipherSuite::aes_128_gcm_sha256_128, kid, base_key(),
                         sframe::Counter((std::uint64_t{1} << 32) + 1))
            .error()
            .code == Errc::invalid_argument);
}

TEST_CASE("a moved-from sealing key cannot seal") {
  auto keys = make_pair_of_keys(CipherSuite::aes_128_gcm_sha256_128);
  auto moved = std::move(keys.sealing);
  Bytes out(64);
  CHECK(keys.sealing.seal(out, {}, {}).error().code == Errc::crypto);
  CHECK(std::ranges::all_of(ByteView(out).subspan(10), [](std::byte b) { return b == std::byte{0}; }));
  CHECK(moved.seal(out, {}, {}));
}

TEST_CASE("headers that are not in their shortest form are rejected") {
  const auto malformed = [](const char* text) {
    const auto in = hex(text);
    const auto header = sframe::parse_header(in);
    return !header && header.error().code == Errc::malformed;
  };
  for (const char* bad : {"", "8007", "8000", "0800", "0807", "900008", "0900ff", "b000000100", "f00000000000000001",
                          "0f00ffffffffffffff", "99012345", "9901", "99", "8f"})
    CHECK(malformed(bad));
  CHECK_FALSE(malformed("8008"));
  CHECK_FALSE(malformed("0808"));
  // All config bytes with every number of zero bytes after them: only headers with three-bit values are complete.
  for (unsigned config = 0; config < 256; ++config) {
    Bytes in(18);
    in[0] = static_cast<std::byte>(config);
    const auto header = sframe::parse_header(in);
    CHECK(header.has_value() == ((config & 0x88U) == 0));
  }
}

TEST_CASE("headers of all sizes and values can be written and read") {
  for (unsigned kid_bits = 0; kid_bits <= 64; ++kid_bits)
    for (unsigned ctr_bits = 0; ctr_bits <= 64; ++ctr_bits) {
      const auto value = [](unsigned bits) { return bits == 0 ? 0 : ~std::uint64_t{0} >> (64 - bits); };
      const sframe::Header header{value(kid_bits), value(ctr_bits)};
      Bytes out(sframe::max_header_size);
      const auto size = sframe::write_header(header, out);
      REQUIRE(size == sframe::header_size(header));
      const auto parsed = sframe::parse_header(ByteView(out).first(size));
      REQUIRE(parsed);
      REQUIRE((parsed->header.kid == header.kid && parsed->header.ctr == header.ctr && parsed->size == size));
      for (std::size_t n = 0; n < size; ++n) REQUIRE_FALSE(sframe::parse_header(ByteView(out).first(n)));
    }
}
