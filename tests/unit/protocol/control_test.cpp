// SPDX-License-Identifier: Apache-2.0
/// Rosters, grants, requests, status, descriptors and authorizations: decoding returns the encoded values and rejects
/// other forms.
#include <catch2/catch_test_macros.hpp>

#include "crypto/cose.hpp"
#include "protocol/pairing.hpp"
#include "protocol/phone_link.hpp"
#include "protocol/roster.hpp"
#include "protocol/status.hpp"
#include "protocol/view_request.hpp"
#include "support/actors.hpp"
#include "support/tampering.hpp"

using namespace sealcam;
using namespace sealcam::protocol;
using test::check_tampering;
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

}  // namespace

TEST_CASE("a decoded roster equals the encoded one, with sorted hubs") {
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

TEST_CASE("a roster is valid for its owner, account and camera only") {
  World w;
  const auto& message = w.roster_message;
  CHECK(decode_roster(message, w.route, w.owner.verifier()));  // control
  CHECK(decode_roster(message, w.route, w.stranger.verifier()).error().code == Errc::wrong_key);
  const Route other_account{w.stranger.account(), w.camera.id()};
  CHECK(decode_roster(message, other_account, w.owner.verifier()).error().code == Errc::bad_signature);
  const Route other_camera{w.owner.account(), w.stranger.id()};
  CHECK(decode_roster(message, other_camera, w.owner.verifier()).error().code == Errc::bad_signature);
}

TEST_CASE("a roster that lists a hub twice is not encoded") {
  World w;
  CHECK(encode_roster(test::roster_of(w.camera, 1, {&w.hub, &w.hub}), w.route, w.owner.keys().identity).error().code ==
        Errc::invalid_argument);
}

TEST_CASE("the hash of a roster covers its content and not its signature") {
  World w;
  const auto again = must(encode_roster(test::roster_of(w.camera, 7, {&w.hub}), w.route, w.owner.keys().identity));
  REQUIRE(again != w.roster_message);
  CHECK(must(roster_hash(again)) == must(roster_hash(w.roster_message)));
  const auto other = must(encode_roster(test::roster_of(w.camera, 7, {}), w.route, w.owner.keys().identity));
  CHECK(must(roster_hash(other)) != must(roster_hash(w.roster_message)));
  CHECK_FALSE(roster_hash(as_bytes("x")));
}

TEST_CASE("a descriptor carries the device's TLS key") {
  World w;
  const auto read =
      must(decode_device_descriptor(must(encode_device_descriptor(Role::camera, w.camera.keys(), w.stranger.hpke()))));
  CHECK(read.tls == w.stranger.hpke());
  CHECK(read.hpke == w.camera.hpke());
}

TEST_CASE("only a hub's descriptor may lack a TLS key") {
  World w;
  const auto message = must(encode_device_descriptor(Role::hub, w.hub.keys(), std::nullopt));
  const auto read = must(decode_device_descriptor(message));
  CHECK_FALSE(read.tls);
  CHECK(read.hpke == w.hub.hpke());
  check_tampering(message, [](ByteView m) { return decode_device_descriptor(m).has_value(); });
  const auto with_role = [&](Role role) {
    crypto::CborWriter writer;
    writer.map(3).integer(1).integer(static_cast<int>(role)).integer(2).bytes(w.hub.identity().bytes());
    writer.integer(3).bytes(w.hub.hpke().bytes());
    return decode_device_descriptor(
        must(sign_message(MessageName::descriptor, {AccountId(), w.hub.id()}, w.hub.keys().identity, writer.view())));
  };
  CHECK(with_role(Role::hub));  // control
  for (const auto role : {Role::camera, Role::owner}) {
    const auto rejected = with_role(role);
    REQUIRE_FALSE(rejected);
    CHECK(rejected.error().code == Errc::malformed);
  }
}

TEST_CASE("a message is not accepted under another name") {
  World w;
  const auto status = must(encode_status({true, {}}, w.route, w.camera.keys().identity));
  CHECK(decode_status(status, w.route, w.camera.verifier()));  // control
  CHECK(decode_view_request(status, w.route, w.camera.verifier()).error().code == Errc::bad_signature);
  CHECK(decode_grants(status, w.route, w.camera.verifier()).error().code == Errc::bad_signature);
}

// One test case per message, because verifying a signature for each bit takes long on an emulated board.
TEST_CASE("each changed bit of a roster is rejected") {
  World w;
  check_tampering(w.roster_message,
                  [&](ByteView m) { return decode_roster(m, w.route, w.owner.verifier()).has_value(); });
}

TEST_CASE("each changed bit of a request is rejected") {
  World w;
  const ViewRequest request{RequestKind::live, Challenge(5), Epoch(6), RequestSeq(7)};
  check_tampering(must(encode_view_request(request, w.route, w.hub.keys().identity)),
                  [&](ByteView m) { return decode_view_request(m, w.route, w.hub.verifier()).has_value(); });
}

TEST_CASE("each changed bit of a status is rejected") {
  World w;
  check_tampering(must(encode_status({true, {}}, w.route, w.camera.keys().identity)),
                  [&](ByteView m) { return decode_status(m, w.route, w.camera.verifier()).has_value(); });
}

TEST_CASE("each changed bit of a descriptor is rejected") {
  World w;
  check_tampering(must(encode_device_descriptor(Role::hub, w.hub.keys(), w.stranger.hpke())),
                  [](ByteView m) { return decode_device_descriptor(m).has_value(); });
}

TEST_CASE("a message with a non-empty unprotected header is rejected") {
  World w;
  const auto message = must(encode_status({true, {}}, w.route, w.camera.keys().identity));
  // The empty map follows the protected header of 25 bytes: d2 84 58 19 <25>.
  const std::ptrdiff_t at = 4 + 25;
  REQUIRE(message[static_cast<std::size_t>(at)] == std::byte{0xa0});
  Bytes changed(message.begin(), message.begin() + at);
  for (int b : {0xa1, 0x05, 0x05}) changed.push_back(static_cast<std::byte>(b));
  changed.insert(changed.end(), message.begin() + at + 1, message.end());
  CHECK(decode_status(changed, w.route, w.camera.verifier()).error().code == Errc::malformed);
}

TEST_CASE("only its hub opens a grant, and only for its account, camera and epoch") {
  World w;
  const auto roster = must(decode_roster(w.roster_message, w.route, w.owner.verifier()));
  const auto hash = must(roster_hash(w.roster_message));
  const auto message =
      must(encode_grants({.roster = roster, .content = content(0x5a), .epoch = Epoch(77), .roster_hash = hash}, w.route,
                         w.camera.keys().identity));
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
  const auto message = must(
      encode_grants({.roster = roster, .content = content(1), .epoch = Epoch(1)}, w.route, w.camera.keys().identity));
  const auto grants = must(decode_grants(message, w.route, w.camera.verifier()));
  CHECK(open_grant(grants, w.route, w.hub.id(), w.hub.keys().hpke).error().code == Errc::not_found);
  CHECK(open_grant(grants, w.route, w.stranger.id(), w.stranger.keys().hpke));  // control
}

TEST_CASE("a decoded request and a decoded status equal the encoded ones") {
  World w;
  const ViewRequest request{RequestKind::still, Challenge(~0ULL), Epoch(1ULL << 63), RequestSeq(3)};
  const auto read = must(decode_view_request(must(encode_view_request(request, w.route, w.hub.keys().identity)),
                                             w.route, w.hub.verifier()));
  CHECK(read.kind == RequestKind::still);
  CHECK(read.challenge == request.challenge);
  CHECK(read.epoch == request.epoch);
  CHECK(read.seq == request.seq);
  CHECK_FALSE((read.nonce || read.prekey || read.receiver || read.cannot_open));
  const ViewRequest none{RequestKind::live, Challenge(), Epoch(1), RequestSeq(1)};
  CHECK_FALSE(
      decode_view_request(must(encode_view_request(none, w.route, w.hub.keys().identity)), w.route, w.hub.verifier()));
  const Status status{true, CaptureTime{std::chrono::microseconds(-5)}};
  const auto back =
      must(decode_status(must(encode_status(status, w.route, w.camera.keys().identity)), w.route, w.camera.verifier()));
  CHECK(back.online);
  CHECK(back.started == status.started);
}

TEST_CASE("an authorization is valid for one device and one TLS key") {
  World w;
  const Authorization authorization{Role::camera, w.camera.id(), w.owner.identity(), w.stranger.hpke()};
  const auto message = must(encode_authorization(authorization, w.owner.keys().identity));
  const auto read = must(decode_authorization(message));
  CHECK(read.device == w.camera.id());
  CHECK(read.owner.account() == w.owner.account());
  CHECK(read.tls == w.stranger.hpke());
  check_tampering(message, [](ByteView m) { return decode_authorization(m).has_value(); });
}

TEST_CASE("the opening of a link is valid for one slot and one owner") {
  World w;
  LinkOpening opening{.owner = w.owner.identity(), .time = CaptureTime{std::chrono::seconds(1'790'000'000)}};
  opening.slot.fill(std::byte{0xa5});
  const auto message = must(encode_link_opening(opening, w.owner.keys().identity));
  const auto read = must(decode_link_opening(message));
  CHECK(read.slot == opening.slot);
  CHECK(read.owner == opening.owner);
  CHECK(read.time == opening.time);
  check_tampering(message, [](ByteView m) { return decode_link_opening(m).has_value(); });

  // The same payload by another signer, and under another message name.
  const auto payload = must(crypto::cose::parse_sign1(message)).payload;
  const Route route{w.owner.account(), DeviceId()};
  const auto sign = [&](MessageName name, const test::Actor& signer) {
    return must(sign_message(name, route, signer.keys().identity, payload));
  };
  CHECK(decode_link_opening(sign(MessageName::link, w.owner)));  // control
  CHECK(decode_link_opening(sign(MessageName::link, w.stranger)).error().code == Errc::wrong_key);
  CHECK(decode_link_opening(sign(MessageName::roster, w.owner)).error().code == Errc::bad_signature);
}

TEST_CASE("a slot has one text") {
  const std::string text(32, 'a');
  CHECK(to_hex(must(parse_link_slot(text))) == text);
  for (const auto& other : {std::string(31, 'a'), std::string(33, 'a'), std::string(34, 'a'), std::string(32, 'A'),
                            std::string(31, 'a') + "g", std::string(31, 'a') + " ", std::string()})
    CHECK(parse_link_slot(other).error().code == Errc::malformed);
}

TEST_CASE("an authorization has a TLS key or the hash of a phone's password, and never both") {
  World w;
  const auto login = must(crypto::PasswordHash::make(as_bytes("password")));
  const auto message = must(encode_authorization(
      {.role = Role::hub, .device = w.hub.id(), .owner = w.owner.identity(), .tls = std::nullopt, .login = login},
      w.owner.keys().identity));
  const auto read = must(decode_authorization(message));
  CHECK(read.login == login);
  CHECK_FALSE(read.tls);
  check_tampering(message, [](ByteView m) { return decode_authorization(m).has_value(); });

  const auto with = [&](Role role, bool tls, bool hash) {
    crypto::CborWriter writer;
    writer.map(std::size_t{3} + tls + hash).integer(1).integer(static_cast<int>(role)).integer(2);
    writer.bytes(w.hub.id().bytes()).integer(3).bytes(w.owner.identity().bytes());
    if (tls) writer.integer(4).bytes(w.hub.hpke().bytes());
    if (hash) writer.integer(5).array(2).bytes(login.salt).bytes(login.hash);
    return decode_authorization(must(sign_message(MessageName::authorization, {w.owner.account(), w.hub.id()},
                                                  w.owner.keys().identity, writer.view())));
  };
  CHECK(with(Role::hub, false, true));  // control
  CHECK(with(Role::camera, true, false));
  CHECK_FALSE(with(Role::hub, true, true));
  CHECK_FALSE(with(Role::hub, false, false));
  CHECK_FALSE(with(Role::camera, false, true));
  CHECK_FALSE(with(Role::owner, false, true));
}
