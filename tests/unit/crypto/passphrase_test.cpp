// SPDX-License-Identifier: Apache-2.0
// What a backup is sealed with. That other programs agree is tests/integration/owner/backup_test.cpp.
#include "crypto/passphrase.hpp"

#include <catch2/catch_test_macros.hpp>

#include "crypto/jwe.hpp"
#include "crypto/keys.hpp"
#include "crypto/pkcs8.hpp"
#include "support/actors.hpp"

namespace sealcam::crypto {
namespace {

using test::must;

Passphrase phrase(std::string_view text) { return must(Passphrase::make(as_bytes(text))); }

Secret<32> scalar() {
  const auto bytes = must(from_hex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"));
  return Secret<32>(std::span<const std::byte, 32>(bytes));
}

// openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -iter 2048, of the scalar above (RFC 6979 A.2.5).
constexpr std::string_view by_openssl = R"(-----BEGIN ENCRYPTED PRIVATE KEY-----
MIH0MF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBCrUhYyv5iiJaXWYKBJ
jBZGAgIIADAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQFr8VogoyLvBuaNKf
6GMGcgSBkL3E56SfhCcyNMPlnmTB77wmfIKuBU7Gg0u5HSVd7pAXdS7y5Uez/QnF
p2+0KVGViaAlCln8+EsZTPQMP6HbNkf57UPjx6pNezd0zemwsxK9066iTWWKMxNg
v1WdWxmUNQ1+kUxUze+NveW9m5LUSMAUt8+I9dv2IQentfosjyF1udoTMX8ftosi
5gIREn9kuw==
-----END ENCRYPTED PRIVATE KEY-----
)";

TEST_CASE("PBKDF2 agrees with RFC 7914 section 11") {
  REQUIRE(init());
  std::array<std::byte, 64> out{};
  REQUIRE(pbkdf2(phrase("passwd"), as_bytes("salt"), 1, out));
  CHECK(to_hex(out) ==
        "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
        "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783");
  CHECK(pbkdf2(phrase("passwd"), as_bytes("salt"), 0, out).error().code == Errc::invalid_argument);
  CHECK(pbkdf2(phrase("passwd"), as_bytes("salt"), most_iterations + 1, out).error().code == Errc::invalid_argument);
}

TEST_CASE("a passphrase has 1 to 256 bytes") {
  CHECK_FALSE(Passphrase::make({}));
  CHECK(Passphrase::make(as_bytes(std::string(256, 'x'))));
  CHECK_FALSE(Passphrase::make(as_bytes(std::string(257, 'x'))));
}

TEST_CASE("a sealed key comes back with its passphrase only, and never twice in one form") {
  REQUIRE(init());
  const auto right = phrase("correct horse battery staple");
  const auto text = must(write_encrypted_key(scalar(), right));
  CHECK(equal(must(read_encrypted_key("some words\n" + text + "more words", right)).reveal(), scalar().reveal()));
  CHECK(text != must(write_encrypted_key(scalar(), right)));
  const auto wrong = read_encrypted_key(text, phrase("correct horse battery stapl"));
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().code == Errc::not_decryptable);
  CHECK(read_encrypted_key("nothing", right).error().code == Errc::not_found);
  CHECK(read_encrypted_key(text.substr(0, text.size() / 2), right).error().code == Errc::malformed);
  CHECK_FALSE(write_encrypted_key(Secret<32>(), right));  // zero is no key
}

TEST_CASE("a key that OpenSSL sealed is read") {
  CHECK(
      equal(must(read_encrypted_key(by_openssl, phrase("correct horse battery staple"))).reveal(), scalar().reveal()));
  CHECK(read_encrypted_key(by_openssl, phrase("x")).error().code == Errc::not_decryptable);
}

TEST_CASE("what is sealed with a passphrase opens with it, unchanged only") {
  const auto right = phrase("correct horse battery staple");
  const std::string content = "anything, also \0 bytes";
  const auto line = must(seal_with_passphrase(as_bytes(content), right));
  CHECK_FALSE(line.contains('\n'));
  CHECK(as_text(must(open_with_passphrase(line, right))) == content);
  CHECK(open_with_passphrase(line, phrase("correct horse battery stapl")).error().code == Errc::not_decryptable);
  const auto at = line.rfind('.') - 3;
  auto changed = line;
  changed[at] = changed[at] == 'A' ? 'B' : 'A';
  CHECK_FALSE(open_with_passphrase(changed, right));
  for (const std::string_view text : {"", "a", "a.b.c.d", "a.b.c.d.e", "....", "a.b.c.d.e.f"})
    CHECK(open_with_passphrase(text, right).error().code == Errc::malformed);
  CHECK(open_with_passphrase(line + ".", right).error().code == Errc::malformed);
}

TEST_CASE("nobody is made to compute for hours, or with nothing") {
  const auto right = phrase("correct horse battery staple");
  // {"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2s":"AAAAAAAAAAAAAAAAAAAAAA","p2c":999} and with 10000001
  constexpr std::string_view few =
      "eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJlbmMiOiJBMTI4R0NNIiwicDJzIjoiQUFBQUFBQUFBQUFBQUFBQUFBQUFBQSIs"
      "InAyYyI6OTk5fQ";
  constexpr std::string_view many =
      "eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJlbmMiOiJBMTI4R0NNIiwicDJzIjoiQUFBQUFBQUFBQUFBQUFBQUFBQUFBQSIs"
      "InAyYyI6MTAwMDAwMDF9";
  constexpr std::string_view none =
      "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIiwicDJzIjoiQUFBQUFBQUFBQUFBQUFBQUFBQUFBQSIsInAyYyI6NjAwMDAwfQ";
  const std::string rest = "." + std::string(32, 'A') + "." + std::string(16, 'A') + ".." + std::string(22, 'A');
  CHECK(open_with_passphrase(std::string(few) + rest, right).error().code == Errc::unsupported);
  CHECK(open_with_passphrase(std::string(many) + rest, right).error().code == Errc::unsupported);
  CHECK(open_with_passphrase(std::string(none) + rest, right).error().code == Errc::unsupported);
}

}  // namespace
}  // namespace sealcam::crypto
