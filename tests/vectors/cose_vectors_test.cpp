// SPDX-License-Identifier: Apache-2.0
// The COSE working group's examples: COSE_Sign1 with ES256, the failing ones included.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <map>

#include "base/bytes.hpp"
#include "crypto/cose.hpp"
#include "support/sig_structure.hpp"
#include "support/vectors.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace sealcam::crypto;

namespace {

constexpr std::byte sign1_tag{0xd2};

/// Key "11" of the examples, on P-256.
constexpr const char* example_key =
    "04bac5b11cad8f99f9c72b05cf4b9e26d244dc189f745228255a219a86d6a09eff"
    "20138bf82dc1b6d562be0fa54ab7804a3a64b6d72ccfed6b6fb6ed28bbfc117e";

/// The expected result for an example. `verifies_tagged`: Sealcam requires the tag; the message verifies once the tag
/// is in front. `unprotected_algorithm`: the signature is valid, but it does not cover the algorithm; Sealcam rejects
/// that.
enum class Outcome { verifies, verifies_tagged, unprotected_algorithm, unsupported, malformed, bad_signature };

const std::map<std::string, Outcome> outcomes{
    // COSE_Sign with several signers, and keys on other curves
    {"ecdsa-01", Outcome::malformed},
    {"ecdsa-02", Outcome::malformed},
    {"ecdsa-03", Outcome::malformed},
    {"ecdsa-04", Outcome::malformed},
    {"ecdsa-sig-01", Outcome::verifies},
    {"ecdsa-sig-02", Outcome::malformed},
    {"ecdsa-sig-03", Outcome::malformed},
    {"ecdsa-sig-04", Outcome::unsupported},
    {"sign-fail-01", Outcome::malformed},
    {"sign-fail-02", Outcome::bad_signature},
    {"sign-fail-03", Outcome::unsupported},
    {"sign-fail-04", Outcome::unsupported},
    {"sign-fail-06", Outcome::bad_signature},
    {"sign-fail-07", Outcome::bad_signature},
    {"sign-pass-01", Outcome::unprotected_algorithm},
    {"sign-pass-02", Outcome::verifies},
    {"sign-pass-03", Outcome::verifies_tagged},
};

Verifier key_11() {
  const auto key = PublicKey::parse(hex(example_key));
  REQUIRE(key);
  auto verifier = Verifier::open(*key);
  REQUIRE(verifier);
  return std::move(*verifier);
}

Result<> parse_and_verify(ByteView message, ByteView external_aad, const Verifier& key) {
  const auto view = cose::parse_sign1(message);
  if (!view) return std::unexpected(view.error());
  return cose::verify_sign1(*view, external_aad, key);
}

/// Some examples have the greater s, which this library rejects. With the smaller s they are the same signature.
void check_signature(const Digest& digest, std::span<const std::byte, 64> signature, const Verifier& key) {
  Signature low;
  std::ranges::copy(signature, low.begin());
  make_low_s(low);
  CHECK(key.verify(digest, low));
  CHECK(key.verify(digest, signature).has_value() == has_low_s(signature));
}

void verify_good(ByteView message, ByteView external_aad, ByteView to_be_signed, const Verifier& key) {
  const auto view = cose::parse_sign1(message);
  REQUIRE(view);
  CHECK(to_hex(test::sig_structure(view->protected_header, external_aad, view->payload)) == to_hex(to_be_signed));
  CHECK(cose::to_be_signed(view->protected_header, external_aad, view->payload) == sha256(to_be_signed));
  check_signature(cose::to_be_signed(view->protected_header, external_aad, view->payload).value(), view->signature,
                  key);
  if (has_low_s(view->signature)) CHECK(cose::verify_sign1(*view, external_aad, key));
}

void verify(Outcome outcome, ByteView message, ByteView external_aad, ByteView to_be_signed) {
  const auto key = key_11();
  switch (outcome) {
    case Outcome::verifies: return verify_good(message, external_aad, to_be_signed, key);
    case Outcome::verifies_tagged: {
      CHECK(parse_and_verify(message, external_aad, key).error().code == Errc::malformed);
      Bytes tagged{sign1_tag};
      tagged.insert(tagged.end(), message.begin(), message.end());
      return verify_good(tagged, external_aad, to_be_signed, key);
    }
    case Outcome::unprotected_algorithm: {
      CHECK(parse_and_verify(message, external_aad, key).error().code == Errc::unsupported);
      const auto view = cose::parse_sign1(message);
      REQUIRE(view);
      CHECK(to_hex(test::sig_structure(view->protected_header, external_aad, view->payload)) == to_hex(to_be_signed));
      const auto digest = cose::to_be_signed(view->protected_header, external_aad, view->payload);
      REQUIRE(digest);
      check_signature(*digest, view->signature, key);
      return;
    }
    case Outcome::unsupported:
      CHECK(parse_and_verify(message, external_aad, key).error().code == Errc::unsupported);
      return;
    case Outcome::malformed:
      CHECK(parse_and_verify(message, external_aad, key).error().code == Errc::malformed);
      return;
    case Outcome::bad_signature:
      CHECK(parse_and_verify(message, external_aad, key).error().code == Errc::bad_signature);
      return;
  }
}

}  // namespace

TEST_CASE("the COSE working group's examples give the expected outcomes") {
  REQUIRE(init());
  std::size_t checked = 0;
  for (const auto& [name, outcome] : outcomes) {
    INFO(name);
    const auto file = vector_file("cose-sign1/" + name + ".json");
    const auto& input = file.at("input");
    const auto external = input.contains("sign0") ? input.at("sign0").value("external", "") : "";
    const auto signed_bytes = file.at("intermediates").value("ToBeSign_hex", "");
    verify(outcome, hex(file.at("output").at("cbor").get<std::string>()), hex(external), hex(signed_bytes));
    ++checked;
  }
  const auto files = std::filesystem::directory_iterator(vector_folder() / "cose-sign1");
  CHECK(checked == static_cast<std::size_t>(std::distance(begin(files), end(files))));
}
