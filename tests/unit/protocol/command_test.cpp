// SPDX-License-Identifier: Apache-2.0
/// Commands, and optional fields of other messages: decoding returns the encoded values and rejects other forms.
#include <catch2/catch_test_macros.hpp>

#include "base/bytes.hpp"
#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "protocol/command.hpp"
#include "protocol/roster.hpp"
#include "protocol/status.hpp"
#include "protocol/view_request.hpp"
#include "support/actors.hpp"
#include "support/tampering.hpp"

using namespace sealcam;
using namespace sealcam::protocol;
using test::must;

namespace {

struct World {
  test::Actor owner, camera, hub, stranger;
  Route route = test::route_of(owner, camera);

  [[nodiscard]] Result<Bytes> encode(const Command& command) const {
    return encode_command(command, route, camera.hpke(), owner.keys().identity);
  }
  [[nodiscard]] Result<Command> decode(ByteView message) const {
    return decode_command(message, route, owner.verifier(), camera.keys().hpke);
  }
  /// Seals any content as a command of the owner.
  [[nodiscard]] Result<Command> decode_items(std::uint64_t seq, ByteView items) const {
    const auto sealed = must(crypto::hpke::seal(camera.hpke(), command_info(route, CommandSeq(seq)), items));
    crypto::CborWriter writer;
    writer.map(3).integer(1).unsigned_integer(seq).integer(2).bytes(sealed.enc).integer(3).bytes(sealed.ciphertext);
    return decode(must(sign_message(MessageName::command, route, owner.keys().identity, writer.view())));
  }
};

Command everything() {
  Command command;
  command.seq = CommandSeq(9);
  command.name = {CommandSeq(2), "Haustür"};
  command.privacy = {CommandSeq(9), true};
  command.settings = {CommandSeq(5),
                      {BitsPerSecond(1'500'000), CameraSettings::Size{1280, 720}, 25U,
                       PictureAreas(max_picture_areas, {990, 995, 10, 5}), 30U, PictureAreas{{0, 0, 1000, 1000}}}};
  command.wifi = {CommandSeq(7), {.ssid = must(from_hex("00ff41")), .passphrase = must(Passphrase::parse("12345678"))}};
  command.reset = {CommandSeq(8), {}};
  command.update = {CommandSeq(6), {.action = UpdateAction::start, .version = "0.2.0"}};
  return command;
}

Bytes payload_of(ByteView message) {
  const auto payload = must(crypto::cose::parse_sign1(message)).payload;
  return {payload.begin(), payload.end()};
}

}  // namespace

TEST_CASE("a decoded command equals the encoded one") {
  World w;
  const auto message = must(w.encode(everything()));
  CHECK(must(command_seq(message, w.route, w.owner.verifier())) == CommandSeq(9));
  const auto read = must(w.decode(message));
  CHECK(read.seq == CommandSeq(9));
  REQUIRE(read.name);
  CHECK(read.name->since == CommandSeq(2));
  CHECK(read.name->value == "Haustür");
  REQUIRE(read.privacy);
  CHECK(read.privacy->since == CommandSeq(9));
  CHECK(read.privacy->value);
  REQUIRE(read.settings);
  CHECK(read.settings->since == CommandSeq(5));
  CHECK(read.settings->value == everything().settings->value);
  REQUIRE(read.wifi);
  CHECK(read.wifi->since == CommandSeq(7));
  CHECK(to_hex(read.wifi->value.ssid) == "00ff41");
  CHECK(read.wifi->value.passphrase.reveal() == "12345678");
  REQUIRE(read.reset);
  CHECK(read.reset->since == CommandSeq(8));
  REQUIRE(read.update);
  CHECK(read.update->since == CommandSeq(6));
  CHECK(read.update->value == everything().update->value);
}

TEST_CASE("a command without items and settings without values are valid") {
  World w;
  Command command;
  command.seq = CommandSeq(1);
  const auto none = must(w.decode(must(w.encode(command))));
  CHECK_FALSE((none.name || none.privacy || none.settings || none.wifi || none.reset));
  command.settings = {CommandSeq(1), {}};
  const auto read = must(w.decode(must(w.encode(command))));
  REQUIRE(read.settings);
  CHECK(read.settings->value == CameraSettings{});
}

