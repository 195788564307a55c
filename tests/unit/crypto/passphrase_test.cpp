// SPDX-License-Identifier: Apache-2.0
// Sealing of backups. tests/integration/owner/backup_test.cpp checks the formats with other programs.
#include "crypto/passphrase.hpp"

#include <catch2/catch_test_macros.hpp>

#include "base/bytes.hpp"
#include "crypto/keys.hpp"
#include "crypto/psa.hpp"
#include "support/actors.hpp"

namespace sealcam::crypto {
namespace {

using test::must;

Passphrase phrase(std::string_view text) { return must(Passphrase::make(as_bytes(text))); }

Secret<32> scalar() {
  const auto bytes = must(from_hex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"));
  return Secret<32>(std::span<const std::byte, 32>(bytes));
}

// The scalar above (RFC 6979 A.2.5), by openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -iter 2048.
constexpr std::string_view by_openssl = R"(-----BEGIN ENCRYPTED PRIVATE KEY-----
MIH0MF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBCrUhYyv5iiJaXWYKBJ
jBZGAgIIADAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQFr8VogoyLvBuaNKf
6GMGcgSBkL3E56SfhCcyNMPlnmTB77wmfIKuBU7Gg0u5HSVd7pAXdS7y5Uez/QnF
p2+0KVGViaAlCln8+EsZTPQMP6HbNkf57UPjx6pNezd0zemwsxK9066iTWWKMxNg
v1WdWxmUNQ1+kUxUze+NveW9m5LUSMAUt8+I9dv2IQentfosjyF1udoTMX8ftosi
5gIREn9kuw==
-----END ENCRYPTED PRIVATE KEY-----
)";

TEST_CASE("a passphrase has 1 to 256 bytes") {
  CHECK_FALSE(Passphrase::make({}));
  CHECK(Passphrase::make(as_bytes(std::string(256, 'x'))));
  CHECK_FALSE(Passphrase::make(as_bytes(std::string(257, 'x'))));
}

TEST_CASE("the hash of a password is that of PBKDF2-HMAC-SHA512, and each has its own salt") {
  must(init());
  PasswordHash::Salt salt;
  std::ranges::copy(as_bytes("saltsaltsalt"), salt.begin());
  // Python: hashlib.pbkdf2_hmac("sha512", b"password", b"saltsaltsalt", 101)
  CHECK(to_hex(must(PasswordHash::make(as_bytes("password"), salt)).hash) ==
        "1421bb101a3ccc98a4d185f2d861f349064c22044c3b0efcf323b806ef3c91ca"
        "5f14aa4bdba7789106706169d4ae19b940ff00cb8b5171e80f66280273529506");
  const auto one = must(PasswordHash::make(as_bytes("password"))), two = must(PasswordHash::make(as_bytes("password")));
  CHECK(one.salt != two.salt);
  CHECK(one.hash != two.hash);
  CHECK(must(PasswordHash::make(as_bytes("password"), one.salt)) == one);
  CHECK(must(PasswordHash::make(as_bytes("Password"), one.salt)).hash != one.hash);
}

TEST_CASE("only its passphrase opens a sealed key, and two texts of one key differ") {
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
  CHECK_FALSE(write_encrypted_key(Secret<32>(), right));  // zero is not a key
}

TEST_CASE("a key sealed by OpenSSL can be opened") {
  CHECK(
      equal(must(read_encrypted_key(by_openssl, phrase("correct horse battery staple"))).reveal(), scalar().reveal()));
  CHECK(read_encrypted_key(by_openssl, phrase("x")).error().code == Errc::not_decryptable);
}

TEST_CASE("a key with too few or too many iterations, or with another cipher, is rejected") {
  // openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -iter 999, then -iter 10000001, then -v1 PBE-SHA1-3DES
  constexpr std::string_view few = R"(-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAieFYiHL48veAICA+cw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEHLG4a9z/sAaurZAEPrUTOQEgZBO
QrdRxJX+yozHSa+RoPdyDGDW0YtE3K+PW3kWPlKwxdku+b+apwd60HQr/n7RBAW/
NY4nzGb3x2TsaxJCbtNS1cXijK6+rS2jkcAsnMWGSHhpyLgkCa69nyMw+cGFq+Gq
+GqLwLFEEUZhAOKplderrUydaJBqiwUPOF2J+vGDbYdLmGVvDTLj4r4zVVCTXec=
-----END ENCRYPTED PRIVATE KEY-----
)";
  constexpr std::string_view many = R"(-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHuMFkGCSqGSIb3DQEFDTBMMCsGCSqGSIb3DQEFDDAeBAiQPXS3voyn5wIEAJiW
gTAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQc4NlKNo/RX0apWvaoaIEygSB
kHN/RGulttCLod60VjPnv9HjFD1+sBClVnvobkc1FUAd+pwiR/eJct2eDTXM/Tdc
t88iwQvQwOCLCv54NlYdOnxEiJH5PZtwWFgHNG5dEFvbR9Ge9n4vJSUiC5Ind5hG
y7420/5PxCx4WaMDt1Z+lG4TAdPngIN4YiqxRO+WIaM8Thai1d54uXDp0X4DLRbU
Wg==
-----END ENCRYPTED PRIVATE KEY-----
)";
  constexpr std::string_view other = R"(-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGxMBwGCiqGSIb3DQEMAQMwDgQIoqyBB1K5UdcCAggABIGQKLVdGhZi87OY3IFr
A9Zm57v6Rewn4Vqr+ozkO63EcqrHlP180Yfh/MNV8uOGF5xOF67eC8+LcIvLRc49
hkNPj3SA/vwtpjMsy1JzHYoGkXivJ3ujjf0uHCxJpAxfOpFWxqmBN7FwrbkNFWpN
ZFM5amDOe+//r/JwYO/8A8+uDxBfVy1S86+UBQhyCyJGezSO
-----END ENCRYPTED PRIVATE KEY-----
)";
  for (const auto text : {few, many, other})
    CHECK(read_encrypted_key(text, phrase("correct horse battery staple")).error().code == Errc::unsupported);
}

