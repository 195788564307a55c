// SPDX-License-Identifier: Apache-2.0
#include "owner/account/account.hpp"

#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "base/bytes.hpp"
#include "base/file.hpp"
#include "owner/account/membership.hpp"
#include "support/actors.hpp"
#include "support/temporary_folder.hpp"

namespace sealcam::owner {
namespace {

CameraRecord camera_record(const test::Actor& actor, std::string name) {
  CameraRecord camera;
  camera.id = actor.id();
  camera.name = std::move(name);
  camera.identity = actor.identity();
  camera.hpke = actor.hpke();
  camera.version = protocol::RosterVersion(3);
  camera.published = protocol::RosterVersion(2);
  return camera;
}
HubRecord hub_record(const test::Actor& actor, std::string name) {
  HubRecord hub;
  hub.id = actor.id();
  hub.name = std::move(name);
  hub.identity = actor.identity();
  hub.hpke = actor.hpke();
  return hub;
}

struct Sample {
  test::Actor owner, door, yard, tablet, display;
  AccountFile file;
  Sample() {
    file.account = owner.account();
    file.cameras = {camera_record(door, "Front door"), camera_record(yard, "Hof")};
    file.hubs = {hub_record(tablet, "tablet"), hub_record(display, "display")};
    file.hubs[0].this_machine = true;
    file.hubs[0].denied = {yard.id()};
    file.hubs[1].integration = protocol::Integration(0xfedcba9876543210);
    file.integrations = {{protocol::Integration(0xfedcba9876543210), "cloud link", false}};
  }
};

TEST_CASE("an account file is private and keeps its content") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "account.json";
  const Sample sample;
  REQUIRE(write_account(path, sample.file));
  struct stat info{};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  const auto read = read_account(path);
  REQUIRE(read);
  CHECK(read->account == sample.file.account);
  REQUIRE(read->cameras.size() == 2);
  CHECK(read->cameras[0].name == "Front door");
  CHECK(read->cameras[0].identity == sample.door.identity());
  CHECK(read->cameras[0].hpke == sample.door.hpke());
  CHECK(read->cameras[0].version == protocol::RosterVersion(3));
  CHECK(read->cameras[0].published == protocol::RosterVersion(2));
  REQUIRE(read->hubs.size() == 2);
  CHECK(read->hubs[0].this_machine);
  CHECK(read->hubs[0].denied == std::vector{sample.yard.id()});
  CHECK_FALSE(read->hubs[1].this_machine);
  CHECK(read->hubs[1].integration == protocol::Integration(0xfedcba9876543210));
  REQUIRE(read->integrations.size() == 1);
  CHECK(read->integrations[0].name == "cloud link");
}

TEST_CASE("an account file keeps unconfirmed changes") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "account.json";
  Sample sample;
  auto& door = sample.file.cameras[0];
  door.confirmed = protocol::RosterVersion(1);
  door.contradicted = door.out_of_sync = door.removed = true;
  door.command.newest = protocol::CommandSeq(9);
  door.command.published = protocol::CommandSeq(8);
  door.command.applied = protocol::CommandSeq(7);
  door.command.name = {protocol::CommandSeq(1), "Front"};
  door.command.privacy = {protocol::CommandSeq(2), false};
  door.command.settings = {protocol::CommandSeq(3),
                           {BitsPerSecond(500'000), protocol::CameraSettings::Size{640, 480}, std::uint32_t{7},
                            PictureAreas{{0, 0, 250, 400}}, std::uint32_t{30}, PictureAreas(8, {1, 2, 3, 4})}};
  door.command.wifi = {protocol::CommandSeq(4), Bytes(2, std::byte{0xff})};
  door.command.reset = protocol::CommandSeq(5);
  door.command.update = {protocol::CommandSeq(5),
                         {.action = protocol::UpdateAction::defer, .until = {std::chrono::seconds(1'790'000'000)}}};
  sample.file.hubs[1].may_switch_privacy = sample.file.hubs[1].unlinked = true;
  sample.file.hubs[1].phone = sample.file.hubs[1].unfinished = true;
  sample.file.backup = {CaptureTime{std::chrono::seconds(77)}, "ab"};
  sample.file.broker_folder = "/b";
  sample.file.index = {protocol::IndexVersion(12), protocol::IndexVersion(11)};
  sample.file.hubs[0].index = {protocol::IndexVersion(6), protocol::IndexVersion()};
  sample.file.resync_pending = true;
  REQUIRE(write_account(path, sample.file));
  const auto read = read_account(path);
  REQUIRE(read);
  CHECK(account_text(*read) == account_text(sample.file));
  CHECK(read->index.published == protocol::IndexVersion(11));
  CHECK(read->hubs[0].index.version == protocol::IndexVersion(6));
  CHECK(read->cameras[0].command.settings->value == door.command.settings->value);
  CHECK(read->cameras[0].command.wifi->value == door.command.wifi->value);
  CHECK(read->cameras[0].command.reset == protocol::CommandSeq(5));
  REQUIRE(read->cameras[0].command.update);
  CHECK(read->cameras[0].command.update->value == door.command.update->value);
  CHECK(read->cameras[0].out_of_sync);
  CHECK(read->hubs[1].unlinked);
  CHECK(read->hubs[1].phone);
  CHECK(read->hubs[1].unfinished);
  CHECK_FALSE(read->hubs[0].phone);
  CHECK(read->backup->made == CaptureTime{std::chrono::seconds(77)});
}

TEST_CASE("decisions about updates are not in account.json, so that older programs can read it") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "account.json", decisions = folder.path() / decisions_file;
  Sample sample;
  auto& door = sample.file.cameras[0];
  door.command.newest = protocol::CommandSeq(8);
  REQUIRE(write_account(path, sample.file));
  CHECK_FALSE(std::filesystem::exists(decisions));
  const auto before = test::must(read_file(path, 1U << 20));
  door.command.update = {protocol::CommandSeq(8), {.action = protocol::UpdateAction::reject, .version = "0.2.0"}};
  REQUIRE(write_account(path, sample.file));
  CHECK(test::must(read_file(path, 1U << 20)) == before);
  CHECK(read_account(path)->cameras[0].command.update->since == protocol::CommandSeq(8));

  // A power cut before account.json was replaced: the decision waits for its command.
  door.command.newest = protocol::CommandSeq(9);
  door.command.update = {protocol::CommandSeq(9), {}};
  REQUIRE(write_decisions(decisions, sample.file));
  auto read = read_account(path);
  REQUIRE(read);
  CHECK(read->cameras[0].command.newest == protocol::CommandSeq(8));
  CHECK(read->cameras[0].command.update->since == protocol::CommandSeq());
  CHECK(read->cameras[0].command.update->value == protocol::UpdateConsent{});

  // A camera leaves the account with its decision.
  sample.file.cameras.clear();
  REQUIRE(write_account(path, sample.file));
  CHECK_FALSE(as_text(test::must(read_file(decisions, 1000))).contains("since"));

  for (const auto* damaged : {"", "{", "{}", R"({"version": 2, "cameras": {}})",
                              R"({"version": 1, "cameras": {"x": {"action": 1, "since": 1}}})",
                              R"({"version": 1, "cameras": {}, "more": 1})"}) {
    REQUIRE(write_file_durably(decisions, as_bytes(std::string_view(damaged))));
    read = read_account(path);
    REQUIRE_FALSE(read);
    CHECK(read.error().message.contains("updates.json"));
    CHECK(read.error().message.contains("delete the file"));
  }
}

TEST_CASE("a file of the first version can be read, and nothing in it is confirmed") {
  const Sample sample;
  const auto& door = sample.door;
  const auto text = R"({"version": 1, "account": ")" + sample.owner.account().to_string() +
                    R"(", "cameras": [{"id": ")" + door.id().to_string() + R"(", "name": "Door", "identity": ")" +
                    to_hex(door.identity().bytes()) + R"(", "hpke": ")" + to_hex(door.hpke().bytes()) +
                    R"(", "roster": 3, "published": 3}], "hubs": [{"id": ")" + sample.tablet.id().to_string() +
                    R"(", "name": "tablet", "identity": ")" + to_hex(sample.tablet.identity().bytes()) +
                    R"(", "hpke": ")" + to_hex(sample.tablet.hpke().bytes()) +
                    R"(", "this_machine": true, "denied": []}], "integrations": []})";
  const auto file = parse_account(text, "old");
  REQUIRE(file);
  CHECK(file->cameras.at(0).published == protocol::RosterVersion(3));
  CHECK(file->cameras[0].confirmed == protocol::RosterVersion());
  CHECK(file->cameras[0].command.newest == protocol::CommandSeq());
  CHECK_FALSE(file->backup);
  CHECK_FALSE(file->out_of_sync());
}

TEST_CASE("a change of devices or names makes a backup old, and a confirmation does not") {
  Sample sample;
  const auto before = content_digest(sample.file);
  sample.file.cameras[0].version = sample.file.cameras[0].confirmed = protocol::RosterVersion(50);
  CHECK(content_digest(sample.file) == before);
  sample.file.cameras[0].name = "Front";
  CHECK(content_digest(sample.file) != before);
  sample.file.cameras[0].name = "Front door";
  CHECK(content_digest(sample.file) == before);
  sample.file.hubs.pop_back();
  CHECK(content_digest(sample.file) != before);
}

TEST_CASE("the error for a damaged account names the place and the next step") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "account.json";
  const Sample sample;
  REQUIRE(write_account(path, sample.file));
  const auto bytes = read_file(path, 1 << 20);
  REQUIRE(bytes);
  const std::string good(as_text(*bytes));
  const auto rejected_at = [&](std::string_view from, std::string_view to, std::string_view place) {
    auto text = good;
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    REQUIRE(write_file_durably(path, as_bytes(text.replace(at, from.size(), to))));
    const auto read = read_account(path);
    REQUIRE_FALSE(read);
    INFO(read.error().message);
    CHECK(read.error().exit_code == EX_CONFIG);
    CHECK(read.error().message.contains(place));
    CHECK(read.error().message.contains("restore"));
  };
  rejected_at("\"version\": 1", "\"version\": 7", "/version");
  rejected_at("\"cameras\"", "\"kameras\"", "/kameras");
  rejected_at("\"roster\": 3", "\"roster\": 1", "/cameras/0/published");
  rejected_at("\"roster\": 3", "\"roster\": -3", "/cameras/0/roster");
  rejected_at("fedcba9876543210", "fedcba98765432", "/integration");
  rejected_at(sample.door.id().to_string(), sample.yard.id().to_string(), "/cameras/0/identity");
  rejected_at("\"this_machine\": true", "\"this_machine\": \"yes\"", "/hubs/0/this_machine");
  REQUIRE(write_file_durably(path, as_bytes(good.substr(0, good.size() / 2))));
  CHECK_FALSE(read_account(path));
  const auto missing = read_account(folder.path() / "nothing.json");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message.contains("account create"));
}

