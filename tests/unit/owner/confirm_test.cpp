// SPDX-License-Identifier: Apache-2.0
// What counts as a confirmation, and what an account that was restored takes over.
#include "owner/confirm.hpp"

#include <catch2/catch_test_macros.hpp>

#include "crypto/sha256.hpp"
#include "owner/pending.hpp"
#include "owner/wanted.hpp"
#include "protocol/topic.hpp"
#include "sample_account.hpp"

namespace sealcam::owner {
namespace {

using protocol::Leaf;
using test::must;

/// The broker as the owner hears it.
struct Broker {
  test::SampleAccount sample;
  AccountFile& file = sample.file;
  Hearing hearing = must(Hearing::open(file, sample.owner.identity()));

  [[nodiscard]] protocol::Route route(const test::Actor& camera) const { return {sample.owner.account(), camera.id()}; }
  void says(Leaf leaf, const test::Actor& camera, ByteView message, bool retained = true) {
    const auto topic = protocol::topic(route(camera), leaf);
    hearing.hear({.topic = topic, .payload = message, .retained = retained});
  }
  [[nodiscard]] Bytes roster(const test::Actor& camera, std::uint64_t version,
                             std::initializer_list<const test::Actor*> hubs) const {
    return must(
        protocol::encode_roster(test::roster_of(camera, version, hubs), route(camera), sample.owner.keys().identity));
  }
  [[nodiscard]] Bytes grants(const test::Actor& camera, ByteView roster, std::optional<CommandSeq> obeyed = {},
                             const test::Actor* as = nullptr, std::optional<protocol::WifiTrouble> wifi = {}) const {
    const auto owner = sample.owner.verifier();
    return must(protocol::encode_grants(
        must(protocol::decode_roster(roster, route(camera), owner)), must(crypto::sha256(roster)), Epoch(1),
        crypto::sframe::CipherSuite::aes_128_gcm_sha256_128, {crypto::sframe::BaseKey(), "x"}, CaptureTime{},
        route(camera), (as == nullptr ? camera : *as).keys().identity, obeyed, wifi));
  }
};

TEST_CASE("a roster is confirmed by the camera's own grants, with its version and its hash") {
  Broker b;
  auto& door = b.file.cameras[0];
  const auto ours = b.roster(b.sample.door, 3, {&b.sample.tablet});
  const auto other = b.roster(b.sample.door, 3, {&b.sample.display});
  const auto hash = must(crypto::sha256(ours));
  const auto heard = [&](ByteView grants) {
    auto hearing = must(Hearing::open(b.file, b.sample.owner.identity()));
    const auto topic = protocol::topic(b.route(b.sample.door), Leaf::grants);
    hearing.hear({.topic = topic, .payload = grants, .retained = true});
    return hearing.of(b.sample.door.id());
  };
  CHECK_FALSE(note_heard(door, heard(b.grants(b.sample.door, ours, {}, &b.sample.yard)), hash));        // forged
  CHECK_FALSE(note_heard(door, heard(b.grants(b.sample.door, b.roster(b.sample.door, 2, {}))), hash));  // older
  CHECK(door.confirmed == RosterVersion());
  CHECK(pending_sentence(door).contains("may still watch"));
  CHECK(note_heard(door, heard(b.grants(b.sample.door, other)), hash));
  CHECK(door.contradicted);
  CHECK(door.confirmed == RosterVersion());
  CHECK(note_heard(door, heard(b.grants(b.sample.door, ours)), hash));
  CHECK(door.confirmed == RosterVersion(3));
  CHECK_FALSE(door.contradicted);
  CHECK(pending_sentence(door).empty());
  CHECK(note_heard(door, heard(b.grants(b.sample.door, b.roster(b.sample.door, 9, {}))), hash));
  CHECK(pending_sentence(door).contains("sync --learn"));
}

TEST_CASE("why a camera is not in its network is known by its own grants alone, until they say otherwise") {
  Broker b;
  auto& door = b.file.cameras[0];
  const auto roster = b.roster(b.sample.door, 3, {&b.sample.tablet});
  const auto hear = [&](const test::Actor* as, std::optional<protocol::WifiTrouble> wifi) {
    auto hearing = must(Hearing::open(b.file, b.sample.owner.identity()));
    const auto topic = protocol::topic(b.route(b.sample.door), Leaf::grants);
    const auto message = b.grants(b.sample.door, roster, {}, as, wifi);
    hearing.hear({.topic = topic, .payload = message, .retained = true});
    return note_heard(door, hearing.of(b.sample.door.id()), must(crypto::sha256(roster)));
  };
  (void)hear(nullptr, {});
  CHECK_FALSE(hear(&b.sample.yard, protocol::WifiTrouble::refused));  // forged
  CHECK(wifi_sentence(door).empty());
  CHECK(hear(nullptr, protocol::WifiTrouble::refused));
  CHECK(wifi_sentence(door).contains("refused the passphrase"));
  CHECK(parse_account(account_text(b.file), "test")->cameras[0].wifi_trouble == protocol::WifiTrouble::refused);
  CHECK_FALSE(hear(nullptr, protocol::WifiTrouble::refused));
  CHECK(hear(nullptr, {}));
  CHECK(wifi_sentence(door).empty());
  for (int trouble = 1; trouble <= 6; ++trouble) {
    door.wifi_trouble = static_cast<protocol::WifiTrouble>(trouble);
    CHECK(wifi_sentence(door).contains("Wi-Fi"));
  }
}

TEST_CASE("a command waits until its number is named, and a passphrase is dropped with it") {
  Broker b;
  auto& door = b.file.cameras[0];
  door.confirmed = door.version;
  want_privacy(door, true);
  want_wifi(door, Bytes(3));
  want_name(door, "Front");
  CHECK(door.command.newest == CommandSeq(3));
  door.command.published = door.command.newest;
  note_obeyed(door, CommandSeq(2));
  CHECK_FALSE(door.command.wifi);
  CHECK(door.command.privacy);
  CHECK(pending_sentence(door).contains("not obeyed"));
  note_obeyed(door, CommandSeq(99));  // numbers nobody gave are not counted on
  CHECK(door.command.obeyed == CommandSeq(3));
  CHECK(pending_sentence(door).empty());
  want_settings(door, {.bitrate = BitsPerSecond(1), .size = {}, .frames_per_second = {}});
  want_settings(door, {.bitrate = {}, .size = {}, .frames_per_second = 5});
  CHECK(door.command.settings->value.bitrate == BitsPerSecond(1));
  CHECK(door.command.settings->since == CommandSeq(5));
}

TEST_CASE("a network that was left out stays wanted until the camera obeyed a command that carries it") {
  Broker b;
  auto& door = b.file.cameras[0];
  const auto leave_out = [&] {
    want_wifi(door, Bytes(3));
    door.command.newest = door.command.newest.next();
    door.command.wifi_lost = door.command.newest;
  };
  leave_out();
  CHECK(wifi_sentence(door).contains("sealcam camera wifi 'Door'"));
  note_obeyed(door, CommandSeq(2));
  CHECK(door.command.wifi);
  CHECK(wifi_sentence(door).contains("left out"));
  leave_out();
  note_obeyed(door, CommandSeq(3));  // the one that carried it arrived all the same
  CHECK_FALSE(door.command.wifi);
  CHECK(wifi_sentence(door).empty());
  leave_out();
  want_wifi(door, Bytes(3));
  CHECK(wifi_sentence(door).empty());
  note_obeyed(door, door.command.newest);
  CHECK_FALSE(door.command.wifi);
}

TEST_CASE("a restored account learns from newer rosters who may watch, and what it must not give away") {
  Broker b;
  for (auto& camera : b.file.cameras) camera.unlearned = true;
  b.file.cameras[0].command.newest = CommandSeq(2);
  const test::Actor stranger, shed;  // a hub and a camera that came after the backup
  const auto roster = b.roster(b.sample.door, 7, {&stranger});
  b.says(Leaf::roster, b.sample.door, roster);
  const auto new_camera = b.roster(shed, 1, {&b.sample.display});
  b.says(Leaf::grants, shed, b.grants(shed, new_camera));  // before its key is known
  b.says(Leaf::roster, shed, new_camera);

  SECTION("without the camera's own word nothing is learned of it") {
    const auto learned = learn(b.file, b.hearing);
    CHECK(learned == std::vector{shed.id()});
    CHECK(b.file.cameras[0].unlearned);
    CHECK(b.file.cameras[0].version == RosterVersion(3));
  }
  SECTION("with it") {
    b.says(Leaf::grants, b.sample.door, b.grants(b.sample.door, roster, CommandSeq(5)));
    CHECK(learn(b.file, b.hearing).size() == 2);
    const auto& door = b.file.cameras[0];
    CHECK(door.version == RosterVersion(7 + restore_leap));
    CHECK(door.command.newest == CommandSeq(5 + restore_leap));
    CHECK_FALSE(command_waits(door));
    const auto now = roster_of(b.file, door, {});
    CHECK(now.active(b.sample.display.id()) == nullptr);  // the newer roster named it no more
    CHECK(now.active(stranger.id()) != nullptr);
    CHECK(b.file.cameras[1].unlearned);  // the other one was not heard
    const auto shed_now = roster_of(b.file, b.file.cameras.at(2), {});
    CHECK(shed_now.active(b.sample.display.id()) != nullptr);
    CHECK(shed_now.active(stranger.id()) == nullptr);
  }
  SECTION("when the broker hides the newest roster, who is granted nothing gets nothing") {
    b.says(Leaf::grants, b.sample.door, b.grants(b.sample.door, b.roster(b.sample.door, 9, {})));
    (void)learn(b.file, b.hearing);
    CHECK(b.file.cameras[0].version == RosterVersion(9 + restore_leap));
    CHECK(roster_of(b.file, b.file.cameras[0], {}).active(stranger.id()) == nullptr);
    CHECK(roster_of(b.file, b.file.cameras[0], {}).active(b.sample.display.id()) == nullptr);
  }
}

TEST_CASE("a camera that counts beyond all reason does not make the account unreadable") {
  for (const auto& [version, obeyed] :
       {std::pair{highest_number, highest_number}, std::pair{highest_number + 1, std::uint64_t{1}},
        std::pair{std::uint64_t{1} << 63, std::uint64_t{1}}, std::pair{std::uint64_t{1}, highest_number + 1},
        std::pair{std::uint64_t{1}, UINT64_MAX}}) {
    Broker b;
    b.file.cameras[0].unlearned = true;
    const auto roster = b.roster(b.sample.door, version, {});
    b.says(Leaf::grants, b.sample.door, b.grants(b.sample.door, roster, CommandSeq(obeyed)));
    const bool control = version <= highest_number && obeyed <= highest_number;
    CHECK(learn(b.file, b.hearing).size() == (control ? 1U : 0U));
    CHECK(b.file.cameras[0].unlearned != control);
    const auto read = parse_account(account_text(b.file), "test");
    REQUIRE(read);
    CHECK(read->cameras[0].version == b.file.cameras[0].version);
  }
}

TEST_CASE("what is not signed by the owner, or belongs to another account, is not heard") {
  Broker b;
  const auto forged = must(protocol::encode_roster(test::roster_of(b.sample.door, 9, {}), b.route(b.sample.door),
                                                   b.sample.tablet.keys().identity));
  b.says(Leaf::roster, b.sample.door, forged);
  const protocol::Route elsewhere{b.sample.tablet.account(), b.sample.door.id()};
  const auto message = b.roster(b.sample.door, 9, {});
  const auto topic = protocol::topic(elsewhere, Leaf::roster);
  b.hearing.hear({.topic = topic, .payload = message, .retained = true});
  CHECK(b.hearing.all().empty());
  b.says(Leaf::roster, b.sample.door, message);  // the control
  CHECK(b.hearing.of(b.sample.door.id()).roster->version == RosterVersion(9));
}

}  // namespace
}  // namespace sealcam::owner