TEST_CASE("lists without areas are encoded as absent") {
  World w;
  Command command;
  command.seq = CommandSeq(1);
  command.settings = {CommandSeq(1), {.bitrate = {}, .size = {}, .frames_per_second = {}, .masks = PictureAreas()}};
  CHECK_FALSE(must(w.decode(must(w.encode(command)))).settings->value.masks);
  command.settings->value.masks = PictureAreas{{1, 2, 3, 4}};  // control
  CHECK(must(w.decode(must(w.encode(command)))).settings->value.masks == command.settings->value.masks);
}

TEST_CASE("areas outside of the picture, too many of them and a sensitivity above 100 are not encoded") {
  World w;
  Command command;
  command.seq = CommandSeq(1);
  const auto encoded = [&](const CameraSettings& settings) {
    command.settings = {CommandSeq(1), settings};
    return w.encode(command).has_value();
  };
  const PictureArea whole{0, 0, 1000, 1000};
  CameraSettings settings;
  settings.masks = PictureAreas(max_picture_areas, whole);
  settings.zones = settings.masks;
  settings.motion = CameraSettings::max_motion;
  CHECK(encoded(settings));  // control
  settings.masks = PictureAreas(max_picture_areas + 1, whole);
  CHECK_FALSE(encoded(settings));
  for (const PictureArea& bad : {PictureArea{1, 0, 1000, 1000}, PictureArea{0, 0, 0, 1}, PictureArea{0, 999, 1, 2}}) {
    settings.masks = PictureAreas{bad};
    CHECK_FALSE(encoded(settings));
  }
  settings.masks.reset();
  settings.motion = 101;
  CHECK_FALSE(encoded(settings));
}

TEST_CASE("a command is valid for its owner, account and camera only, and only the camera opens it") {
  World w;
  const auto message = must(w.encode(everything()));
  CHECK(w.decode(message));  // control
  CHECK(decode_command(message, w.route, w.stranger.verifier(), w.camera.keys().hpke).error().code == Errc::wrong_key);
  const Route moved{w.owner.account(), w.stranger.id()};
  CHECK(decode_command(message, moved, w.owner.verifier(), w.camera.keys().hpke).error().code == Errc::bad_signature);
  CHECK(decode_command(message, w.route, w.owner.verifier(), w.hub.keys().hpke).error().code == Errc::not_decryptable);
}

TEST_CASE("a sealed body is valid with its number only") {
  World w;
  crypto::CborWriter items;
  items.map(0);
  CHECK(w.decode_items(7, items.view()));  // control
  const auto sealed = must(crypto::hpke::seal(w.camera.hpke(), command_info(w.route, CommandSeq(7)), items.view()));
  crypto::CborWriter writer;
  writer.map(3).integer(1).integer(8).integer(2).bytes(sealed.enc).integer(3).bytes(sealed.ciphertext);
  const auto message = must(sign_message(MessageName::command, w.route, w.owner.keys().identity, writer.view()));
  CHECK(w.decode(message).error().code == Errc::not_decryptable);
}

TEST_CASE("each changed bit and each truncation of a command is rejected") {
  World w;
  test::check_tampering(must(w.encode(everything())), [&](ByteView m) { return w.decode(m).has_value(); });
}

