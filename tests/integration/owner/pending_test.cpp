// SPDX-License-Identifier: Apache-2.0
// A change is shown as unconfirmed until the camera's own signature confirms it.
#include <thread>

#include "device/program.hpp"
#include "owner_world.hpp"

namespace sealcam {
namespace {

using test::Json;
using test::OwnerWorld;

std::vector<std::string> without_wait(std::vector<std::string> arguments) {
  for (const auto* argument : {"--wait", "0"}) arguments.emplace_back(argument);
  return arguments;
}

TEST_CASE("an unlinked hub is shown until the camera's signed grants confirm the roster without it") {
  OwnerWorld w;
  w.settle();
  const auto tablet = w.file().hubs.at(1).id;
  const auto version = w.file().cameras[0].version;
  test::TestClient hub(w.folder.path() / "tablet");
  REQUIRE(hub.connects());
  const auto request = protocol::request_topic({w.owner_key().account(), w.camera.keys.id()}, tablet);
  REQUIRE(hub.publish(request, as_bytes("x")));

  const auto unlinked = w.json(without_wait({"hub", "unlink", "tablet"}), EX_TEMPFAIL);
  CHECK(unlinked.at("waiting").size() == 1);
  CHECK(unlinked.at("done") == false);
  CHECK(hub.disconnects());  // the broker revoked it at once
  CHECK_FALSE(hub.connects(std::chrono::seconds(2)));

  // The hub is still listed, with the consequence.
  const auto hubs = w.json({"hub", "list"}, 0);
  REQUIRE(hubs.size() == 3);
  CHECK(hubs[1].at("unlinked") == true);
  CHECK(hubs[1].at("why_pending").get<std::string>().contains("may still watch"));
  CHECK(w.json({"camera", "list"}, 0)[0].at("pending") == true);

  REQUIRE(w.camera.receives_roster(version.next()));
  CHECK(w.camera.roster()->active(tablet) == nullptr);
  CHECK(w.camera.roster()->hubs.size() == 2);

  // The signature of another device confirms nothing. Neither does another content with the same version.
  const test::Actor stranger;
  w.camera.reports_grants(std::nullopt, &stranger);
  CHECK(w.json({"sync", "--timeout", "2"}, EX_TEMPFAIL).at("waiting").size() == 1);
  w.camera.reports_grants(std::nullopt, nullptr, crypto::Digest{});
  CHECK(w.json({"sync", "--timeout", "2"}, EX_CONFIG).at("contradicted").size() == 1);

  w.camera.reports_grants();
  CHECK(w.json({"sync"}, 0).at("confirmed").size() == 1);
  CHECK(w.json({"hub", "list"}, 0).size() == 2);
  CHECK(w.json({"camera", "list"}, 0)[0].at("pending") == false);
  CHECK(w.file().cameras[0].confirmed == version.next());
}

TEST_CASE("a change waits for the confirmation of the camera") {
  OwnerWorld w;
  w.settle();
  const auto version = w.file().cameras[0].version;
  std::optional<test::Ran> ran;
  std::thread command([&] { ran = w.owner({"integration", "add", "cloud", "--hub", "display", "--wait", "60"}); });
  const bool received = w.camera.receives_roster(version.next());
  if (received) w.camera.reports_grants();
  command.join();
  REQUIRE(received);
  INFO(ran->output);
  CHECK(ran->exit_code == 0);
  CHECK(Json::parse(ran->output).at("confirmed").size() == 1);
}

TEST_CASE("a command contains all items until it is applied, and then leaves out the passphrase") {
  OwnerWorld w;
  w.settle();
  CHECK(w.json(without_wait({"camera", "privacy", "Door", "on"}), EX_TEMPFAIL).at("waiting").size() == 1);
  CHECK(w.json(without_wait({"camera", "settings", "Door", "--size", "1280x720", "--rate", "15"}), EX_TEMPFAIL)
            .at("done") == false);
  REQUIRE(write_file_durably(w.path("passphrase"), as_bytes("a wireless secret\n")));
  (void)w.json(without_wait({"camera", "wifi", "Door", "--ssid", "at home", "--password-file", w.path("passphrase")}),
               EX_TEMPFAIL);
  (void)w.json(without_wait({"camera", "rename", "Door", "Front"}), EX_TEMPFAIL);

  REQUIRE(w.camera.receives_command(protocol::CommandSeq(4)));
  const auto command = w.camera.command();
  CHECK(command->privacy->since == protocol::CommandSeq(1));
  CHECK(command->privacy->value);
  CHECK(command->settings->since == protocol::CommandSeq(2));
  CHECK(command->settings->value.size == protocol::CameraSettings::Size{1280, 720});
  CHECK(command->wifi->since == protocol::CommandSeq(3));
  CHECK(as_text(command->wifi->value.ssid) == "at home");
  CHECK(command->wifi->value.passphrase.reveal() == "a wireless secret");
  CHECK(command->name->value == "Front");
  CHECK_FALSE(command->reset);
  const auto secret = w.folder.path() / "account" / "wifi" / w.camera.keys.id().to_string();
  CHECK(std::filesystem::exists(secret));
  const auto account = read_file(w.folder.path() / "account" / "account.json", 1 << 20);
  CHECK_FALSE(as_text(*account).contains("a wireless secret"));

  // The camera applied the third command, so the fourth is unconfirmed.
  w.camera.reports_grants(protocol::CommandSeq(3));
  CHECK(w.json({"sync", "--timeout", "2"}, EX_TEMPFAIL).at("waiting").size() == 1);
  CHECK_FALSE(std::filesystem::exists(secret));
  w.camera.reports_grants(protocol::CommandSeq(4));
  CHECK(w.json({"sync"}, 0).at("confirmed").size() == 1);
  (void)w.json(without_wait({"camera", "privacy", "Front", "off"}), EX_TEMPFAIL);
  REQUIRE(w.camera.receives_command(protocol::CommandSeq(5)));
  CHECK_FALSE(w.camera.command()->wifi);  // an applied passphrase is not sent again
  CHECK(w.camera.command()->name->since == protocol::CommandSeq(4));
  CHECK_FALSE(w.camera.command()->privacy->value);
}

TEST_CASE("a removed camera stays until it confirms, and a reset one until its deregistration notice") {
  OwnerWorld w;
  w.settle();
  const auto version = w.file().cameras[0].version;
  SECTION("removed") {
    (void)w.json(without_wait({"camera", "remove", "Door"}), EX_TEMPFAIL);
    CHECK(w.json({"camera", "list"}, 0)[0].at("removed") == true);
    REQUIRE(w.camera.receives_roster(version.next()));
    CHECK(w.camera.roster()->hubs.empty());
    w.camera.reports_grants();
    CHECK(w.json({"sync"}, 0).at("gone").size() == 1);
  }
  SECTION("removed without waiting") { (void)w.json(without_wait({"camera", "remove", "Door", "--forget"}), 0); }
  SECTION("reset without waiting") {
    (void)w.json(without_wait({"camera", "reset", "Door", "--yes"}), EX_TEMPFAIL);
    REQUIRE(w.camera.receives_command(protocol::CommandSeq(1)));
    w.camera.reports_offline(false);  // the connection broke, so the camera may not have applied the command
    CHECK(w.json({"sync", "--timeout", "1"}, EX_TEMPFAIL).at("waiting").size() == 1);
    CHECK(w.owner({"camera", "privacy", "Door", "on"}).output.contains("sealcam sync"));
    w.camera.reports_offline(true);
    CHECK(w.json({"sync"}, 0).at("gone").size() == 1);
  }
  SECTION("transferred") {
    CHECK(w.owner({"camera", "reset", "Door"}).exit_code == EX_USAGE);  // without --yes
    std::optional<test::Ran> ran;
    std::thread command([&] { ran = w.owner({"camera", "transfer", "Door", "--wait", "60"}); });
    const bool received = w.camera.receives_command(protocol::CommandSeq(1));
    if (received) w.camera.reports_offline(true);
    command.join();
    REQUIRE(received);
    CHECK(w.camera.command()->reset.has_value());
    INFO(ran->output);
    CHECK(ran->exit_code == 0);
  }
  CHECK(w.json({"camera", "list"}, 0).empty());
}

TEST_CASE("a hub that was offline finds the last roster of a camera that is gone, and the broker has no command") {
  OwnerWorld w;
  w.settle();
  const protocol::Route route{w.owner_key().account(), w.camera.keys.id()};
  const auto at_broker = [&](protocol::Leaf leaf) -> std::optional<Bytes> {
    test::TestClient client(w.folder.path() / "tablet");
    client.subscribe(protocol::topic(route, leaf));
    REQUIRE(client.connects());
    const auto messages = client.receive(std::chrono::seconds(2), 1);
    return messages.empty() ? std::nullopt : std::optional(messages.back().payload);
  };
  const auto roster = [&] {
    return test::must(protocol::decode_roster(at_broker(protocol::Leaf::roster).value(), route,
                                              test::must(crypto::Verifier::open(w.owner_key()))));
  };
  const auto before = roster();
  REQUIRE_FALSE(before.hubs.empty());  // control
  SECTION("reset") {
    (void)w.json(without_wait({"camera", "reset", "Door", "--yes"}), EX_TEMPFAIL);
    REQUIRE(w.camera.receives_command(protocol::CommandSeq(1)));
    w.camera.reports_offline(true);
    CHECK(w.json({"sync"}, 0).at("gone").size() == 1);
  }
  SECTION("confirmed late") {
    (void)w.json(without_wait({"camera", "remove", "Door"}), EX_TEMPFAIL);
    REQUIRE(w.camera.receives_roster(before.version.next()));
    w.camera.reports_grants();
    CHECK(w.json({"sync"}, 0).at("gone").size() == 1);
  }
  SECTION("removed, and revoked at the broker") {
    (void)w.json(without_wait({"camera", "remove", "Door", "--forget"}), 0);
  }
  SECTION("removed while the broker was not reachable") {
    w.broker.reset();
    (void)w.json(without_wait({"camera", "remove", "Door", "--forget"}), EX_TEMPFAIL);
    CHECK(w.file().cameras.size() == 1);
    CHECK(w.json({"sync", "--timeout", "1"}, EX_UNAVAILABLE).at("pending").size() == 1);
    w.broker = std::make_unique<test::BrokerProcess>(w.folder.path() / "B" / "mosquitto.conf", w.port);
    CHECK(w.json({"sync"}, 0).at("gone").size() == 1);
  }
  CHECK(w.file().cameras.empty());
  CHECK(roster().hubs.empty());
  CHECK(roster().version > before.version);
  CHECK_FALSE(at_broker(protocol::Leaf::command));
}

TEST_CASE("a lost Wi-Fi passphrase delays no other change") {
  OwnerWorld w;
  test::ScriptedCamera yard(w.folder.path() / "yard");
  w.must_run({"camera", "enroll", w.path("yard"), "--name", "Yard", "--broker", w.path("B")});
  const auto door = w.camera.keys.id(), tablet = w.file().hubs.at(1).id;
  const auto secret = w.folder.path() / "account" / "wifi" / door.to_string();
  REQUIRE(write_file_durably(w.path("passphrase"), as_bytes("a wireless secret\n")));
  const std::vector<std::string> wifi = {
      "camera", "wifi", "Door", "--ssid", "net", "--password-file", w.path("passphrase")};

  w.broker.reset();
  (void)w.json(without_wait(wifi), EX_TEMPFAIL);
  (void)w.json(without_wait({"camera", "privacy", "Door", "on"}), EX_TEMPFAIL);
  (void)w.json(without_wait({"hub", "unlink", "tablet"}), EX_TEMPFAIL);
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
    CHECK(camera->roster()->active(tablet) == nullptr);  // also for the camera with the lost passphrase
  }
  // It has a new number, because a command with the network may be in flight.
  REQUIRE(w.camera.receives_command(protocol::CommandSeq(3)));
  CHECK(w.camera.command()->privacy->value);
  CHECK_FALSE(w.camera.command()->wifi);

