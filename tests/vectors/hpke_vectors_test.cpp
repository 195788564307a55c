// SPDX-License-Identifier: Apache-2.0
// RFC 9180 appendix A: base mode with DHKEM(P-256, HKDF-SHA256), HKDF-SHA256 and both AES-GCM.
#include <catch2/catch_test_macros.hpp>
#include <iostream>

#include "crypto/hpke_internal.hpp"
#include "support/vectors.hpp"
#include "vectors/tables.hpp"

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

  void verify_schedule(const hpke::Context& context, const hpke::Schedule& schedule) const {
    CHECK(to_hex(schedule.shared_secret.reveal()) == to_hex(shared_secret));
    CHECK(to_hex(schedule.key_schedule_context) == to_hex(key_schedule_context));
    CHECK(to_hex(schedule.secret.reveal()) == to_hex(secret));
    CHECK(to_hex(schedule.exporter_secret.reveal()) == to_hex(exporter_secret));
    CHECK(to_hex(hpke::Access::raw_key(context).first(key.size())) == to_hex(key));
    CHECK(to_hex(hpke::Access::base_nonce(context)) == to_hex(base_nonce));
  }

  void verify() const {
    const auto recipient = import_agreement_key(test::secret<32>(recipient_secret));
    REQUIRE(recipient);
    CHECK(to_hex(recipient->second.bytes()) == to_hex(recipient_public));
    const auto ephemeral = import_agreement_key(test::secret<32>(ephemeral_secret));
    REQUIRE(ephemeral);

    hpke::Schedule sender_schedule, recipient_schedule;
    auto sender = hpke::SenderContext::setup_with(aead, recipient->second, info,
                                                  {ephemeral->first.id(), ephemeral->second}, &sender_schedule);
    REQUIRE(sender);
    CHECK(to_hex(sender->enc()) == to_hex(enc));
    verify_schedule(*sender, sender_schedule);

    hpke::Enc sent;
    std::ranges::copy(enc, sent.begin());
    auto receiver = hpke::RecipientContext::setup(aead, sent, {recipient->first.id(), recipient->second}, info,
                                                  &recipient_schedule);
    REQUIRE(receiver);
    verify_schedule(*receiver, recipient_schedule);
    verify_messages(*sender, *receiver);
  }

  void verify_messages(hpke::SenderContext& sender, hpke::RecipientContext& receiver) const {
    for (const auto& e : encryptions) {
      // The published files pick sequence numbers (0, 1, 2, 4, 10, 32, 255, 256, 257); the nonce tells which.
      std::uint64_t sequence = 0;
      for (std::size_t i = 4; i < 12; ++i)
        sequence = sequence << 8 | std::to_integer<std::uint64_t>(e.nonce[i] ^ base_nonce[i]);
      hpke::Access::set_sequence(sender, sequence);
      hpke::Access::set_sequence(receiver, sequence);
      const auto sealed = sender.seal(e.aad, e.plaintext);
      REQUIRE(sealed);
      CHECK(to_hex(*sealed) == to_hex(e.ciphertext));
      const auto opened = receiver.open(e.aad, e.ciphertext);
      REQUIRE(opened);
      CHECK(to_hex(*opened) == to_hex(e.plaintext));
    }
  }
};

Case from_table(const HpkeVector& v) {
  Case c{static_cast<hpke::Aead>(v.aead),
         hex(v.info),
         hex(v.recipient_secret),
         hex(v.recipient_public),
         hex(v.ephemeral_secret),
         hex(v.enc),
         hex(v.shared_secret),
         hex(v.key_schedule_context),
         hex(v.secret),
         hex(v.key),
         hex(v.base_nonce),
         hex(v.exporter_secret),
         {}};
  for (const auto& e : v.encryptions)
    c.encryptions.push_back({hex(e.aad), hex(e.nonce), hex(e.plaintext), hex(e.ciphertext)});
  return c;
}

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

TEST_CASE("HPKE base mode, from the table") {
  REQUIRE(init());
  for (const auto& v : hpke_vectors) from_table(v).verify();
}

TEST_CASE("HPKE base mode, from the published file") {
  REQUIRE(init());
  const auto file = vector_file("rfc9180-hpke-p256.json");
  if (!file) SKIP("no rfc9180-hpke-p256.json in " << vector_folder());
  int checked = 0, passed_over = 0;
  std::size_t encryptions = 0;
  for (const auto& v : *file) {
    if (v.at("mode").get<int>() != 0) {
      ++passed_over;
      continue;
    }
    const auto c = from_json(v);
    c.verify();
    encryptions += c.encryptions.size();
    ++checked;
  }
  CHECK(checked == 2);
  std::cout << "HPKE: " << checked << " entries with " << encryptions << " encryptions checked, " << passed_over
            << " passed over (mode not implemented)\n";
}