TEST_CASE("a command in another form is rejected") {
  World w;
  const auto rejected = [&](std::uint64_t seq, const auto& write) {
    crypto::CborWriter items;
    write(items);
    const auto command = w.decode_items(seq, items.view());
    return !command && command.error().code == Errc::malformed;
  };
  using Writer = crypto::CborWriter&;
  CHECK_FALSE(rejected(4, [](Writer i) { i.map(1).integer(2).array(2).integer(4).boolean(true); }));  // control
  CHECK(rejected(0, [](Writer i) { i.map(0); }));
  CHECK(
      rejected(4, [](Writer i) { i.map(1).integer(2).array(2).integer(5).boolean(true); }));  // newer than the command
  CHECK(rejected(4, [](Writer i) { i.map(1).integer(2).array(2).integer(0).boolean(true); }));
  CHECK(rejected(4, [](Writer i) { i.map(1).integer(5).array(2).integer(4).boolean(false); }));
  CHECK(rejected(4, [](Writer i) { i.map(1).integer(6).array(2).integer(4).boolean(true); }));
  CHECK(rejected(4, [](Writer i) { i.map(1).integer(1).array(2).integer(4).text(std::string(65, 'x')); }));
  CHECK(rejected(4, [](Writer i) { i.map(1).integer(1).array(2).integer(4).text(""); }));
  CHECK(rejected(4, [](Writer i) { i.map(1).integer(3).array(2).integer(4).map(1).integer(1).integer(0); }));
  CHECK(rejected(4, [](Writer i) { i.map(1).integer(3).array(2).integer(4).map(1).integer(2).integer(640); }));
  CHECK(rejected(4, [](Writer i) {
    i.map(2).integer(2).array(2).integer(4).boolean(true).integer(2).array(2).integer(4).boolean(true);
  }));
  for (const char* passphrase : {"1234567", "12345678\n", "Schlüssel"})
    CHECK(rejected(4, [&](Writer i) {
      i.map(1).integer(4).array(2).integer(4).map(2).integer(1).bytes(as_bytes("net")).integer(2).text(passphrase);
    }));
  CHECK(rejected(4, [](Writer i) { i.map(0).integer(1); }));
}

TEST_CASE("a command that cameras reject is not encoded") {
  World w;
  auto command = everything();
  command.name->value = std::string(65, 'x');
  CHECK(w.encode(command).error().code == Errc::invalid_argument);
  command = everything();
  command.reset->since = CommandSeq(10);
  CHECK(w.encode(command).error().code == Errc::invalid_argument);
  command = everything();
  command.seq = CommandSeq();
  CHECK(w.encode(command).error().code == Errc::invalid_argument);
}

TEST_CASE("grants carry the number of the applied command, or no such field") {
  World w;
  const auto roster = test::roster_of(w.camera, 1, {&w.hub});
  const auto encode = [&](std::optional<CommandSeq> command) {
    return encode_grants({.roster = roster, .content = {}, .epoch = Epoch(1), .command = command}, w.route,
                         w.camera.keys().identity);
  };
  const auto without = must(encode(std::nullopt));
  CHECK(payload_of(without)[0] == std::byte{0xa6});
  CHECK_FALSE(must(decode_grants(without, w.route, w.camera.verifier())).command);
  const auto with = must(encode(CommandSeq(77)));
  CHECK(must(decode_grants(with, w.route, w.camera.verifier())).command == CommandSeq(77));
  CHECK(encode(CommandSeq()).error().code == Errc::invalid_argument);
}

TEST_CASE("grants carry the Wi-Fi fault, with or without a command") {
  World w;
  const auto roster = test::roster_of(w.camera, 1, {&w.hub});
  const auto encode = [&](std::optional<CommandSeq> command, std::optional<WifiFault> wifi) {
    return must(encode_grants({.roster = roster, .content = {}, .epoch = Epoch(1), .command = command, .wifi = wifi},
                              w.route, w.camera.keys().identity));
  };
  for (const auto command : {std::optional<CommandSeq>(), std::optional(CommandSeq(7))})
    for (int fault = 0; fault <= 6; ++fault) {
      const auto wifi = fault == 0 ? std::nullopt : std::optional(static_cast<WifiFault>(fault));
      const auto read = must(decode_grants(encode(command, wifi), w.route, w.camera.verifier()));
      CHECK(read.command == command);
      CHECK(read.wifi == wifi);
    }
  // The fields after the six mandatory ones.
  const auto before = payload_of(encode({}, {}));
  const auto decode = [&](std::byte head, const char* more) {
    auto payload = before;
    payload[0] = head;
    const auto tail = must(from_hex(more));
    payload.insert(payload.end(), tail.begin(), tail.end());
    return decode_grants(must(sign_message(MessageName::grants, w.route, w.camera.keys().identity, payload)), w.route,
                         w.camera.verifier());
  };
  CHECK(must(decode(std::byte{0xa8}, "07090801")).wifi == WifiFault::cannot);
  CHECK(must(decode(std::byte{0xa7}, "0807")).wifi == WifiFault::other);  // of a newer camera
  CHECK(must(decode(std::byte{0xa7}, "0818ff")).wifi == WifiFault::other);
  CHECK_FALSE(decode(std::byte{0xa7}, "0800"));
  CHECK_FALSE(decode(std::byte{0xa7}, "08190100"));
  CHECK(must(decode(std::byte{0xa7}, "09f5")).not_stored);
  CHECK(must(decode(std::byte{0xa9}, "0709080109f5")).not_stored);
  CHECK_FALSE(must(decode(std::byte{0xa7}, "0709")).not_stored);
  CHECK_FALSE(decode(std::byte{0xa7}, "09f4"));
  CHECK_FALSE(decode(std::byte{0xa7}, "0901"));
  CHECK_FALSE(decode(std::byte{0xa8}, "09f50801"));
  CHECK_FALSE(decode(std::byte{0xa7}, "0af5"));
  CHECK_FALSE(decode(std::byte{0xa8}, "08010709"));
  CHECK_FALSE(decode(std::byte{0xa8}, "08010801"));
  CHECK_FALSE(decode(std::byte{0xa7}, "07090801"));
}

