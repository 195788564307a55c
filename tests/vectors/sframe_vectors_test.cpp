// SPDX-License-Identifier: Apache-2.0
// RFC 9605 appendix C: headers, and the two suites that Sealcam implements, with labels, keys, nonce and AAD.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <iostream>

#include "base/bytes.hpp"
#include "crypto/internal.hpp"
#include "support/vectors.hpp"

using namespace sealcam;
using namespace sealcam::test;
namespace sframe = sealcam::crypto::sframe;

namespace {

void verify_header(const sframe::Header& header, ByteView encoded) {
  Bytes out(sframe::max_header_size);
  REQUIRE(sframe::header_size(header) == encoded.size());
  const auto size = sframe::write_header(header, out);
  CHECK(to_hex(ByteView(out).first(size)) == to_hex(encoded));
  const auto parsed = sframe::parse_header(encoded);
  REQUIRE(parsed);
  CHECK(parsed->header.kid == header.kid);
  CHECK(parsed->header.ctr == header.ctr);
  CHECK(parsed->size == encoded.size());
}

struct Case {
  sframe::CipherSuite suite;
  sframe::Header header;
  Bytes base_key, key_label, salt_label, secret, key, salt, metadata, nonce, aad, plaintext, ciphertext;

  void verify() const {
    verify_derivation();
    verify_messages();
  }

  void verify_derivation() const {
    CHECK(to_hex(sframe::detail::key_label(suite, header.kid)) == to_hex(key_label));
    CHECK(to_hex(sframe::detail::salt_label(suite, header.kid)) == to_hex(salt_label));
    const auto raw = sframe::detail::derive_raw(suite, header.kid, base_key);
    REQUIRE(raw);
    CHECK(to_hex(ByteView(raw->secret.reveal()).first(secret.size())) == to_hex(secret));
    CHECK(to_hex(ByteView(raw->key.reveal()).first(key.size())) == to_hex(key));
    CHECK(key.size() == sframe::key_size(suite));
    CHECK(to_hex(raw->salt.reveal()) == to_hex(salt));
    CHECK(to_hex(sframe::detail::nonce(raw->salt, header.ctr)) == to_hex(nonce));
    Bytes built(sframe::header_size(header));
    sframe::write_header(header, built);
    built.insert(built.end(), metadata.begin(), metadata.end());
    CHECK(to_hex(built) == to_hex(aad));
  }

  void verify_messages() const {
    const auto sealing = sframe::detail::derive_from(suite, header.kid, base_key, true);
    REQUIRE(sealing);
    Bytes out(ciphertext.size());
    const auto sealed = sframe::detail::seal(*sealing, header, out, metadata, plaintext);
    REQUIRE(sealed);
    CHECK(to_hex(*sealed) == to_hex(ciphertext));

    const auto opening = sframe::detail::derive_from(suite, header.kid, base_key, false);
    REQUIRE(opening);
    const auto opened =
        sframe::detail::open(*opening, header.kid, out = Bytes(ciphertext.size()), metadata, ciphertext);
    REQUIRE(opened);
    CHECK(to_hex(*opened) == to_hex(plaintext));
  }
};

Case from_json(const nlohmann::json& v) {
  const auto field = [&](const char* name) { return hex(v.at(name).get<std::string>()); };
  return {static_cast<sframe::CipherSuite>(v.at("cipher_suite").get<int>()),
          {v.at("kid").get<std::uint64_t>(), v.at("ctr").get<std::uint64_t>()},
          field("base_key"),
          field("sframe_key_label"),
          field("sframe_salt_label"),
          field("sframe_secret"),
          field("sframe_key"),
          field("sframe_salt"),
          field("metadata"),
          field("nonce"),
          field("aad"),
          field("pt"),
          field("ct")};
}

}  // namespace

TEST_CASE("the public SFrame types reproduce the vector of suite 4") {
  REQUIRE(crypto::init());
  const auto file = vector_file("rfc9605-sframe.json");
  const auto entry =
      std::ranges::find(file.at("sframe"), 4, [](const nlohmann::json& e) { return e.at("cipher_suite").get<int>(); });
  REQUIRE(entry != file.at("sframe").end());
  const auto v = from_json(*entry);
  sframe::BaseKey base;
  std::ranges::copy(v.base_key, base.fill().begin());
  const sframe::KeyId epoch(v.header.kid);
  auto sealing = sframe::SealingKey::open(v.suite, epoch, base);
  REQUIRE(sealing);
  Bytes out(v.ciphertext.size());
  // A sealing key does not let the caller set the counter.
  while (sealing->next_counter() < sframe::Counter(v.header.ctr))
    if (!sealing->seal(out, {}, {})) FAIL("sealing");
  REQUIRE(sealing->sealed_size(v.plaintext.size()) == v.ciphertext.size());
  const auto sealed = sealing->seal(out, v.metadata, v.plaintext);
  REQUIRE(sealed);
  CHECK(to_hex(*sealed) == to_hex(v.ciphertext));
  const auto opening = sframe::OpeningKey::open(v.suite, epoch, base);
  REQUIRE(opening);
  Bytes plaintext(v.ciphertext.size());
  const auto opened = opening->open(plaintext, v.metadata, v.ciphertext);
  REQUIRE(opened);
  CHECK(to_hex(*opened) == to_hex(v.plaintext));
}

TEST_CASE("the SFrame vectors for headers and for suites 4 and 5 verify") {
  REQUIRE(crypto::init());
  const auto file = vector_file("rfc9605-sframe.json");
  for (const auto& v : file.at("header"))
    verify_header({v.at("kid").get<std::uint64_t>(), v.at("ctr").get<std::uint64_t>()},
                  hex(v.at("encoded").get<std::string>()));
  CHECK(file.at("header").size() == 289);
  int skipped = 0, checked = 0;
  for (const auto& v : file.at("sframe")) {
    if (sframe::key_size(static_cast<sframe::CipherSuite>(v.at("cipher_suite").get<int>())) == 0) {
      ++skipped;
      continue;
    }
    from_json(v).verify();
    ++checked;
  }
  CHECK(checked == 2);
  std::cout << "SFrame: " << checked << " suites checked, " << skipped << " with AES-CTR and HMAC skipped\n";
}
