// SPDX-License-Identifier: Apache-2.0
#include "crypto/keys.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "base/bytes.hpp"
#include "support/vectors.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace sealcam::crypto;

TEST_CASE("SHA-256 matches FIPS 180-2 appendix B, for whole messages and for parts") {
  REQUIRE(init());
  const auto abc = sha256(as_bytes("abc"));
  REQUIRE(abc);
  CHECK(to_hex(*abc) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(Sha256().update(as_bytes("a")).update({}).update(as_bytes("bc")).finish() == abc);
  Sha256 hash;
  REQUIRE(hash.finish());
  CHECK(hash.finish().error().code == Errc::crypto);
}

TEST_CASE("random bytes differ") {
  REQUIRE(init());
  REQUIRE(init());  // a second call does nothing
  std::array<std::byte, 32> a{}, b{};
  REQUIRE(random(a));
  REQUIRE(random(b));
  CHECK(a != b);
}

TEST_CASE("a public key must be an uncompressed point on the curve") {
  REQUIRE(init());
  const auto pair = generate_signing_key();
  REQUIRE(pair);
  const auto good = pair->second.bytes();
  REQUIRE(PublicKey::parse(good) == pair->second);
  // A flipped bit of x or y gives a point off the curve, one of the first byte another form.
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bad(good.begin(), good.end());
    bad[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    INFO(bit);
    const auto parsed = PublicKey::parse(bad);
    CHECK((!parsed && parsed.error().code == Errc::malformed));
  }
  for (std::size_t n = 0; n < good.size(); ++n) CHECK_FALSE(PublicKey::parse(ByteView(good).first(n)));
  Bytes longer(good.size() + 1);
  std::ranges::copy(good, longer.begin());
  CHECK_FALSE(PublicKey::parse(longer));
  CHECK_FALSE(PublicKey::parse(Bytes(65)));
  CHECK_FALSE(PublicKey::parse(Bytes(1)));  // the point at infinity
  Bytes compressed(good.begin(), good.begin() + 33);
  compressed[0] = std::byte{0x02};
  CHECK_FALSE(PublicKey::parse(compressed));
  // x = p, y = 0: a coordinate that is not reduced.
  const auto p = hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
  Bytes unreduced{std::byte{0x04}};
  unreduced.insert(unreduced.end(), p.begin(), p.end());
  unreduced.resize(65);
  CHECK_FALSE(PublicKey::parse(unreduced));
  CHECK(PublicKey() == PublicKey());
  CHECK_FALSE(Verifier::open(PublicKey()));
}

TEST_CASE("a signature verifies only with its key and digest, and only unchanged") {
  REQUIRE(init());
  const auto a = VolatileDevice::generate(), b = VolatileDevice::generate();
  REQUIRE(a);
  REQUIRE(b);
  const auto digest = sha256(as_bytes("picture"));
  REQUIRE(digest);
  const auto keys = a->keys();
  const auto signature = keys.identity.sign(*digest);
  REQUIRE(signature);
  const auto verifier = Verifier::open(keys.identity.public_key());
  REQUIRE(verifier);
  CHECK(verifier->id() == keys.identity.id());
  REQUIRE(verifier->verify(*digest, *signature));  // control
  for (std::size_t bit = 0; bit < 512; ++bit) {
    auto bad = *signature;
    bad[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    const auto r = verifier->verify(*digest, bad);
    CHECK((!r && r.error().code == Errc::bad_signature));
  }
  for (std::size_t bit = 0; bit < 256; bit += 7) {
    auto bad = *digest;
    bad[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    CHECK(verifier->verify(bad, *signature).error().code == Errc::bad_signature);
  }
  const auto other = Verifier::open(b->keys().identity.public_key());
  REQUIRE(other);
  CHECK(other->verify(*digest, *signature).error().code == Errc::bad_signature);
  CHECK(verifier->verify(*digest, Signature{}).error().code == Errc::bad_signature);
  Signature ones;
  ones.fill(std::byte{0xff});
  CHECK(verifier->verify(*digest, ones).error().code == Errc::bad_signature);
}

TEST_CASE("a signature has the smaller s, and the other valid s is rejected") {
  REQUIRE(init());
  const auto device = VolatileDevice::generate();
  REQUIRE(device);
  const auto keys = device->keys();
  const auto verifier = Verifier::open(keys.identity.public_key());
  REQUIRE(verifier);
  const Bytes order = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
  // Half of the signatures that the library makes have the greater s.
  for (unsigned char n = 0; n < 32; ++n) {
    Digest digest{};
    digest[0] = std::byte{n};
    const auto signature = keys.identity.sign(digest);
    REQUIRE(signature);
    CHECK(has_low_s(*signature));
    REQUIRE(verifier->verify(digest, *signature));
    Signature other = *signature;  // (r, n - s)
    int borrow = 0;
    for (std::size_t i = 32; i-- > 0;) {
      const int difference = std::to_integer<int>(order[i]) - std::to_integer<int>(other[32 + i]) - borrow;
      borrow = difference < 0 ? 1 : 0;
      other[32 + i] = static_cast<std::byte>(difference & 0xff);
    }
    CHECK_FALSE(has_low_s(other));
    CHECK(verifier->verify(digest, other).error().code == Errc::bad_signature);
    make_low_s(other);  // control: the other s is a valid signature in ECDSA
    CHECK(other == *signature);
  }
}

TEST_CASE("the greatest allowed s is n/2") {
  Signature signature{};
  const auto set = [&](const char* s) { std::ranges::copy(hex(s), signature.begin() + 32); };
  set("7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8");
  CHECK(has_low_s(signature));
  set("7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a9");
  CHECK_FALSE(has_low_s(signature));
  make_low_s(signature);
  CHECK(to_hex(ByteView(signature).last(32)) == "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8");
}

TEST_CASE("each signature uses a new k") {
  REQUIRE(init());
  const auto device = VolatileDevice::generate();
  REQUIRE(device);
  CHECK(device->keys().identity.sign(Digest{}) != device->keys().identity.sign(Digest{}));
}

TEST_CASE("a key can be used for one purpose only") {
  REQUIRE(init());
  const auto device = VolatileDevice::generate();
  REQUIRE(device);
  const auto keys = device->keys();
  const SigningKey wrong(keys.hpke.key_id(), keys.hpke.public_key());
  const auto r = wrong.sign(Digest{});
  CHECK((!r && r.error().code == Errc::crypto));
}

TEST_CASE("a private scalar of 1 is valid, 0 and the order of the group are not") {
  REQUIRE(init());
  const auto import = [](const char* text) { return import_signing_key(secret<32>(hex(text))); };
  const auto one = import("0000000000000000000000000000000000000000000000000000000000000001");
  REQUIRE(one);
  // SEC 2 section 2.4.2: the base point.
  CHECK(to_hex(one->second.bytes()) ==
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5");
  CHECK(import("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550"));
  for (const char* bad : {"0000000000000000000000000000000000000000000000000000000000000000",
                          "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
                          "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"})
    CHECK(import(bad).error().code == Errc::malformed);
}

TEST_CASE("a destroyed handle cannot sign, and a move transfers the key") {
  REQUIRE(init());
  auto pair = generate_signing_key();
  REQUIRE(pair);
  const SigningKey key(pair->first.id(), pair->second);
  VolatileKey moved = std::move(pair->first);
  REQUIRE(key.sign(Digest{}));
  moved = VolatileKey();
  CHECK(key.sign(Digest{}).error().code == Errc::crypto);
}

TEST_CASE("thousands of keys can exist at the same time") {
  REQUIRE(init());
  const auto scalar = secret<32>(Bytes(32, std::byte{0x11}));
  const auto one = import_signing_key(scalar);
  REQUIRE(one);
  std::vector<Verifier> verifiers;
  for (int i = 0; i < 3000; ++i) {
    auto v = Verifier::open(one->second);
    REQUIRE(v);
    verifiers.push_back(std::move(*v));
  }
  const auto signature = SigningKey(one->first.id(), one->second).sign(Digest{});
  REQUIRE(signature);
  CHECK(verifiers.front().verify(Digest{}, *signature));
  CHECK(verifiers.back().verify(Digest{}, *signature));
}
