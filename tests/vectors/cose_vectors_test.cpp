// SPDX-License-Identifier: Apache-2.0
// The COSE working group's examples: COSE_Sign1 with ES256, the failing ones included.
#include <catch2/catch_test_macros.hpp>
#include <iostream>
#include <map>

#include "crypto/cose.hpp"
#include "support/vectors.hpp"
#include "vectors/tables.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace sealcam::crypto;

namespace {

constexpr std::byte sign1_tag{0xd2};

Verifier key_11() {
  const auto key = PublicKey::parse(hex(cose_key));
  REQUIRE(key);
  auto verifier = Verifier::open(*key);
  REQUIRE(verifier);
  return std::move(*verifier);
}

/// What Sealcam makes of a message from outside.
Result<> judge(ByteView message, ByteView external_aad, const Verifier& key) {
  const auto view = cose::parse_sign1(message);
  if (!view) return std::unexpected(view.error());
  return cose::verify_sign1(*view, external_aad, key);
}

void verify_good(ByteView message, ByteView external_aad, ByteView to_be_signed, const Verifier& key) {
  const auto view = cose::parse_sign1(message);
  REQUIRE(view);
  CHECK(to_hex(cose::sig_structure(view->protected_header, external_aad, view->payload)) == to_hex(to_be_signed));
  CHECK(cose::to_be_signed(view->protected_header, external_aad, view->payload) == sha256(to_be_signed));
  CHECK(cose::verify_sign1(*view, external_aad, key));
}

void verify(const CoseVector& v, ByteView message, ByteView external_aad, ByteView to_be_signed) {
  INFO(v.name);
  const auto key = key_11();
  switch (v.outcome) {
    case CoseOutcome::verifies: return verify_good(message, external_aad, to_be_signed, key);
    case CoseOutcome::verifies_tagged: {
      CHECK(judge(message, external_aad, key).error().code == Errc::malformed);
      Bytes tagged{sign1_tag};
      tagged.insert(tagged.end(), message.begin(), message.end());
      return verify_good(tagged, external_aad, to_be_signed, key);
    }
    case CoseOutcome::unprotected_algorithm: {
      CHECK(judge(message, external_aad, key).error().code == Errc::unsupported);
      const auto view = cose::parse_sign1(message);
      REQUIRE(view);
      CHECK(to_hex(cose::sig_structure(view->protected_header, external_aad, view->payload)) == to_hex(to_be_signed));
      const auto digest = cose::to_be_signed(view->protected_header, external_aad, view->payload);
      REQUIRE(digest);
      CHECK(key.verify(*digest, view->signature));
      return;
    }
    case CoseOutcome::unsupported: CHECK(judge(message, external_aad, key).error().code == Errc::unsupported); return;
    case CoseOutcome::malformed: CHECK(judge(message, external_aad, key).error().code == Errc::malformed); return;
    case CoseOutcome::bad_signature:
      CHECK(judge(message, external_aad, key).error().code == Errc::bad_signature);
      return;
  }
}

}  // namespace

TEST_CASE("COSE_Sign1 examples, from the table") {
  REQUIRE(init());
  for (const auto& v : cose_vectors) verify(v, hex(v.message), hex(v.external_aad), hex(v.to_be_signed));
}

TEST_CASE("COSE_Sign1 examples, from the published files") {
  REQUIRE(init());
  if (!vector_file("cose-sign1/sign-pass-01.json")) SKIP("no cose-sign1 in " << vector_folder());
  std::map<std::string, CoseVector> outcomes;
  for (const auto& v : cose_vectors) outcomes.emplace(v.name, v);
  // Other structures and algorithms: refused, whatever the key.
  for (const char* name : {"ecdsa-01", "ecdsa-02", "ecdsa-03", "ecdsa-04"})
    outcomes.emplace(name, CoseVector{name, CoseOutcome::malformed, "", "", ""});
  for (const char* name : {"ecdsa-sig-02", "ecdsa-sig-03"})
    outcomes.emplace(name, CoseVector{name, CoseOutcome::malformed, "", "", ""});
  std::size_t checked = 0;
  for (const auto& entry : std::filesystem::directory_iterator(vector_folder() / "cose-sign1")) {
    const auto name = entry.path().stem().string();
    INFO(name);
    const auto file = vector_file(entry.path());
    REQUIRE(file);
    REQUIRE(outcomes.contains(name));
    const auto& input = file->at("input");
    const auto external = input.contains("sign0") ? input.at("sign0").value("external", "") : "";
    const auto signed_bytes = file->at("intermediates").value("ToBeSign_hex", "");
    verify(outcomes.at(name), hex(file->at("output").at("cbor").get<std::string>()), hex(external), hex(signed_bytes));
    if (outcomes.at(name).message[0] == '\0')
      std::cout << "COSE: " << name << " refused as it should be (" << file->at("title").get<std::string>() << ")\n";
    ++checked;
  }
  CHECK(checked == outcomes.size());
}
