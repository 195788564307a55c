// SPDX-License-Identifier: Apache-2.0
// Confirmations, and the resynchronization of a restored account.
#include "owner/sync/observed_state.hpp"

#include <catch2/catch_test_macros.hpp>

#include "crypto/psa.hpp"
#include "owner/account/membership.hpp"
#include "owner/sync/sync.hpp"
#include "protocol/envelope.hpp"
#include "protocol/roster.hpp"
#include "sample_account.hpp"

namespace sealcam::owner {
namespace {

using protocol::Leaf;
using test::must;

/// The messages at the broker, as the owner receives them.
struct Broker {
  test::SampleAccount sample;
  AccountFile& file = sample.file;
  ObservedState state = must(ObservedState::open(file, sample.owner.identity()));

  [[nodiscard]] protocol::Route route(const test::Actor& camera) const { return {sample.owner.account(), camera.id()}; }
  void receive(Leaf leaf, const test::Actor& camera, ByteView message, bool retained = true) {
    const auto topic = protocol::topic(route(camera), leaf);
    state.observe({.topic = topic, .payload = message, .retained = retained});
  }
  [[nodiscard]] Bytes roster(const test::Actor& camera, std::uint64_t version,
                             std::initializer_list<const test::Actor*> hubs) const {
    return must(
        protocol::encode_roster(test::roster_of(camera, version, hubs), route(camera), sample.owner.keys().identity));
  }
  [[nodiscard]] Bytes grants(const test::Actor& camera, ByteView roster,
                             std::optional<protocol::CommandSeq> applied = {}, const test::Actor* as = nullptr,
                             std::optional<protocol::WifiFault> wifi = {}, bool not_stored = false) const {
    const auto owner = sample.owner.verifier();
    return must(protocol::encode_grants({.roster = must(protocol::decode_roster(roster, route(camera), owner)),
                                         .content = {crypto::sframe::BaseKey(), "x"},
                                         .epoch = protocol::Epoch(1),
                                         .roster_hash = must(protocol::roster_hash(roster)),
                                         .command = applied,
                                         .wifi = wifi,
                                         .not_stored = not_stored},
                                        route(camera), (as == nullptr ? camera : *as).keys().identity));
  }
};

TEST_CASE("a second signature of the owner's roster is not a second copy of the account") {
  Broker b;
  auto& door = b.file.cameras[0];
  const auto ours = b.roster(b.sample.door, 3, {&b.sample.tablet}),
             again = b.roster(b.sample.door, 3, {&b.sample.tablet});
  const auto other = b.roster(b.sample.door, 3, {&b.sample.display});
  REQUIRE(ours != again);
  const auto hash = must(protocol::roster_hash(ours));
  door.version = protocol::RosterVersion(3);
  b.receive(Leaf::grants, b.sample.door, b.grants(b.sample.door, ours));
  b.receive(Leaf::grants, b.sample.door, b.grants(b.sample.door, again));
  CHECK_FALSE(b.state.of(b.sample.door.id()).contradiction);
  (void)note_observed(door, b.state.of(b.sample.door.id()), hash);
  CHECK_FALSE(door.contradicted);
  CHECK(door.confirmed == door.version);
  // Control: another content is another copy.
  b.receive(Leaf::grants, b.sample.door, b.grants(b.sample.door, other));
  (void)note_observed(door, b.state.of(b.sample.door.id()), hash);
  CHECK(door.contradicted);
}

TEST_CASE("the camera's own grants confirm a roster by its version and its hash") {
  Broker b;
  auto& door = b.file.cameras[0];
  const auto ours = b.roster(b.sample.door, 3, {&b.sample.tablet});
  const auto other = b.roster(b.sample.door, 3, {&b.sample.display});
  const auto hash = must(protocol::roster_hash(ours));
  const auto observed = [&](ByteView grants) {
    auto state = must(ObservedState::open(b.file, b.sample.owner.identity()));
    const auto topic = protocol::topic(b.route(b.sample.door), Leaf::grants);
    state.observe({.topic = topic, .payload = grants, .retained = true});
    return state.of(b.sample.door.id());
  };
  CHECK_FALSE(note_observed(door, observed(b.grants(b.sample.door, ours, {}, &b.sample.yard)), hash));        // forged
  CHECK_FALSE(note_observed(door, observed(b.grants(b.sample.door, b.roster(b.sample.door, 2, {}))), hash));  // older
  CHECK(door.confirmed == protocol::RosterVersion());
  CHECK(pending_text(door).contains("may still watch"));
  CHECK(note_observed(door, observed(b.grants(b.sample.door, other)), hash));
  CHECK(door.contradicted);
  CHECK(door.confirmed == protocol::RosterVersion());
  CHECK(note_observed(door, observed(b.grants(b.sample.door, ours)), hash));
  CHECK(door.confirmed == protocol::RosterVersion(3));
  CHECK_FALSE(door.contradicted);
  CHECK(pending_text(door).empty());
  CHECK(note_observed(door, observed(b.grants(b.sample.door, b.roster(b.sample.door, 9, {}))), hash));
  CHECK(pending_text(door).contains("sync --resync"));
}

TEST_CASE("a roster that the camera could not store is not confirmed until its grants are without this mark") {
  Broker b;
  auto& door = b.file.cameras[0];
  door.version = door.published = protocol::RosterVersion(3);
  door.command = {};
  const auto roster = b.roster(b.sample.door, 3, {&b.sample.tablet});
  const auto observe = [&](ByteView message, bool not_stored, const test::Actor* as = nullptr) {
    auto state = must(ObservedState::open(b.file, b.sample.owner.identity()));
    const auto topic = protocol::topic(b.route(b.sample.door), Leaf::grants);
    const auto grants = b.grants(b.sample.door, message, {}, as, {}, not_stored);
    state.observe({.topic = topic, .payload = grants, .retained = true});
    return note_observed(door, state.of(b.sample.door.id()), must(protocol::roster_hash(roster)));
  };
  CHECK_FALSE(observe(roster, true, &b.sample.yard));  // forged
  CHECK(observe(roster, true));
  CHECK(door.confirmed == protocol::RosterVersion());
  CHECK(is_unconfirmed(door));
  CHECK(pending_text(door).contains("after a restart it would follow the old roster"));
  CHECK(parse_account(account_text(b.file), "test")->cameras[0].not_stored);
  SyncReport report;
  report.not_stored = {door.id};
  CHECK_FALSE(report.settled());
  CHECK(report_text(report, b.file).contains("a restart of the camera would bring the old one back"));
  CHECK(observe(b.roster(b.sample.door, 2, {}), true));  // it does not follow the newest roster
  CHECK_FALSE(door.not_stored);
  CHECK(observe(roster, false));
  CHECK(door.confirmed == protocol::RosterVersion(3));
  CHECK_FALSE(is_unconfirmed(door));
  CHECK(observe(roster, true));  // a later command is not stored
  CHECK(is_unconfirmed(door));
}

TEST_CASE("only a camera's own grants set and clear its Wi-Fi fault") {
  Broker b;
  auto& door = b.file.cameras[0];
  const auto roster = b.roster(b.sample.door, 3, {&b.sample.tablet});
  const auto observe = [&](const test::Actor* as, std::optional<protocol::WifiFault> wifi) {
    auto state = must(ObservedState::open(b.file, b.sample.owner.identity()));
    const auto topic = protocol::topic(b.route(b.sample.door), Leaf::grants);
    const auto message = b.grants(b.sample.door, roster, {}, as, wifi);
    state.observe({.topic = topic, .payload = message, .retained = true});
    return note_observed(door, state.of(b.sample.door.id()), must(protocol::roster_hash(roster)));
  };
  (void)observe(nullptr, {});
  CHECK_FALSE(observe(&b.sample.yard, protocol::WifiFault::rejected));  // forged
  CHECK(wifi_text(door).empty());
  CHECK(observe(nullptr, protocol::WifiFault::rejected));
  CHECK(wifi_text(door).contains("rejected the passphrase"));
  CHECK(parse_account(account_text(b.file), "test")->cameras[0].wifi_fault == protocol::WifiFault::rejected);
  CHECK_FALSE(observe(nullptr, protocol::WifiFault::rejected));
  CHECK(observe(nullptr, {}));
  CHECK(wifi_text(door).empty());
  for (int fault = 1; fault <= 6; ++fault) {
    door.wifi_fault = static_cast<protocol::WifiFault>(fault);
    CHECK(wifi_text(door).contains("Wi-Fi"));
  }
}

TEST_CASE("a command is pending until the grants name its number, and its passphrase is then dropped") {
  Broker b;
  auto& door = b.file.cameras[0];
  door.confirmed = door.version;
  desire_privacy(door, true);
  desire_wifi(door, Bytes(3));
  desire_name(door, "Front");
  CHECK(door.command.newest == protocol::CommandSeq(3));
  door.command.published = door.command.newest;
  note_applied(door, protocol::CommandSeq(2));
  CHECK_FALSE(door.command.wifi);
  CHECK(door.command.privacy);
  CHECK(pending_text(door).contains("not applied"));
  note_applied(door, protocol::CommandSeq(99));  // a number that was never used
  CHECK(door.command.applied == protocol::CommandSeq(3));
  CHECK(pending_text(door).empty());
  desire_settings(door, {.bitrate = BitsPerSecond(1), .size = {}, .frames_per_second = {}});
  desire_settings(door, {.bitrate = {}, .size = {}, .frames_per_second = 5});
  CHECK(door.command.settings->value.bitrate == BitsPerSecond(1));
  auto changed = door;
  desire_settings(changed, {.masks = PictureAreas{{1, 2, 3, 4}}, .motion = 7U});
  desire_settings(changed, {.zones = PictureAreas{{5, 6, 7, 8}}});
  CHECK(changed.command.settings->value.masks == PictureAreas{{1, 2, 3, 4}});
  CHECK(changed.command.settings->value.motion == 7U);
  desire_settings(changed, {.masks = PictureAreas()});
  CHECK(changed.command.settings->value.masks->empty());
  CHECK(changed.command.settings->value.zones->size() == 1);
  CHECK(door.command.settings->since == protocol::CommandSeq(5));
}

TEST_CASE("a lost network stays desired until the camera applied a command that contains it") {
  Broker b;
  auto& door = b.file.cameras[0];
  const auto leave_out = [&] {
    desire_wifi(door, Bytes(3));
    door.command.newest = door.command.newest.next();
    door.command.wifi_lost = door.command.newest;
  };
  leave_out();
  CHECK(wifi_text(door).contains("sealcam camera wifi 'Door'"));
  note_applied(door, protocol::CommandSeq(2));
  CHECK(door.command.wifi);
  CHECK(wifi_text(door).contains("left out"));
  leave_out();
  note_applied(door, protocol::CommandSeq(3));  // the command with the network
  CHECK_FALSE(door.command.wifi);
  CHECK(wifi_text(door).empty());
  leave_out();
  desire_wifi(door, Bytes(3));
  CHECK(wifi_text(door).empty());
  note_applied(door, door.command.newest);
  CHECK_FALSE(door.command.wifi);
}

TEST_CASE("a restored account takes over members and versions of newer rosters") {
  Broker b;
  for (auto& camera : b.file.cameras) camera.out_of_sync = true;
  b.file.cameras[0].command.newest = protocol::CommandSeq(2);
  const test::Actor stranger, shed;  // a hub and a camera that are not in the backup
  const auto roster = b.roster(b.sample.door, 7, {&stranger});
  b.receive(Leaf::roster, b.sample.door, roster);
  const auto new_camera = b.roster(shed, 1, {&b.sample.display});
  b.receive(Leaf::grants, shed, b.grants(shed, new_camera));  // before its key is known
  b.receive(Leaf::roster, shed, new_camera);

  SECTION("without its own grants, a camera stays out of sync") {
    const auto synced = resync_account(b.file, b.state);
    CHECK(synced == std::vector{shed.id()});
    CHECK(b.file.cameras[0].out_of_sync);
    CHECK(b.file.cameras[0].version == protocol::RosterVersion(3));
  }
  SECTION("with its own grants, a camera is in sync") {
    b.receive(Leaf::grants, b.sample.door, b.grants(b.sample.door, roster, protocol::CommandSeq(5)));
    CHECK(resync_account(b.file, b.state).size() == 2);
    const auto& door = b.file.cameras[0];
    CHECK(door.version == protocol::RosterVersion(7 + restore_leap));
    CHECK(door.command.newest == protocol::CommandSeq(5 + restore_leap));
    CHECK_FALSE(command_unconfirmed(door));
    const auto now = roster_of(b.file, door, {});
    CHECK(now.active(b.sample.display.id()) == nullptr);  // not on the newer roster
    CHECK(now.active(stranger.id()) != nullptr);
    CHECK(b.file.cameras[1].out_of_sync);  // no grants arrived
    const auto shed_now = roster_of(b.file, b.file.cameras.at(2), {});
    CHECK(shed_now.active(b.sample.display.id()) != nullptr);
    CHECK(shed_now.active(stranger.id()) == nullptr);
  }
  SECTION("a hub without a grant is denied if the broker withholds the newest roster") {
    b.receive(Leaf::grants, b.sample.door, b.grants(b.sample.door, b.roster(b.sample.door, 9, {})));
    (void)resync_account(b.file, b.state);
    CHECK(b.file.cameras[0].version == protocol::RosterVersion(9 + restore_leap));
    CHECK(roster_of(b.file, b.file.cameras[0], {}).active(stranger.id()) == nullptr);
    CHECK(roster_of(b.file, b.file.cameras[0], {}).active(b.sample.display.id()) == nullptr);
  }
}

TEST_CASE("the owner's lists name cameras that are not in the backup, and their versions continue after a restore") {
  Broker b;
  const test::Actor shed, stranger;
  const auto index = [&](const test::Actor& signer, const DeviceId& hub) {
    return must(protocol::encode_index({protocol::IndexVersion(9), {shed.id()}}, b.sample.owner.account(), hub,
                                       signer.keys().identity));
  };
  const auto receive = [&](const DeviceId& hub, ByteView message) {
    const auto topic = protocol::index_topic(b.sample.owner.account(), hub);
    b.state.observe({.topic = topic, .payload = message, .retained = true});
  };
  const auto display = b.sample.display.id();
  receive(display, index(stranger, display));
  receive(display, index(b.sample.owner, stranger.id()));  // of another hub
  receive(display, {});
  CHECK(b.state.listed().empty());
  receive(display, index(b.sample.owner, display));
  CHECK(b.state.listed() == std::set{shed.id()});

  b.file.hubs[1].index = {protocol::IndexVersion(40), protocol::IndexVersion(40)};
  (void)resync_account(b.file, b.state);
  CHECK(b.file.hubs[1].index.version == protocol::IndexVersion(40 + restore_leap));
  CHECK(b.file.hubs[1].index.published == protocol::IndexVersion());
  CHECK(b.file.hubs[0].index.version == protocol::IndexVersion());
}

TEST_CASE("a camera with too large numbers does not make the account unreadable") {
  for (const auto& [version, applied] :
       {std::pair{max_number, max_number}, std::pair{max_number + 1, std::uint64_t{1}},
        std::pair{std::uint64_t{1} << 63, std::uint64_t{1}}, std::pair{std::uint64_t{1}, max_number + 1},
        std::pair{std::uint64_t{1}, UINT64_MAX}}) {
    Broker b;
    b.file.cameras[0].out_of_sync = true;
    const auto roster = b.roster(b.sample.door, version, {});
    b.receive(Leaf::grants, b.sample.door, b.grants(b.sample.door, roster, protocol::CommandSeq(applied)));
    const bool control = version <= max_number && applied <= max_number;
    CHECK(resync_account(b.file, b.state).size() == (control ? 1U : 0U));
    CHECK(b.file.cameras[0].out_of_sync != control);
    const auto read = parse_account(account_text(b.file), "test");
    REQUIRE(read);
    CHECK(read->cameras[0].version == b.file.cameras[0].version);
  }
}

TEST_CASE("a message of another signer or another account is ignored") {
  Broker b;
  const auto forged = must(protocol::encode_roster(test::roster_of(b.sample.door, 9, {}), b.route(b.sample.door),
                                                   b.sample.tablet.keys().identity));
  b.receive(Leaf::roster, b.sample.door, forged);
  const protocol::Route other_account{b.sample.tablet.account(), b.sample.door.id()};
  const auto message = b.roster(b.sample.door, 9, {});
  const auto topic = protocol::topic(other_account, Leaf::roster);
  b.state.observe({.topic = topic, .payload = message, .retained = true});
  CHECK(b.state.all().empty());
  b.receive(Leaf::roster, b.sample.door, message);  // control
  CHECK(b.state.of(b.sample.door.id()).roster->version == protocol::RosterVersion(9));
}

}  // namespace
}  // namespace sealcam::owner