TEST_CASE("a status carries the closed sensor in one encoding") {
  World w;
  const auto& key = w.camera.keys().identity;
  const auto open = must(encode_status({.online = true, .started = {}}, w.route, key));
  CHECK(to_hex(payload_of(open)) == "a201f50200");
  CHECK_FALSE(must(decode_status(open, w.route, w.camera.verifier())).privacy);
  const auto closed = must(encode_status({.online = true, .started = {}, .privacy = true}, w.route, key));
  CHECK(to_hex(payload_of(closed)) == "a301f5020003f5");
  CHECK(must(decode_status(closed, w.route, w.camera.verifier())).privacy);
  for (const char* other : {"a301f5020003f4", "a301f5020004f5", "a401f5020003f504f5", "a301f4020004f4",
                            "a301f4020005f5", "a201f4020004f5"}) {
    const auto message = must(sign_message(MessageName::status, w.route, key, must(from_hex(other))));
    CHECK(decode_status(message, w.route, w.camera.verifier()).error().code == Errc::malformed);
  }
}

TEST_CASE("a status carries the fault of a camera that is online") {
  World w;
  const auto& key = w.camera.keys().identity;
  const auto faulty =
      must(encode_status({.online = true, .started = {}, .fault = CameraFault::pictures}, w.route, key));
  CHECK(to_hex(payload_of(faulty)) == "a301f502000502");
  CHECK(must(decode_status(faulty, w.route, w.camera.verifier())).fault == CameraFault::pictures);
  CHECK(encode_status({.online = false, .started = {}, .fault = CameraFault::sensor}, w.route, key).error().code ==
        Errc::invalid_argument);
  const auto read = [&](const char* payload) {
    const auto message = must(sign_message(MessageName::status, w.route, key, must(from_hex(payload))));
    return decode_status(message, w.route, w.camera.verifier());
  };
  CHECK(must(read("a401f5020003f50501")).privacy);
  CHECK(must(read("a301f5020005187f")).fault == CameraFault::other);  // of a newer camera
  for (const char* other : {"a301f502000500", "a301f5020005190100", "a301f402000501", "a301f5020005f5",
                            "a401f502000501"
                            "03f5",
                            "a301f502000601"})
    CHECK(read(other).error().code == Errc::malformed);
}

TEST_CASE("the deregistration notice of a reset camera differs from any other offline status") {
  World w;
  const auto& key = w.camera.keys().identity;
  const auto offline = must(encode_status({.online = false, .started = {}}, w.route, key));
  CHECK_FALSE(must(decode_status(offline, w.route, w.camera.verifier())).reset);
  const auto notice = must(encode_status({.online = false, .started = {}, .reset = true}, w.route, key));
  CHECK(to_hex(payload_of(notice)) == "a301f4020004f5");
  CHECK(must(decode_status(notice, w.route, w.camera.verifier())).reset);
  CHECK_FALSE(must(decode_status(notice, w.route, w.camera.verifier())).privacy);
  CHECK(encode_status({.online = true, .started = {}, .reset = true}, w.route, key).error().code ==
        Errc::invalid_argument);
}

