// SPDX-License-Identifier: Apache-2.0
#include "crypto/cose.hpp"

#include <catch2/catch_test_macros.hpp>

#include "base/bytes.hpp"
#include "crypto/cbor.hpp"
#include "support/sig_structure.hpp"
#include "support/vectors.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace sealcam::crypto;

namespace {

struct Signed {
  VolatileDevice device;
  Verifier verifier;
  Bytes message;
};

Bytes protected_header() {
  CborWriter writer;
  writer.map(3).integer(1).integer(cose::es256).integer(4).bytes(hex("0102")).integer(-70001).integer(3);
  return writer.take();
}

Signed make_signed() {
  REQUIRE(init());
  auto device = VolatileDevice::generate();
  REQUIRE(device);
  auto verifier = Verifier::open(device->keys().identity.public_key());
  REQUIRE(verifier);
  auto message = cose::sign1(device->keys().identity, protected_header(), as_bytes("aad"), as_bytes("payload"));
  REQUIRE(message);
  return {std::move(*device), std::move(*verifier), std::move(*message)};
}

Result<> judge(ByteView message, ByteView external_aad, const Verifier& key) {
  const auto view = cose::parse_sign1(message);
  if (!view) return std::unexpected(view.error());
  return cose::verify_sign1(*view, external_aad, key);
}

Errc header_error(const char* text, std::int64_t private_label = 0) {
  const auto in = hex(text);
  const auto header = cose::parse_protected(in, private_label);
  REQUIRE_FALSE(header);
  return header.error().code;
}

Errc message_error(const std::string& text) {
  const auto in = hex(text);
  const auto view = cose::parse_sign1(in);
  REQUIRE_FALSE(view);
  return view.error().code;
}

const std::string sig = "5840" + std::string(128, '1');

}  // namespace

TEST_CASE("a COSE_Sign1 message verifies, and its parts are views into the message") {
  const auto s = make_signed();
  const auto view = cose::parse_sign1(s.message);
  REQUIRE(view);
  CHECK(as_text(view->payload) == "payload");
  CHECK(view->payload.data() > s.message.data());
  CHECK(view->payload.data() < s.message.data() + s.message.size());
  REQUIRE(cose::verify_sign1(*view, as_bytes("aad"), s.verifier));
  const auto header = cose::parse_protected(view->protected_header, -70001);
  REQUIRE(header);
  CHECK(header->algorithm == cose::es256);
  CHECK(to_hex(header->key_id) == "0102");
  CHECK(header->private_value == 3);
  CHECK_FALSE(cose::parse_protected(view->protected_header)->private_value);
}

