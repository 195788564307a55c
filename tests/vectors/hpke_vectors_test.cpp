// SPDX-License-Identifier: Apache-2.0
// RFC 9180 appendix A: base mode with DHKEM(P-256, HKDF-SHA256), HKDF-SHA256 and both AES-GCM.
#include <catch2/catch_test_macros.hpp>
#include <iostream>

#include "base/bytes.hpp"
#include "crypto/internal.hpp"
#include "support/hpke_access.hpp"
#include "support/vectors.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace sealcam::crypto;

namespace {

struct Encryption {
  Bytes aad, nonce, plaintext, ciphertext;
};

struct Case {
  hpke::Aead aead;
  Bytes info, recipient_secret, recipient_public, ephemeral_secret, enc;
  Bytes shared_secret, key_schedule_context, secret, key, base_nonce, exporter_secret;
  std::vector<Encryption> encryptions;

  void verify_schedule(const AgreementKey& own, const PublicKey& peer, const hpke::Enc& sent,
                       const PublicKey& recipient) const {
    const auto shared = hpke::detail::shared_secret(own, peer, sent, recipient);
    REQUIRE(shared);
    CHECK(to_hex(shared->reveal()) == to_hex(shared_secret));
    const auto schedule = hpke::detail::key_schedule(aead, *shared, info);
    REQUIRE(schedule);
    CHECK(to_hex(schedule->context) == to_hex(key_schedule_context));
    CHECK(to_hex(schedule->secret.reveal()) == to_hex(secret));
    Secret<32> exporter;
    REQUIRE(hpke::detail::labeled_expand(hpke::detail::suite_id(aead), schedule->secret.reveal(), "exp",
                                         schedule->context, exporter.fill()));
    CHECK(to_hex(exporter.reveal()) == to_hex(exporter_secret));
    CHECK(to_hex(ByteView(schedule->key.reveal()).first(key.size())) == to_hex(key));
    CHECK(key.size() == hpke::detail::key_size(aead));
    CHECK(to_hex(schedule->base_nonce.reveal()) == to_hex(base_nonce));
  }

  void verify() const {
    const auto recipient = import_agreement_key(test::secret<32>(recipient_secret));
    REQUIRE(recipient);
    CHECK(to_hex(recipient->second.bytes()) == to_hex(recipient_public));
    const auto ephemeral = import_agreement_key(test::secret<32>(ephemeral_secret));
    REQUIRE(ephemeral);
    const AgreementKey recipient_key(recipient->first.id(), recipient->second);
    const AgreementKey ephemeral_key(ephemeral->first.id(), ephemeral->second);
    hpke::Enc sent;
    std::ranges::copy(enc, sent.begin());

    auto sender = hpke::ContextAccess::setup(aead, recipient->second, info, ephemeral_key);
    REQUIRE(sender);
    CHECK(to_hex(sender->enc()) == to_hex(enc));
    CHECK(to_hex(hpke::ContextAccess::base_nonce(*sender)) == to_hex(base_nonce));
    verify_schedule(ephemeral_key, recipient->second, sent, recipient->second);

    auto receiver = hpke::RecipientContext::setup(aead, sent, recipient_key, info);
    REQUIRE(receiver);
    CHECK(to_hex(hpke::ContextAccess::base_nonce(*receiver)) == to_hex(base_nonce));
    verify_schedule(recipient_key, ephemeral->second, sent, recipient->second);
    verify_messages(*sender, *receiver);
  }

  void verify_messages(hpke::SenderContext& sender, hpke::RecipientContext& receiver) const {
    for (const auto& e : encryptions) {
      // The file uses the sequence numbers 0, 1, 2, 4, 10, 32, 255, 256 and 257. The nonce contains the number.
      std::uint64_t sequence = 0;
      for (std::size_t i = 4; i < 12; ++i)
        sequence = sequence << 8 | std::to_integer<std::uint64_t>(e.nonce[i] ^ base_nonce[i]);
      hpke::ContextAccess::set_sequence(sender, sequence);
      hpke::ContextAccess::set_sequence(receiver, sequence);
      const auto sealed = sender.seal(e.aad, e.plaintext);
      REQUIRE(sealed);
      CHECK(to_hex(*sealed) == to_hex(e.ciphertext));
      const auto opened = receiver.open(e.aad, e.ciphertext);
      REQUIRE(opened);
      CHECK(to_hex(*opened) == to_hex(e.plaintext));
    }
  }
};

Case from_json(const nlohmann::json& v) {
  const auto field = [](const nlohmann::json& o, const char* name) { return hex(o.at(name).get<std::string>()); };
  Case c{static_cast<hpke::Aead>(v.at("aead_id").get<int>()),
         field(v, "info"),
         field(v, "skRm"),
         field(v, "pkRm"),
         field(v, "skEm"),
         field(v, "enc"),
         field(v, "shared_secret"),
         field(v, "key_schedule_context"),
         field(v, "secret"),
         field(v, "key"),
         field(v, "base_nonce"),
         field(v, "exporter_secret"),
         {}};
  for (const auto& e : v.at("encryptions"))
    c.encryptions.push_back({field(e, "aad"), field(e, "nonce"), field(e, "pt"), field(e, "ct")});
  return c;
}

}  // namespace

TEST_CASE("the HPKE vectors for base mode verify") {
  REQUIRE(init());
  const auto file = vector_file("rfc9180-hpke-p256.json");
  int checked = 0, skipped = 0;
  std::size_t encryptions = 0;
  for (const auto& v : file) {
    if (v.at("mode").get<int>() != 0) {
      ++skipped;
      continue;
    }
    const auto c = from_json(v);
    c.verify();
    encryptions += c.encryptions.size();
    ++checked;
  }
  CHECK(checked == 2);
  std::cout << "HPKE: " << checked << " entries with " << encryptions << " encryptions checked, " << skipped
            << " of other modes skipped\n";
}
