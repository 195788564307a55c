// SPDX-License-Identifier: Apache-2.0
/// Rosters, grants, asks, status, cards and admissions: what goes in comes out, and nothing else is taken.
#include <catch2/catch_test_macros.hpp>
#include <functional>

#include "protocol/ask.hpp"
#include "protocol/card.hpp"
#include "protocol/grants.hpp"
#include "protocol/status.hpp"
#include "support/actors.hpp"

using namespace sealcam;
using namespace sealcam::protocol;
using test::must;

namespace {

struct World {
  test::Actor owner, camera, hub, stranger;
  Route route = test::route_of(owner, camera);
  Bytes roster_message = must(encode_roster(test::roster_of(camera, 7, {&hub}), route, owner.keys().identity));
};

GrantContent content(unsigned char fill) {
  GrantContent c;
  for (auto& b : c.base_key.fill().first(16)) b = std::byte{fill};
  c.camera_name = "Front door";
  return c;
}

/// Every single flipped bit and every truncation of `message` must be refused by `decode`.
void check_tamper_proof(const Bytes& message, const std::function<bool(ByteView)>& accepted) {
  REQUIRE(accepted(message));  // control
  for (std::size_t bit = 0; bit < message.size() * 8; ++bit) {
    Bytes changed = message;
    changed[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    if (accepted(changed)) FAIL("bit " << bit << " may be flipped");
  }
  for (std::size_t n = 0; n < message.size(); ++n)
    if (accepted(ByteView(message).first(n))) FAIL("may be cut to " << n);
  Bytes longer = message;
  longer.push_back(std::byte{0});
  CHECK_FALSE(accepted(longer));
}

}  // namespace

TEST_CASE("a roster comes out as it went in, sorted") {
  World w;
  auto roster = test::roster_of(w.camera, 9, {&w.hub, &w.stranger});
  roster.hubs[0].integration = Integration(42);
  roster.suspended = {Integration(43), Integration(42), Integration(43)};
  const auto message = must(encode_roster(roster, w.route, w.owner.keys().identity));
  const auto read = must(decode_roster(message, w.route, w.owner.verifier()));
  CHECK(read.version == RosterVersion(9));
  CHECK(read.camera_identity == w.camera.identity());
  CHECK(read.camera_hpke == w.camera.hpke());
  CHECK(read.issued == roster.issued);
  REQUIRE(read.hubs.size() == 2);
  CHECK(read.hubs[0].identity.id() < read.hubs[1].identity.id());
  CHECK(read.suspended == std::vector{Integration(42), Integration(43)});
  CHECK(read.active(w.hub.id()) == nullptr);  // suspended with its integration
  CHECK(read.active(w.stranger.id()) != nullptr);
  CHECK(read.active(w.camera.id()) == nullptr);
}

TEST_CASE("a roster holds for its owner, its account and its camera alone") {
  World w;
  const auto& message = w.roster_message;
  CHECK(decode_roster(message, w.route, w.owner.verifier()));  // control
  CHECK(decode_roster(message, w.route, w.stranger.verifier()).error().code == Errc::wrong_key);
  const Route other_account{w.stranger.account(), w.camera.id()};
  CHECK(decode_roster(message, other_account, w.owner.verifier()).error().code == Errc::bad_signature);
  const Route other_camera{w.owner.account(), w.stranger.id()};
  CHECK(decode_roster(message, other_camera, w.owner.verifier()).error().code == Errc::bad_signature);
}

TEST_CASE("a roster with a hub twice is neither made nor hidden") {
  World w;
  CHECK(encode_roster(test::roster_of(w.camera, 1, {&w.hub, &w.hub}), w.route, w.owner.keys().identity).error().code ==
        Errc::invalid_argument);
}

TEST_CASE("messages of one name are not taken for another") {
  World w;
  const auto status = must(encode_status({true, {}}, w.route, w.camera.keys().identity));
  CHECK(decode_status(status, w.route, w.camera.verifier()));  // control
  CHECK(decode_ask(status, w.route, w.camera.verifier()).error().code == Errc::bad_signature);
  CHECK(decode_grants(status, w.route, w.camera.verifier()).error().code == Errc::bad_signature);
}

// One case a message: each bit costs a signature's check, which takes long on an emulated board.
TEST_CASE("no bit of a roster can be changed") {
  World w;
  check_tamper_proof(w.roster_message,
                     [&](ByteView m) { return decode_roster(m, w.route, w.owner.verifier()).has_value(); });
}

TEST_CASE("no bit of an ask can be changed") {
  World w;
  const Ask ask{Want::live, Challenge(5), Epoch(6), AskSeq(7)};
  check_tamper_proof(must(encode_ask(ask, w.route, w.hub.keys().identity)),
                     [&](ByteView m) { return decode_ask(m, w.route, w.hub.verifier()).has_value(); });
}

TEST_CASE("no bit of a status can be changed") {
  World w;
  check_tamper_proof(must(encode_status({true, {}}, w.route, w.camera.keys().identity)),
                     [&](ByteView m) { return decode_status(m, w.route, w.camera.verifier()).has_value(); });
}

TEST_CASE("no bit of a card can be changed") {
  World w;
  check_tamper_proof(must(encode_card(Role::hub, w.hub.keys())), [](ByteView m) { return decode_card(m).has_value(); });
}

TEST_CASE("a message with something in its unprotected header is refused") {
  World w;
  const auto message = must(encode_status({true, {}}, w.route, w.camera.keys().identity));
  // The empty map stands behind the protected header of 25 bytes: d2 84 58 19 <25>.
  const std::ptrdiff_t at = 4 + 25;
  REQUIRE(message[static_cast<std::size_t>(at)] == std::byte{0xa0});
  Bytes changed(message.begin(), message.begin() + at);
  for (int b : {0xa1, 0x05, 0x05}) changed.push_back(static_cast<std::byte>(b));
  changed.insert(changed.end(), message.begin() + at + 1, message.end());
  CHECK(decode_status(changed, w.route, w.camera.verifier()).error().code == Errc::malformed);
}

TEST_CASE("a grant opens for its hub, in its account, camera and epoch, and for nobody else") {
  World w;
  const auto roster = must(decode_roster(w.roster_message, w.route, w.owner.verifier()));
  const auto hash = must(crypto::sha256(w.roster_message));
  const auto suite = crypto::sframe::CipherSuite::aes_128_gcm_sha256_128;
  const auto message =
      must(encode_grants(roster, hash, Epoch(77), suite, content(0x5a), {}, w.route, w.camera.keys().identity));
  auto grants = must(decode_grants(message, w.route, w.camera.verifier()));
  CHECK(grants.epoch == Epoch(77));
  CHECK(grants.roster_version == RosterVersion(7));
  CHECK(grants.roster_hash == hash);
  REQUIRE(grants.grants.size() == 1);

  const auto opened = must(open_grant(grants, w.route, w.hub.id(), w.hub.keys().hpke));
  CHECK(equal(opened.base_key.reveal(), content(0x5a).base_key.reveal()));
  CHECK(opened.camera_name == "Front door");

  CHECK(open_grant(grants, w.route, w.stranger.id(), w.stranger.keys().hpke).error().code == Errc::not_found);
  CHECK(open_grant(grants, w.route, w.hub.id(), w.stranger.keys().hpke).error().code == Errc::not_decryptable);
  const Route moved{w.owner.account(), w.stranger.id()};
  CHECK(open_grant(grants, moved, w.hub.id(), w.hub.keys().hpke).error().code == Errc::not_decryptable);
  grants.epoch = Epoch(78);
  CHECK(open_grant(grants, w.route, w.hub.id(), w.hub.keys().hpke).error().code == Errc::not_decryptable);
  grants.epoch = Epoch(77);
  grants.grants[0].hub = w.stranger.id();
  CHECK(open_grant(grants, w.route, w.stranger.id(), w.hub.keys().hpke).error().code == Errc::not_decryptable);
}

TEST_CASE("a suspended hub gets no grant") {
  World w;
  auto roster = test::roster_of(w.camera, 8, {&w.hub, &w.stranger});
  roster.hubs[0].integration = Integration(1);
  roster.suspended = {Integration(1)};
  const auto suite = crypto::sframe::CipherSuite::aes_128_gcm_sha256_128;
  const auto message =
      must(encode_grants(roster, {}, Epoch(1), suite, content(1), {}, w.route, w.camera.keys().identity));
  const auto grants = must(decode_grants(message, w.route, w.camera.verifier()));
  CHECK(open_grant(grants, w.route, w.hub.id(), w.hub.keys().hpke).error().code == Errc::not_found);
  CHECK(open_grant(grants, w.route, w.stranger.id(), w.stranger.keys().hpke));  // control
}

TEST_CASE("an ask and a status come out as they went in") {
  World w;
  const Ask ask{Want::still, Challenge(~0ULL), Epoch(1ULL << 63), AskSeq(3)};
  const auto read = must(decode_ask(must(encode_ask(ask, w.route, w.hub.keys().identity)), w.route, w.hub.verifier()));
  CHECK(read.want == Want::still);
  CHECK(read.challenge == ask.challenge);
  CHECK(read.epoch == ask.epoch);
  CHECK(read.seq == ask.seq);
  const Ask none{Want::live, Challenge(), Epoch(1), AskSeq(1)};
  CHECK_FALSE(decode_ask(must(encode_ask(none, w.route, w.hub.keys().identity)), w.route, w.hub.verifier()));
  const Status status{true, CaptureTime{std::chrono::microseconds(-5)}};
  const auto back =
      must(decode_status(must(encode_status(status, w.route, w.camera.keys().identity)), w.route, w.camera.verifier()));
  CHECK(back.online);
  CHECK(back.started == status.started);
}

TEST_CASE("an admission is the owner's word about one device and one TLS key") {
  World w;
  const Admission admission{Role::camera, w.camera.id(), w.owner.identity(), w.stranger.hpke()};
  const auto message = must(encode_admission(admission, w.owner.keys().identity));
  const auto read = must(decode_admission(message));
  CHECK(read.device == w.camera.id());
  CHECK(read.owner.account() == w.owner.account());
  CHECK(read.tls == w.stranger.hpke());
  check_tamper_proof(message, [](ByteView m) { return decode_admission(m).has_value(); });
}