TEST_CASE("a roster contains all hubs that are not denied, and the suspended integrations") {
  Sample sample;
  const auto door = roster_of(sample.file, sample.file.cameras[0], {});
  CHECK(door.version == protocol::RosterVersion(3));
  CHECK(door.active(sample.tablet.id()) != nullptr);
  CHECK(door.active(sample.display.id()) != nullptr);
  const auto yard = roster_of(sample.file, sample.file.cameras[1], {});
  CHECK(yard.active(sample.tablet.id()) == nullptr);
  CHECK(yard.active(sample.display.id()) != nullptr);

  sample.file.integrations[0].suspended = true;
  const auto suspended = roster_of(sample.file, sample.file.cameras[0], {});
  CHECK(suspended.active(sample.display.id()) == nullptr);
  CHECK(suspended.active(sample.tablet.id()) != nullptr);
}

TEST_CASE("rosters with the same members are the same, whatever their version and time") {
  Sample sample;
  const auto before = roster_of(sample.file, sample.file.cameras[0], {});
  sample.file.cameras[0].version = protocol::RosterVersion(9);
  CHECK(same_members(before, roster_of(sample.file, sample.file.cameras[0], CaptureTime{std::chrono::seconds(5)})));
  sample.file.integrations[0].suspended = true;
  CHECK_FALSE(same_members(before, roster_of(sample.file, sample.file.cameras[0], {})));
  sample.file.integrations[0].suspended = false;
  sample.file.hubs.pop_back();
  CHECK_FALSE(same_members(before, roster_of(sample.file, sample.file.cameras[0], {})));
}

