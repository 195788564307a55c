// SPDX-License-Identifier: Apache-2.0
// What the owner says stays pending, visibly, until the camera's own signature confirms it.
#include <thread>

#include "owner_world.hpp"

namespace sealcam {
namespace {

using test::Json;
using test::OwnerWorld;

const std::vector<std::string> brief = {"--wait", "0"};
std::vector<std::string> at_once(std::vector<std::string> words) {
  words.insert(words.end(), brief.begin(), brief.end());
  return words;
}

TEST_CASE("unlinking a hub is pending until the camera's signed grants follow the roster without it") {
  OwnerWorld w;
  w.settle();
  const auto tablet = w.file().hubs.at(1).id;
  const auto version = w.file().cameras[0].version;
  test::TestClient hub(w.folder.path() / "tablet");
  REQUIRE(hub.connects());
  const auto ask = protocol::ask_topic({w.owner_key().account(), w.camera.keys.id()}, tablet);
  REQUIRE(hub.publish(ask, as_bytes("x")));

  const auto unlinked = w.json(at_once({"hub", "unlink", "tablet"}), EX_TEMPFAIL);
  CHECK(unlinked.at("waiting").size() == 1);
  CHECK(unlinked.at("done") == false);
  CHECK(hub.publish_becomes(false, ask));  // the broker took its access at once

  // Still shown, with what may still happen.
  const auto hubs = w.json({"hub", "list"}, 0);
  REQUIRE(hubs.size() == 3);
  CHECK(hubs[1].at("unlinked") == true);
  CHECK(hubs[1].at("why_pending").get<std::string>().contains("may still watch"));
  CHECK(w.json({"camera", "list"}, 0)[0].at("pending") == true);

  REQUIRE(w.camera.receives_roster(version.next()));
  CHECK(w.camera.roster()->active(tablet) == nullptr);
  CHECK(w.camera.roster()->hubs.size() == 2);

  // Another device's signature confirms nothing, nor does another content under the same version.
  const test::Actor stranger;
  w.camera.says_grants(std::nullopt, &stranger);
  CHECK(w.json({"sync", "--timeout", "2"}, EX_TEMPFAIL).at("waiting").size() == 1);
  w.camera.says_grants(std::nullopt, nullptr, crypto::Digest{});
  CHECK(w.json({"sync", "--timeout", "2"}, EX_CONFIG).at("contradicted").size() == 1);

  w.camera.says_grants();
  CHECK(w.json({"sync"}, 0).at("confirmed").size() == 1);
  CHECK(w.json({"hub", "list"}, 0).size() == 2);
  CHECK(w.json({"camera", "list"}, 0)[0].at("pending") == false);
  CHECK(w.file().cameras[0].confirmed == version.next());
}

TEST_CASE("sync waits for a camera that answers meanwhile") {
  OwnerWorld w;
  w.settle();
  const auto version = w.file().cameras[0].version;
  std::optional<test::Ran> ran;
  std::thread command([&] { ran = w.owner({"integration", "add", "cloud", "--hub", "display", "--wait", "60"}); });
  const bool received = w.camera.receives_roster(version.next());
  if (received) w.camera.says_grants();
  command.join();
  REQUIRE(received);
  INFO(ran->output);
  CHECK(ran->exit_code == 0);
  CHECK(Json::parse(ran->output).at("confirmed").size() == 1);
}

TEST_CASE("a command carries everything, is published again until it was obeyed, and forgets the passphrase then") {
  OwnerWorld w;
  w.settle();
  CHECK(w.json(at_once({"camera", "privacy", "Door", "on"}), EX_TEMPFAIL).at("waiting").size() == 1);
  CHECK(w.json(at_once({"camera", "settings", "Door", "--size", "1280x720", "--rate", "15"}), EX_TEMPFAIL).at("done") ==
        false);
  REQUIRE(write_file_durably(w.path("word"), as_bytes("a wireless secret\n")));
  (void)w.json(at_once({"camera", "wifi", "Door", "--ssid", "at home", "--password-file", w.path("word")}),
               EX_TEMPFAIL);
  (void)w.json(at_once({"camera", "rename", "Door", "Front"}), EX_TEMPFAIL);

  REQUIRE(w.camera.receives_command(CommandSeq(4)));
  const auto told = w.camera.command();
  CHECK(told->privacy->since == CommandSeq(1));
  CHECK(told->privacy->value);
  CHECK(told->settings->since == CommandSeq(2));
  CHECK(told->settings->value.size == protocol::CameraSettings::Size{1280, 720});
  CHECK(told->wifi->since == CommandSeq(3));
  CHECK(as_text(told->wifi->value.ssid) == "at home");
  CHECK(told->wifi->value.passphrase.reveal() == "a wireless secret");
  CHECK(told->name->value == "Front");
  CHECK_FALSE(told->reset);
  const auto secret = w.folder.path() / "account" / "wifi" / w.camera.keys.id().to_string();
  CHECK(std::filesystem::exists(secret));
  const auto account = read_file(w.folder.path() / "account" / "account.json", 1 << 20);
  CHECK_FALSE(as_text(*account).contains("a wireless secret"));

  // Obeyed up to the third: the fourth is still pending.
  w.camera.says_grants(CommandSeq(3));
  CHECK(w.json({"sync", "--timeout", "2"}, EX_TEMPFAIL).at("waiting").size() == 1);
  CHECK_FALSE(std::filesystem::exists(secret));
  w.camera.says_grants(CommandSeq(4));
  CHECK(w.json({"sync"}, 0).at("confirmed").size() == 1);
  (void)w.json(at_once({"camera", "privacy", "Front", "off"}), EX_TEMPFAIL);
  REQUIRE(w.camera.receives_command(CommandSeq(5)));
  CHECK_FALSE(w.camera.command()->wifi);  // never sent again
  CHECK(w.camera.command()->name->since == CommandSeq(4));
  CHECK_FALSE(w.camera.command()->privacy->value);
}

TEST_CASE("a removed camera stays until it confirmed, a reset one until it said goodbye") {
  OwnerWorld w;
  w.settle();
  const auto version = w.file().cameras[0].version;
  SECTION("removed") {
    (void)w.json(at_once({"camera", "remove", "Door"}), EX_TEMPFAIL);
    CHECK(w.json({"camera", "list"}, 0)[0].at("removed") == true);
    REQUIRE(w.camera.receives_roster(version.next()));
    CHECK(w.camera.roster()->hubs.empty());
    w.camera.says_grants();
    CHECK(w.json({"sync"}, 0).at("gone").size() == 1);
  }
  SECTION("removed without waiting") { (void)w.json(at_once({"camera", "remove", "Door", "--forget"}), 0); }
  SECTION("reset while nobody listens") {
    (void)w.json(at_once({"camera", "reset", "Door", "--yes"}), EX_TEMPFAIL);
    REQUIRE(w.camera.receives_command(CommandSeq(1)));
    w.camera.says_offline(false);  // its connection broke: it has the command, or will get it
    CHECK(w.json({"sync", "--timeout", "1"}, EX_TEMPFAIL).at("waiting").size() == 1);
    CHECK(w.owner({"camera", "privacy", "Door", "on"}).output.contains("sealcam sync"));
    w.camera.says_offline(true);
    CHECK(w.json({"sync"}, 0).at("gone").size() == 1);
  }
  SECTION("transferred") {
    CHECK(w.owner({"camera", "reset", "Door"}).exit_code == EX_USAGE);  // without --yes
    std::optional<test::Ran> ran;
    std::thread command([&] { ran = w.owner({"camera", "transfer", "Door", "--wait", "60"}); });
    const bool received = w.camera.receives_command(CommandSeq(1));
    if (received) w.camera.says_offline(true);
    command.join();
    REQUIRE(received);
    CHECK(w.camera.command()->reset.has_value());
    INFO(ran->output);
    CHECK(ran->exit_code == 0);
  }
  CHECK(w.json({"camera", "list"}, 0).empty());
}

TEST_CASE("a lost Wi-Fi passphrase holds up nothing but that network") {
  OwnerWorld w;
  test::ScriptedCamera yard(w.folder.path() / "yard");
  w.need({"camera", "enroll", w.path("yard"), "--name", "Yard", "--broker", w.path("B")});
  const auto door = w.camera.keys.id(), tablet = w.file().hubs.at(1).id;
  const auto secret = w.folder.path() / "account" / "wifi" / door.to_string();
  REQUIRE(write_file_durably(w.path("word"), as_bytes("a wireless secret\n")));
  const std::vector<std::string> wifi = {"camera", "wifi", "Door", "--ssid", "net", "--password-file", w.path("word")};

  w.broker.reset();
  (void)w.json(at_once(wifi), EX_TEMPFAIL);
  (void)w.json(at_once({"camera", "privacy", "Door", "on"}), EX_TEMPFAIL);
  (void)w.json(at_once({"hub", "unlink", "tablet"}), EX_TEMPFAIL);
  REQUIRE(std::filesystem::exists(secret));
  SECTION("missing") { std::filesystem::remove(secret); }
  SECTION("damaged") { REQUIRE(write_file_durably(secret, as_bytes("a wir\1"))); }
  SECTION("too long") { REQUIRE(write_file_durably(secret, as_bytes(std::string(1000, 'x')))); }
  w.broker = std::make_unique<test::BrokerProcess>(w.folder.path() / "B" / "mosquitto.conf", w.port);

  const auto synced = w.json({"sync", "--timeout", "5"}, EX_CONFIG);
  CHECK(synced.at("wifi_left_out") == Json::array({door.to_string()}));
  CHECK(synced.at("pending").empty());
  CHECK(synced.at("settled") == false);
  REQUIRE((w.camera.connect(w.owner_key()) && yard.connect(w.owner_key())));
  for (auto* camera : {&w.camera, &yard}) {
    const auto& records = w.file().cameras;
    REQUIRE(camera->receives_roster(records.at(camera == &yard ? 1 : 0).version));
    CHECK(camera->roster()->active(tablet) == nullptr);  // the revocation, for the camera concerned as well
  }
  // A number of its own: one with the network may be on its way to the camera.
  REQUIRE(w.camera.receives_command(CommandSeq(3)));
  CHECK(w.camera.command()->privacy->value);
  CHECK_FALSE(w.camera.command()->wifi);

  // Obeyed, and still said: nobody told the camera its network.
  w.camera.says_grants(CommandSeq(3));
  yard.says_grants();
  const auto said = test::sealcam({"--account", w.path("account"), "sync", "--timeout", "5"});
  CHECK(said.exit_code == EX_CONFIG);
  CHECK(said.output.contains("sealcam camera wifi 'Door' --ssid"));
  CHECK_FALSE(said.output.contains("a wir"));
  CHECK(w.json({"hub", "list"}, 0).size() == 2);  // the tablet's record went: both cameras confirmed
  const auto listed = w.json({"camera", "list"}, 0);
  CHECK(listed[0].at("pending") == false);
  CHECK(listed[0].at("wifi_trouble").get<std::string>().contains("--ssid"));
  CHECK(listed[1].at("wifi_trouble") == "");

  (void)w.json(at_once(wifi), EX_TEMPFAIL);
  REQUIRE(w.camera.receives_command(CommandSeq(4)));
  REQUIRE(w.camera.command()->wifi);
  CHECK(w.camera.command()->wifi->since == CommandSeq(4));
  w.camera.says_grants(CommandSeq(4));
  CHECK(w.json({"sync"}, 0).at("wifi_left_out").empty());
}

TEST_CASE("a command that the broker has with its Wi-Fi passphrase is not replaced by one without") {
  OwnerWorld w;
  w.settle();
  const auto door = Json::array({w.camera.keys.id().to_string()});
  REQUIRE(write_file_durably(w.path("word"), as_bytes("a wireless secret\n")));
  (void)w.json(at_once({"camera", "wifi", "Door", "--ssid", "at home", "--password-file", w.path("word")}),
               EX_TEMPFAIL);
  REQUIRE(w.camera.receives_command(CommandSeq(1)));
  std::filesystem::remove(w.folder.path() / "account" / "wifi" / w.camera.keys.id().to_string());
  const auto synced = w.json({"sync", "--timeout", "2"}, EX_TEMPFAIL);
  CHECK(synced.at("wifi_at_broker") == door);
  CHECK(synced.at("wifi_left_out").empty());
  CHECK(w.file().cameras[0].command.newest == CommandSeq(1));
  SECTION("the camera obeys it") {
    w.camera.says_grants(CommandSeq(1));
    const auto now = w.json({"sync"}, 0);
    CHECK(now.at("confirmed") == door);
    CHECK(now.at("wifi_at_broker").empty());
  }
  SECTION("but where the broker may have lost it") {
    CHECK(w.json({"sync", "--all", "--timeout", "2"}, EX_CONFIG).at("wifi_left_out") == door);
    REQUIRE(w.camera.receives_command(CommandSeq(2)));
    CHECK_FALSE(w.camera.command()->wifi);
  }
}

TEST_CASE("doctor names what is not well with the next step") {
  OwnerWorld w;
  const auto finding = [&](const Json& all, const std::string& what) {
    for (const auto& each : all)
      if (each.at("what") == what) return each;
    FAIL("no finding of " << what);
    return Json();
  };
  const auto before = w.json({"doctor", "--timeout", "2"}, EX_TEMPFAIL);
  CHECK(finding(before, "broker").at("well") == true);
  CHECK(finding(before, "clock").at("well") == true);
  CHECK(finding(before, "owner's certificate").at("well") == true);
  CHECK(finding(before, "cameras").at("next_step").get<std::string>().contains("sealcam sync"));
  CHECK(finding(before, "backup").at("next_step").get<std::string>().contains("sealcam account backup"));
  w.camera.says_grants();
  REQUIRE(write_file_durably(w.path("word"), as_bytes("correct horse battery\n")));
  w.need({"account", "backup", w.path("backup.pem"), "--passphrase-file", w.path("word")});
  const auto after = w.json({"doctor"}, 0);
  for (const auto& each : after) CHECK(each.at("well") == true);
  w.broker.reset();
  CHECK(finding(w.json({"doctor", "--timeout", "1"}, EX_UNAVAILABLE), "broker").at("well") == false);
}

}  // namespace
}  // namespace sealcam