TEST_CASE("COSE_Sign1 rejects flipped bits, prefixes, trailing bytes, another key and another external AAD") {
  const auto s = make_signed();
  REQUIRE(judge(s.message, as_bytes("aad"), s.verifier));  // control
  for (std::size_t bit = 0; bit < s.message.size() * 8; ++bit) {
    auto bad = s.message;
    bad[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    INFO(bit);
    const auto r = judge(bad, as_bytes("aad"), s.verifier);
    REQUIRE_FALSE(r);
    CHECK(r.error().code != Errc::crypto);
  }
  for (std::size_t n = 0; n < s.message.size(); ++n)
    CHECK(judge(ByteView(s.message).first(n), as_bytes("aad"), s.verifier).error().code == Errc::malformed);
  auto longer = s.message;
  longer.push_back(std::byte{0});
  CHECK(judge(longer, as_bytes("aad"), s.verifier).error().code == Errc::malformed);
  CHECK(judge(s.message, as_bytes("aae"), s.verifier).error().code == Errc::bad_signature);
  CHECK(judge(s.message, {}, s.verifier).error().code == Errc::bad_signature);
  const auto other = make_signed();
  CHECK(judge(s.message, as_bytes("aad"), other.verifier).error().code == Errc::bad_signature);
}

TEST_CASE("bytes cannot move from one part of the signed structure to another") {
  const auto s = make_signed();
  const auto view = cose::parse_sign1(s.message);
  REQUIRE(view);
  const auto digest = cose::to_be_signed(view->protected_header, as_bytes("aad"), as_bytes("payload"));
  CHECK(cose::to_be_signed(view->protected_header, as_bytes("aadp"), as_bytes("ayload")) != digest);
  CHECK(sha256(test::sig_structure(view->protected_header, as_bytes("aad"), as_bytes("payload"))) == digest);
}

TEST_CASE("the digest of the parts equals that of the whole structure, for every size of a length field") {
  REQUIRE(init());
  for (const std::size_t size : std::initializer_list<std::size_t>{0, 1, 23, 24, 255, 256, 65535, 65536, 145'000}) {
    const Bytes payload(size, std::byte{0x5a});
    for (const std::size_t aad : std::initializer_list<std::size_t>{0, 23, 24, 300})
      CHECK(cose::to_be_signed(protected_header(), Bytes(aad), payload) ==
            sha256(test::sig_structure(protected_header(), Bytes(aad), payload)));
  }
}

TEST_CASE("COSE_Sign1 messages of another form are malformed") {
  CHECK(cose::parse_sign1(hex("d28440a040" + sig)));                   // control
  CHECK(cose::parse_sign1(hex("d28440a204423131182181f640" + sig)));   // any unprotected map
  CHECK(message_error("8440a040" + sig) == Errc::malformed);           // no tag
  CHECK(message_error("d18440a040" + sig) == Errc::malformed);         // COSE_Mac0's tag
  CHECK(message_error("d8128440a040" + sig) == Errc::malformed);       // tag in two bytes
  CHECK(message_error("d2d28440a040" + sig) == Errc::malformed);       // tagged twice
  CHECK(message_error("d28340a040") == Errc::malformed);               // three items
  CHECK(message_error("d28540a040" + sig + "00") == Errc::malformed);  // five items
  CHECK(message_error("d29f40a040" + sig + "ff") == Errc::malformed);  // indefinite
  CHECK(message_error("d284a0a040" + sig) == Errc::malformed);         // protected is not a string
  CHECK(message_error("d284408040" + sig) == Errc::malformed);         // unprotected is not a map
  CHECK(message_error("d28440a202000100"
                      "40" +
                      sig) == Errc::malformed);                 // unprotected out of order
  CHECK(message_error("d28440a0f6" + sig) == Errc::malformed);  // detached payload
  CHECK(message_error("d28440a040583f" + std::string(126, '1')) == Errc::malformed);
  CHECK(message_error("d28440a0405841" + std::string(130, '1')) == Errc::malformed);
  CHECK(message_error("d28440a0405bffffffffffffffff") == Errc::malformed);
}

TEST_CASE("unknown labels of a protected header are ignored, other deviations are rejected") {
  CHECK(cose::parse_protected(hex("a10126")));            // control
  CHECK(cose::parse_protected(hex("a3012603006161f6")));  // other labels are ignored
  CHECK(header_error("") == Errc::unsupported);           // no algorithm
  CHECK(header_error("a0") == Errc::unsupported);
  CHECK(header_error("a1044101") == Errc::unsupported);
  CHECK(header_error("a1013822") == Errc::unsupported);          // ES384
  CHECK(header_error("a101654553323536") == Errc::unsupported);  // a text
  CHECK(header_error("a10140") == Errc::malformed);
  CHECK(header_error("a2012602810c") == Errc::unsupported);  // crit
  CHECK(header_error("a2012601"
                     "26") == Errc::malformed);            // twice
  CHECK(header_error("a20441010126") == Errc::malformed);  // out of order
  CHECK(header_error("a201260400") == Errc::malformed);    // kid is not a byte string
  CHECK(header_error("a1012600") == Errc::malformed);
  CHECK(header_error("a10118"
                     "26") == Errc::unsupported);                  // 38
  CHECK(header_error("a1013806") == Errc::malformed);              // -7 in two bytes
  CHECK(header_error("a2012638634100", -100) == Errc::malformed);  // private value is not an integer
  CHECK(header_error("a201264101"
                     "00") == Errc::malformed);  // a label that is a byte string
  CHECK(header_error("80") == Errc::malformed);
}