TEST_CASE("a camera is found by its name or by the beginning of its id") {
  const Sample sample;
  const auto id = sample.yard.id().to_string();
  CHECK((*find_camera(sample.file, "Hof"))->id == sample.yard.id());
  CHECK((*find_camera(sample.file, id))->id == sample.yard.id());
  CHECK((*find_camera(sample.file, id.substr(0, 20)))->id == sample.yard.id());
  CHECK_FALSE(find_camera(sample.file, ""));
  CHECK_FALSE(find_camera(sample.file, "Garden"));
  auto twice = sample.file;
  twice.cameras.push_back(twice.cameras[1]);
  twice.cameras.back().name = "another";
  CHECK_FALSE(find_camera(twice, id.substr(0, 8)));
}

TEST_CASE("a name does not take the place of an id, and equal names select nothing") {
  Sample sample;
  const auto id = sample.yard.id().to_string();
  sample.file.cameras[0].name = id;  // an account file of an earlier version may contain such a name
  CHECK((*find_camera(sample.file, id))->id == sample.yard.id());
  sample.file.cameras[0].name = id.substr(0, 10);
  const auto both = find_camera(sample.file, id.substr(0, 10));
  REQUIRE_FALSE(both);
  CHECK(both.error().message.contains(id));
  CHECK(both.error().message.contains(sample.door.id().to_string()));
  sample.file.cameras[0].name = "Hof";
  CHECK_FALSE(find_camera(sample.file, "Hof"));
  sample.file.hubs[0].name = sample.file.hubs[1].id.to_string();
  CHECK((*find_hub(sample.file, sample.file.hubs[1].id.to_string()))->id == sample.file.hubs[1].id);
}

TEST_CASE("a name has 1 to 64 bytes without control characters") {
  CHECK(check_name("Haustür"));
  CHECK(check_name(std::string(64, 'x')));
  CHECK_FALSE(check_name(""));
  CHECK_FALSE(check_name(std::string(65, 'x')));
  CHECK_FALSE(check_name("bell\a"));
  CHECK_FALSE(check_name("\xff"));
  CHECK_FALSE(check_name(std::string(32, 'a')));  // an id
  CHECK_FALSE(
      check_name("\xc2\x9b"
                 "2J"));  // U+009B, the one-character form of ESC [
}

}  // namespace
}  // namespace sealcam::owner
