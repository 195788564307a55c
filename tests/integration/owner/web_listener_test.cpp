// SPDX-License-Identifier: Apache-2.0
// The set-up of the listener for phones, and the renewal of its certificate.
#include <catch2/catch_test_macros.hpp>

#include "base/format.hpp"
#include "phone_world.hpp"

namespace sealcam {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using World = test::PhoneWorld;
using test::Account;
using test::sealcam;
using test::TestClient;
using test::text;
using Json = nlohmann::json;

TEST_CASE("a listener is added to an existing broker, and a new certificate needs no restart") {
  World w;
  const auto before = text(w.broker / "mosquitto.conf");
  REQUIRE(write_file_durably(w.broker / "mosquitto.conf", as_bytes(before + "# mine\n")));
  w.start();
  const auto added = w.add_listener();
  INFO(added.output);
  REQUIRE(added.exit_code == 0);
  const auto change = Json::parse(added.output);
  CHECK(change.at("address") == sealcam::format("wss://127.0.0.1:{}", w.web_port));
  CHECK(change.at("restart") == true);
  CHECK_FALSE(test::accepts(w.web_port));
  CHECK(text(w.broker / "mosquitto.conf").starts_with(before + "# mine\n"));
  w.process.reset();
  w.start_both();
  Account a;
  w.authorize(a);
  const auto& phone = a.phone;
  TestClient hub(w.connection(a.hub));
  CHECK(hub.connects());
  CHECK(World::connect(w.options(phone)).at("connack") == 0);

  const test::TestOperator renewed("a newer authority");
  w.write_certificate(renewed, "new");
  auto options = w.options(phone);
  options["authority"] = w.path("new.ca");
  CHECK(World::connect(options).at("connack").is_null());  // control: still the old certificate
  const auto configuration = text(w.broker / "mosquitto.conf");
  const auto second = Json::parse(w.add_listener("new", "new").output);
  CHECK(second.at("restart") == false);
  CHECK(second.at("running") == true);
  CHECK(text(w.broker / "mosquitto.conf") == configuration);
  bool reads = false;  // Mosquitto reads the certificate a moment after the signal
  for (int i = 0; i < 50 && !reads; ++i) reads = World::connect(options).at("connack") == 0;
  CHECK(reads);
  CHECK_FALSE(hub.disconnects(200ms));
}

TEST_CASE("a listener for phones with wrong files or a wrong port is rejected, and nothing changes") {
  World w;
  const auto configuration = text(w.broker / "mosquitto.conf"), settings = text(w.broker / "broker.json");
  w.write_certificate(w.web, "other");
  w.write_certificate(w.web, "far", "elsewhere.example");
  const auto rejected = [&](const test::Ran& ran, int code, const char* why) {
    INFO(ran.output);
    CHECK(ran.exit_code == code);
    CHECK(ran.output.contains(why));
    CHECK(text(w.broker / "mosquitto.conf") == configuration);
    CHECK(text(w.broker / "broker.json") == settings);
    CHECK_FALSE(fs::exists(w.broker / "web.key"));
  };
  rejected(w.add_listener("web", "other"), EX_CONFIG, "is not the key of the certificate");
  rejected(w.add_listener("far", "far"), EX_CONFIG, "is not for '127.0.0.1'");
  w.web_port = w.port;
  rejected(w.add_listener(), EX_USAGE, "choose another port");
  const auto init = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"broker", "init", w.path("new"), "--web-certificate", w.path("web.pem")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto ran = sealcam(arguments);
    if (ran.exit_code != 0) CHECK_FALSE(fs::exists(w.path("new")));
    return ran;
  };
  CHECK(init({}).output.contains("needs --web-certificate and --web-key"));
  CHECK(init({"--web-key", w.path("other.key")}).exit_code == EX_CONFIG);
  const auto rabbitmq = init({"--web-key", w.path("web.key"), "--for", "rabbitmq"});
  CHECK(rabbitmq.exit_code == EX_USAGE);
  CHECK(rabbitmq.output.contains("use Mosquitto"));
  CHECK(init({"--web-key", w.path("web.key")}).exit_code == 0);  // control
  CHECK(Json::parse(text(w.folder.path() / "new" / "broker.json")).at("web_port") == 8884);
}

TEST_CASE("a stranger cannot fill the memory of the broker before a login") {
  World w;
  NEED(w.add_listener());
  Account a;
  w.authorize(a);
  const Json stranger{{"port", w.web_port}, {"authority", w.path("web.ca")}, {"flood", 64 << 20}};
  const auto configuration = text(w.broker / "mosquitto.conf");
  constexpr std::string_view limit = "\nmemory_limit 536870912\n";
  REQUIRE(configuration.contains(limit));
  const auto with = [&](std::string_view line) {
    auto changed = configuration;
    changed.replace(changed.find(limit), limit.size(), line);
    REQUIRE(write_file_durably(w.broker / "mosquitto.conf", as_bytes(changed)));
    w.process.reset();
    w.start_both();
    const auto read = World::connect(stranger).at("flooded").get<bool>();
    CHECK(World::connect(w.options(a.phone)).at("connack") == 0);  // the broker still works
    return read;
  };
  CHECK_FALSE(with("\nmemory_limit 33554432\n"));  // smaller than in the product, so that the test is small
  CHECK(with("\n"));                               // control: without a limit, Mosquitto reads all of it
}

}  // namespace
}  // namespace sealcam