TEST_CASE("a sealed block opens with its secret and label only, and only if it is unchanged") {
  const std::string content(100'000, 'x');
  const auto text = must(write_sealed_pem("TEST", as_bytes(content), scalar()));
  CHECK(as_text(must(read_sealed_pem("TEST", "text before\n" + text + "text after", scalar()))) == content);
  CHECK(text != must(write_sealed_pem("TEST", as_bytes(content), scalar())));
  CHECK(must(read_sealed_pem("TEST", must(write_sealed_pem("TEST", {}, scalar())), scalar())).empty());
  CHECK(read_sealed_pem("TEST", text, Secret<32>()).error().code == Errc::not_decryptable);
  CHECK(read_sealed_pem("OTHER", text, scalar()).error().code == Errc::not_found);
  auto relabeled = text;
  relabeled.replace(relabeled.find("BEGIN TEST"), 10, "BEGIN OTHER");
  relabeled.replace(relabeled.find("END TEST"), 8, "END OTHER");
  CHECK(read_sealed_pem("OTHER", relabeled, scalar()).error().code == Errc::not_decryptable);
  for (const auto at :
       {text.find('\n') + 1, text.find('\n') + 50, text.find('\n', 50'000) + 1}) {  // salt, nonce, ciphertext
    auto changed = text;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    CHECK(read_sealed_pem("TEST", changed, scalar()).error().code == Errc::not_decryptable);
  }
  for (const std::string_view body : {"", "AAAA\n", "?\n"})
    CHECK(read_sealed_pem("TEST", "-----BEGIN TEST-----\n" + std::string(body) + "-----END TEST-----\n", scalar())
              .error()
              .code == Errc::malformed);
  CHECK(read_sealed_pem("TEST", text.substr(0, text.size() / 2), scalar()).error().code == Errc::malformed);
}

}  // namespace
}  // namespace sealcam::crypto
