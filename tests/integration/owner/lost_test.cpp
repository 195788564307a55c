// SPDX-License-Identifier: Apache-2.0
// A broker that lost its retained messages, or that retains none: the owner finds it and publishes them again.
#include <fstream>
#include <iterator>

#include <catch2/generators/catch_generators.hpp>

#include "owner_world.hpp"

namespace sealcam {
namespace {

using test::Json;
using test::OwnerWorld;

/// The broker of an OwnerWorld, which the test stops and starts with other settings.
struct LossyWorld : OwnerWorld {
  LossyWorld() { settle(); }

  void set(const std::string& before, const std::string& after) const {
    const auto path = folder.path() / "B" / "mosquitto.conf";
    std::ifstream in(path);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto at = text.find(before);
    REQUIRE(at != std::string::npos);
    std::ofstream(path) << text.replace(at, before.size(), after);
  }
  void restart() { broker = std::make_unique<test::BrokerProcess>(folder.path() / "B" / "mosquitto.conf", port); }
  /// Restarts the broker without its file, or without persistence.
  void lose_messages(bool persistence) {
    broker.reset();
    if (persistence) REQUIRE(std::filesystem::remove(folder.path() / "B" / "mosquitto.db"));
    else set("persistence true", "persistence false");
    restart();
  }
  /// The retained messages that a device receives from new subscriptions.
  [[nodiscard]] std::size_t retained(const std::string& device, const std::vector<std::string>& topics) const {
    test::TestClient client(folder.path() / device);
    for (const auto& topic : topics) client.subscribe(topic);
    REQUIRE(client.connects());
    return client.receive(std::chrono::seconds(2), topics.size()).size();
  }
  [[nodiscard]] std::string all_output(std::vector<std::string> arguments) const {
    return owner(std::move(arguments)).output;
  }
};

Json finding(const Json& all, const std::string& what) {
  for (const auto& each : all)
    if (each.at("what") == what) return each;
  FAIL("no finding of " << what);
  return {};
}

TEST_CASE("sync publishes what the broker lost, and doctor and watch name this command") {
  LossyWorld w;
  const auto door = Json::array({w.camera.keys.id().to_string()});
  const auto tablet = w.file().hubs.at(1).id;
  const protocol::Route route{w.owner_key().account(), w.camera.keys.id()};
  const std::vector<std::string> topics = {protocol::index_topic(route.account, tablet),
                                           protocol::topic(route, protocol::Leaf::roster)};
  (void)w.json({"camera", "privacy", "Door", "on", "--wait", "0"}, EX_TEMPFAIL);
  REQUIRE(w.camera.receives_command(protocol::CommandSeq(1)));
  w.camera.reports_grants(protocol::CommandSeq(1));
  // Control: nothing is lost.
  const auto before = w.json({"sync", "--timeout", "3"}, 0);
  CHECK(before.at("lost").empty());
  CHECK(before.at("lost_index") == false);
  CHECK(finding(w.json({"doctor"}, EX_CONFIG), "broker").at("well") == true);
  CHECK(w.retained("tablet", topics) == 2);

  w.lose_messages(GENERATE(true, false));
  CHECK(w.retained("tablet", topics) == 0);
  CHECK(w.all_output({"watch", "Door", "--wait", "1", "-o", w.path("a.mp4")}).contains("run 'sealcam sync'"));
  const auto found = finding(w.json({"doctor", "--timeout", "5"}, EX_TEMPFAIL), "broker");
  CHECK(found.at("well") == false);
  CHECK(found.at("message").get<std::string>().contains("'Door'"));
  CHECK(found.at("next_step").get<std::string>().contains("sealcam sync"));
  CHECK(w.retained("tablet", topics) == 0);  // doctor publishes nothing
  const auto again = w.json({"sync", "--timeout", "3"}, 0);
  CHECK(again.at("lost") == door);
  CHECK(again.at("lost_index") == true);
  CHECK(again.at("published") == door);
  CHECK(again.at("pending").empty());
  CHECK(w.retained("tablet", topics) == 2);
  CHECK(w.retained("cam", {protocol::topic(route, protocol::Leaf::command)}) == 1);
  CHECK(finding(w.json({"doctor"}, EX_CONFIG), "broker").at("well") == true);
  CHECK(w.json({"sync", "--timeout", "3"}, 0).at("lost").empty());
}

TEST_CASE("sync finds lost messages itself and reports them") {
  LossyWorld w;
  w.lose_messages(true);
  const auto ran = test::sealcam({"--account", w.path("account"), "sync", "--timeout", "3"});
  INFO(ran.output);
  CHECK(ran.exit_code == 0);
  CHECK(ran.output.contains("the broker had lost the rosters or commands of 'Door'; they are published again"));
  CHECK(ran.output.contains("the broker had lost the lists of cameras"));
}

TEST_CASE("sync finds that the broker has an older roster and command, as after a power failure") {
  LossyWorld w;
  const auto db = w.folder.path() / "B" / "mosquitto.db", copy = w.folder.path() / "old.db";
  w.broker.reset();
  std::filesystem::copy_file(db, copy);
  w.restart();
  (void)w.json({"hub", "deny", "tablet", "Door", "--wait", "0"}, EX_TEMPFAIL);
  const auto version = w.file().cameras[0].version;
  w.broker.reset();
  std::filesystem::copy_file(copy, db, std::filesystem::copy_options::overwrite_existing);
  w.restart();
  CHECK(w.json({"sync", "--timeout", "3"}, EX_TEMPFAIL).at("lost").size() == 1);
  REQUIRE(w.camera.receives_roster(version));
}

TEST_CASE("sync reports that it did not reach the broker") {
  LossyWorld w;
  w.broker.reset();
  const auto ran = test::sealcam({"--account", w.path("account"), "sync", "--timeout", "1"});
  CHECK(ran.exit_code == EX_UNAVAILABLE);
  CHECK(ran.output.contains("the broker was not reached"));
}

TEST_CASE("each command reports that the broker retains no messages, and the next step") {
  LossyWorld w;
  w.broker.reset();
  w.set("retain_available true", "retain_available false");
  w.restart();
  constexpr auto why = "the broker retains no messages", next_step = "retain_available true";
  for (const auto& arguments : {std::vector<std::string>{"sync", "--timeout", "2"},
                                {"doctor", "--timeout", "2"},
                                {"watch", "Door", "--wait", "2", "-o", w.path("a.mp4")},
                                {"camera", "rename", "Door", "Front"}}) {
    const auto output = w.all_output(arguments);
    INFO(arguments[0] << ": " << output);
    CHECK(output.contains(why));
    CHECK(output.contains(next_step));
  }
  w.broker.reset();
  w.set("retain_available false", "retain_available true");
  w.restart();
  CHECK(w.json({"sync", "--timeout", "2"}, EX_TEMPFAIL).at("pending").empty());
}

}  // namespace
}  // namespace sealcam