TEST_CASE("a roster carries the permission to switch privacy") {
  World w;
  auto roster = test::roster_of(w.camera, 1, {&w.hub, &w.stranger});
  for (const bool labeled : {false, true}) {
    roster.hubs[0].may_switch_privacy = true;
    if (labeled) roster.hubs[0].integration = Integration(5);
    const auto message = must(encode_roster(roster, w.route, w.owner.keys().identity));
    const auto read = must(decode_roster(message, w.route, w.owner.verifier()));
    REQUIRE(read.active(w.hub.id()) != nullptr);
    CHECK(read.active(w.hub.id())->may_switch_privacy);
    CHECK(read.active(w.hub.id())->integration.has_value() == labeled);
    CHECK_FALSE(read.active(w.stranger.id())->may_switch_privacy);
  }
}

TEST_CASE("a hub of a roster has only the four known fields, each once") {
  World w;
  const auto decode = [&](std::size_t pairs, const auto& write) {
    crypto::CborWriter writer;
    writer.map(6).integer(1).integer(1).integer(2).bytes(w.camera.identity().bytes());
    writer.integer(3).bytes(w.camera.hpke().bytes()).integer(4).array(1).map(pairs);
    write(writer.integer(1).bytes(w.hub.identity().bytes()).integer(2).bytes(w.hub.hpke().bytes()));
    writer.integer(5).array(0).integer(6).integer(0);
    const auto message = must(sign_message(MessageName::roster, w.route, w.owner.keys().identity, writer.view()));
    return decode_roster(message, w.route, w.owner.verifier());
  };
  using Writer = crypto::CborWriter&;
  CHECK(decode(2, [](Writer) {}));
  CHECK(decode(3, [](Writer hub) { hub.integer(4).boolean(true); }));
  CHECK(decode(3, [](Writer hub) { hub.integer(3).bytes(Bytes(8)); }));
  CHECK_FALSE(decode(3, [](Writer hub) { hub.integer(4).boolean(false); }));
  CHECK_FALSE(decode(3, [](Writer hub) { hub.integer(5).boolean(true); }));
  CHECK_FALSE(decode(4, [](Writer hub) { hub.integer(4).boolean(true).integer(3).bytes(Bytes(8)); }));
  CHECK_FALSE(decode(4, [](Writer hub) { hub.integer(4).boolean(true).integer(4).boolean(true); }));
}

TEST_CASE("a view request can close or open the sensor") {
  World w;
  for (const auto kind : {RequestKind::privacy_on, RequestKind::privacy_off}) {
    ViewRequest request{kind, Challenge(1), Epoch(2), RequestSeq(3)};
    if (kind == RequestKind::privacy_off) request.nonce = Nonce(4);
    const auto message = must(encode_view_request(request, w.route, w.hub.keys().identity));
    CHECK(must(decode_view_request(message, w.route, w.hub.verifier())).kind == kind);
  }
  for (const int other : {0, 9}) {
    const ViewRequest request{static_cast<RequestKind>(other), Challenge(1), Epoch(2), RequestSeq(3)};
    CHECK_FALSE(decode_view_request(must(encode_view_request(request, w.route, w.hub.keys().identity)), w.route,
                                    w.hub.verifier()));
  }
}

TEST_CASE("a copy of Wi-Fi settings is complete and independent of the original") {
  Wifi copy{.ssid = {}, .passphrase = must(Passphrase::parse("something else"))};
  {
    const Wifi wifi{.ssid = must(from_hex("00ff41")), .passphrase = must(Passphrase::parse(std::string(63, '~')))};
    copy = wifi.duplicate();
    CHECK(wifi.passphrase.reveal() == std::string(63, '~'));
  }
  CHECK(to_hex(copy.ssid) == "00ff41");
  CHECK(copy.passphrase.reveal() == std::string(63, '~'));
}