  // The camera applied it, and the lost network is still reported.
  w.camera.reports_grants(protocol::CommandSeq(3));
  yard.reports_grants();
  const auto report = test::sealcam({"--account", w.path("account"), "sync", "--timeout", "5"});
  CHECK(report.exit_code == EX_CONFIG);
  CHECK(report.output.contains("sealcam camera wifi 'Door' --ssid"));
  CHECK_FALSE(report.output.contains("a wir"));
  CHECK(w.json({"hub", "list"}, 0).size() == 2);  // both cameras confirmed, so the tablet was deleted
  const auto listed = w.json({"camera", "list"}, 0);
  CHECK(listed[0].at("pending") == false);
  CHECK(listed[0].at("wifi_fault").get<std::string>().contains("--ssid"));
  CHECK(listed[1].at("wifi_fault") == "");
  CHECK(listed[1].at("support").at("of") == "this program");  // no message has the version of the camera
  CHECK(listed[1].at("support").at("until") == device::support_until());
  CHECK(listed[1].at("support").at("ended") == false);

  (void)w.json(without_wait(wifi), EX_TEMPFAIL);
  REQUIRE(w.camera.receives_command(protocol::CommandSeq(4)));
  REQUIRE(w.camera.command()->wifi);
  CHECK(w.camera.command()->wifi->since == protocol::CommandSeq(4));
  w.camera.reports_grants(protocol::CommandSeq(4));
  CHECK(w.json({"sync"}, 0).at("wifi_left_out").empty());
}

TEST_CASE("a command with a Wi-Fi passphrase at the broker is not replaced by one without") {
  OwnerWorld w;
  w.settle();
  const auto door = Json::array({w.camera.keys.id().to_string()});
  REQUIRE(write_file_durably(w.path("passphrase"), as_bytes("a wireless secret\n")));
  (void)w.json(without_wait({"camera", "wifi", "Door", "--ssid", "at home", "--password-file", w.path("passphrase")}),
               EX_TEMPFAIL);
  REQUIRE(w.camera.receives_command(protocol::CommandSeq(1)));
  std::filesystem::remove(w.folder.path() / "account" / "wifi" / w.camera.keys.id().to_string());
  const auto synced = w.json({"sync", "--timeout", "2"}, EX_TEMPFAIL);
  CHECK(synced.at("wifi_at_broker") == door);
  CHECK(synced.at("wifi_left_out").empty());
  CHECK(w.file().cameras[0].command.newest == protocol::CommandSeq(1));
  SECTION("the camera applies it") {
    w.camera.reports_grants(protocol::CommandSeq(1));
    const auto now = w.json({"sync"}, 0);
    CHECK(now.at("confirmed") == door);
    CHECK(now.at("wifi_at_broker").empty());
  }
  SECTION("the broker may have lost it") {
    CHECK(w.json({"sync", "--all", "--timeout", "2"}, EX_CONFIG).at("wifi_left_out") == door);
    REQUIRE(w.camera.receives_command(protocol::CommandSeq(2)));
    CHECK_FALSE(w.camera.command()->wifi);
  }
}

TEST_CASE("doctor prints the next step for each problem") {
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
  w.camera.reports_grants();
  REQUIRE(write_file_durably(w.path("passphrase"), as_bytes("correct horse battery\n")));
  w.must_run({"account", "backup", w.path("backup.pem"), "--passphrase-file", w.path("passphrase")});
  const auto after = w.json({"doctor"}, 0);
  for (const auto& each : after) CHECK(each.at("well") == true);
  w.broker.reset();
  CHECK(finding(w.json({"doctor", "--timeout", "1"}, EX_UNAVAILABLE), "broker").at("well") == false);
}

}  // namespace
}  // namespace sealcam
