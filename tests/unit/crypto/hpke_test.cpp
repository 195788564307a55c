// SPDX-License-Identifier: Apache-2.0
#include "crypto/hpke.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <limits>

#include "support/hpke_access.hpp"
#include "support/vectors.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace sealcam::crypto;

namespace {

VolatileDevice make_device() {
  REQUIRE(init());
  auto device = VolatileDevice::generate();
  REQUIRE(device);
  return std::move(*device);
}

Errc rejection(const AgreementKey& own, const hpke::Enc& enc, ByteView info, ByteView ciphertext) {
  const auto opened = hpke::open(own, enc, info, ciphertext);
  REQUIRE_FALSE(opened);
  return opened.error().code;
}

}  // namespace

TEST_CASE("HPKE single-shot: only the recipient opens a message, and only with the same info") {
  const auto hub = make_device(), stranger = make_device();
  const auto sealed = hpke::seal(hub.keys().hpke.public_key(), as_bytes("info"), as_bytes("base key"));
  REQUIRE(sealed);
  const auto opened = hpke::open(hub.keys().hpke, sealed->enc, as_bytes("info"), sealed->ciphertext);
  REQUIRE(opened);  // control
  CHECK(as_text(*opened) == "base key");
  CHECK(rejection(stranger.keys().hpke, sealed->enc, as_bytes("info"), sealed->ciphertext) == Errc::not_decryptable);
  CHECK(rejection(hub.keys().hpke, sealed->enc, as_bytes("inf0"), sealed->ciphertext) == Errc::not_decryptable);
  CHECK(rejection(hub.keys().hpke, sealed->enc, {}, sealed->ciphertext) == Errc::not_decryptable);
  const auto again = hpke::seal(hub.keys().hpke.public_key(), as_bytes("info"), as_bytes("base key"));
  REQUIRE(again);
  CHECK(again->enc != sealed->enc);
  CHECK(again->ciphertext != sealed->ciphertext);
}

TEST_CASE("HPKE rejects each flipped bit of enc and ciphertext, and each prefix") {
  const auto hub = make_device();
  const auto sealed = hpke::seal(hub.keys().hpke.public_key(), {}, as_bytes("base key"));
  REQUIRE(sealed);
  REQUIRE(hpke::open(hub.keys().hpke, sealed->enc, {}, sealed->ciphertext));
  for (std::size_t bit = 0; bit < sealed->ciphertext.size() * 8; ++bit) {
    auto bad = sealed->ciphertext;
    bad[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    CHECK(rejection(hub.keys().hpke, sealed->enc, {}, bad) == Errc::not_decryptable);
  }
  for (std::size_t bit = 0; bit < sealed->enc.size() * 8; ++bit) {
    auto bad = sealed->enc;
    bad[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    CHECK(rejection(hub.keys().hpke, bad, {}, sealed->ciphertext) == Errc::malformed);
  }
  for (std::size_t n = 0; n < sealed->ciphertext.size(); ++n)
    CHECK(rejection(hub.keys().hpke, sealed->enc, {}, ByteView(sealed->ciphertext).first(n)) == Errc::not_decryptable);
  // Another point of the curve.
  hpke::Enc other;
  std::ranges::copy(make_device().keys().hpke.public_key().bytes(), other.begin());
  CHECK(rejection(hub.keys().hpke, other, {}, sealed->ciphertext) == Errc::not_decryptable);
}

TEST_CASE("HPKE contexts require the order of messages; a message that cannot be opened does not count") {
  const auto hub = make_device();
  for (const auto aead : {hpke::Aead::aes_128_gcm, hpke::Aead::aes_256_gcm}) {
    auto sender = hpke::SenderContext::setup(aead, hub.keys().hpke.public_key(), {});
    REQUIRE(sender);
    auto receiver = hpke::RecipientContext::setup(aead, sender->enc(), hub.keys().hpke, {});
    REQUIRE(receiver);
    const auto first = sender->seal(as_bytes("a"), as_bytes("one"));
    const auto second = sender->seal(as_bytes("b"), as_bytes("two"));
    REQUIRE(first);
    REQUIRE(second);
    CHECK(receiver->open(as_bytes("b"), *second).error().code == Errc::not_decryptable);
    CHECK(receiver->open(as_bytes("b"), *first).error().code == Errc::not_decryptable);
    const auto one = receiver->open(as_bytes("a"), *first);
    REQUIRE(one);
    CHECK(as_text(*one) == "one");
    CHECK(receiver->open(as_bytes("a"), *first).error().code == Errc::not_decryptable);
    REQUIRE(receiver->open(as_bytes("b"), *second));
  }
}

TEST_CASE("HPKE never uses the last sequence number") {
  const auto hub = make_device();
  auto sender = hpke::SenderContext::setup(hpke::Aead::aes_128_gcm, hub.keys().hpke.public_key(), {});
  REQUIRE(sender);
  hpke::ContextAccess::set_sequence(*sender, std::numeric_limits<std::uint64_t>::max() - 1);
  CHECK(sender->seal({}, {}));
  CHECK(sender->seal({}, {}).error().code == Errc::exhausted);
}

TEST_CASE("HPKE rejects the empty public key") {
  REQUIRE(init());
  CHECK_FALSE(hpke::seal(PublicKey(), {}, as_bytes("x")));
}
