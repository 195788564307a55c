// SPDX-License-Identifier: Apache-2.0
// From `sealcam broker init` to devices that may do what they should and nothing else.
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <format>
#include <nlohmann/json.hpp>

#include "command_line.hpp"
#include "core/file.hpp"
#include "owner/account_file.hpp"
#include "owner/broker_setup.hpp"
#include "owner/connection.hpp"
#include "pairing/device_state.hpp"
#include "protocol/topic.hpp"
#include "support/temporary_folder.hpp"
#include "transport/certificate.hpp"

namespace sealcam {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using protocol::Leaf;
using test::sealcam;
using test::TestClient;
using Json = nlohmann::json;

#define NEED(ran)                 \
  do {                            \
    const auto ran_ = (ran);      \
    INFO(ran_.output);            \
    REQUIRE(ran_.exit_code == 0); \
  } while (false)

/// A broker that runs, and accounts with one camera and one hub each.
struct World {
  test::TemporaryFolder folder;
  fs::path broker = folder.path() / "B";
  std::uint16_t port = test::free_port();
  std::unique_ptr<test::BrokerProcess> process;

  World() {
    if (::access("/usr/sbin/mosquitto", X_OK) != 0) SKIP("mosquitto is not installed");
    NEED(sealcam({"broker", "init", broker.string(), "--port", std::to_string(port)}));
  }
  void start() { process = std::make_unique<test::BrokerProcess>(broker / "mosquitto.conf", port); }
  [[nodiscard]] std::string path(const std::string& name) const { return (folder.path() / name).string(); }
  void add_account(const std::string& name) const {
    NEED(sealcam({"--account", path(name), "account", "create"}));
    NEED(enroll_camera(name, name + "-cam"));
    NEED(sealcam({"--account", path(name), "hub", "enroll", path(name + "-hub"), "--broker", broker.string()}));
  }
  [[nodiscard]] test::Ran enroll_camera(const std::string& account, const std::string& state) const {
    return sealcam({"--account", path(account), "--json", "camera", "enroll", path(state), "--name",
                    "Camera of " + account, "--broker", broker.string()});
  }
  [[nodiscard]] owner::AccountFile account(const std::string& name) const {
    const auto file = owner::read_account(folder.path() / name / "account.json");
    REQUIRE(file);
    return *file;
  }
  [[nodiscard]] protocol::Route route(const std::string& name) const {
    const auto file = account(name);
    return {file.account, file.cameras.at(0).id};
  }
  [[nodiscard]] DeviceId hub(const std::string& name) const { return account(name).hubs.at(1).id; }
};

TEST_CASE("the set-up stands up to a second implementation and to itself") {
  World w;
  const auto certificate =
      test::run({"openssl", "verify", "-purpose", "sslserver", "-verify_ip", "127.0.0.1", "-verify_hostname",
                 "localhost", "-CAfile", w.path("B/ca.pem"), w.path("B/server.pem")});
  INFO(certificate.output);
  CHECK(certificate.exit_code == 0);
  CHECK(sealcam({"broker", "init", w.broker.string()}).exit_code == EX_CANTCREAT);
  CHECK(sealcam({"broker", "init"}).exit_code == EX_USAGE);
  w.start();  // throws when Mosquitto does not like its configuration

  w.add_account("a");
  for (const auto* device : {"a", "a/hub", "a-cam", "a-hub"}) {
    const auto enrolment = pairing::read_enrolment({w.folder.path() / device});
    REQUIRE(enrolment);
    CHECK(enrolment->broker_port == w.port);
    TestClient client(w.folder.path() / device);
    INFO(device << ": " << client.last_words());
    CHECK(client.connects());
  }
  const auto listed = sealcam({"broker", "list", w.broker.string(), "--json"});
  CHECK(Json::parse(listed.output).size() == 4);
}

TEST_CASE("who was not admitted by this operator does not get in") {
  World w;
  w.start();
  w.add_account("a");
  World other;  // another operator, who admits a device of the same name
  NEED(sealcam({"--account", w.path("a"), "admission", w.path("a-cam"), "-o", w.path("admission")}));
  NEED(sealcam({"broker", "admit", other.broker.string(), "--request", w.path("a-cam/tls.csr"), "--admission",
                w.path("admission"), "-o", w.path("foreign.pem")}));
  auto config = owner::broker_connection({w.folder.path() / "a-cam"});
  REQUIRE(config);
  const auto foreign = read_file(w.path("foreign.pem"), 1 << 16);
  REQUIRE(foreign);
  config->tls.certificate_pem = as_text(*foreign);
  TestClient stranger(std::move(*config));
  CHECK_FALSE(stranger.connects(1500ms));
  TestClient control(w.folder.path() / "a-cam");
  CHECK(control.connects());
}

TEST_CASE("each device publishes where it may and nowhere else") {
  World w;
  w.start();
  w.add_account("a");
  w.add_account("b");
  const auto a = w.route("a"), b = w.route("b");
  TestClient camera(w.folder.path() / "a-cam"), hub(w.folder.path() / "a-hub"), owner(w.folder.path() / "a");
  REQUIRE((camera.connects() && hub.connects() && owner.connects()));

  const auto allowed = [](TestClient& who, const std::string& topic) {
    INFO(topic);
    CHECK(who.publish(topic, as_bytes("x")));
  };
  const auto refused = [](TestClient& who, const std::string& topic) {
    INFO(topic);
    const auto result = who.publish(topic, as_bytes("x"));
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::permission);
  };
  for (const auto leaf : {Leaf::grants, Leaf::video, Leaf::still, Leaf::status}) {
    allowed(camera, protocol::topic(a, leaf));
    refused(camera, protocol::topic(b, leaf));
    refused(camera, protocol::topic({a.account, b.camera}, leaf));
    refused(hub, protocol::topic(a, leaf));
    refused(owner, protocol::topic(a, leaf));
  }
  for (const auto leaf : {Leaf::roster, Leaf::command}) {
    allowed(owner, protocol::topic({a.account, b.camera}, leaf));  // of its own account: any camera
    refused(owner, protocol::topic(b, leaf));
    refused(camera, protocol::topic(a, leaf));
    refused(hub, protocol::topic(a, leaf));
  }
  allowed(hub, protocol::ask_topic(a, w.hub("a")));
  refused(hub, protocol::ask_topic(a, w.hub("b")));
  refused(hub, protocol::ask_topic(b, w.hub("a")));
  refused(camera, protocol::ask_topic(a, w.hub("a")));
  refused(camera, "anything/else");
}

TEST_CASE("a subscription to everything delivers one's own account only") {
  World w;
  w.start();
  w.add_account("a");
  w.add_account("b");
  const auto a = w.route("a"), b = w.route("b");
  TestClient camera_a(w.folder.path() / "a-cam"), camera_b(w.folder.path() / "b-cam");
  TestClient hub_a(w.folder.path() / "a-hub"), hub_b(w.folder.path() / "b-hub");
  REQUIRE((camera_a.connects() && camera_b.connects() && hub_a.connects() && hub_b.connects()));
  hub_a.subscribe("#");
  hub_b.subscribe("#");
  const auto rosters_a = hub_a.receive(3s, 1).size();
  const auto rosters_b = hub_b.receive(3s, 1).size();
  CHECK(rosters_a == 1);  // the retained roster of its own camera
  CHECK(rosters_b == 1);
  REQUIRE(camera_a.publish(protocol::topic(a, Leaf::video), as_bytes("of a")));
  REQUIRE(camera_b.publish(protocol::topic(b, Leaf::video), as_bytes("of b")));
  for (const auto& message : hub_a.receive(1s, 2 + rosters_a)) CHECK(message.topic.contains(a.account.to_string()));
  for (const auto& message : hub_b.receive(1s, 2 + rosters_b)) CHECK(message.topic.contains(b.account.to_string()));
  CHECK(as_text(hub_a.receive(0ms).back().payload) == "of a");  // the control: its own did arrive
  CHECK(as_text(hub_b.receive(0ms).back().payload) == "of b");
}

TEST_CASE("another device's client id gives nothing away") {
  World w;
  w.start();
  w.add_account("a");
  w.add_account("b");
  const auto a = w.route("a");
  TestClient victim(w.folder.path() / "a-cam");
  REQUIRE(victim.connects());
  TestClient thief(w.folder.path() / "b-cam", a.camera.to_string());
  if (thief.connects(2s)) {
    const auto stolen = thief.publish(protocol::topic(a, Leaf::status), as_bytes("x"));
    REQUIRE_FALSE(stolen);
    CHECK(stolen.error().code == Errc::permission);
  }
  CHECK(victim.publish(protocol::topic(a, Leaf::status), as_bytes("x")));  // still there
}

TEST_CASE("expelling takes effect on a running broker, for who is connected as well") {
  World w;
  w.start();
  w.add_account("a");
  const auto a = w.route("a");
  TestClient camera(w.folder.path() / "a-cam"), hub(w.folder.path() / "a-hub");
  REQUIRE((camera.connects() && hub.connects()));
  const auto status = protocol::topic(a, Leaf::status);
  REQUIRE(camera.publish(status, as_bytes("x")));
  const auto expelled = sealcam({"broker", "expel", w.broker.string(), a.camera.to_string(), "--json"});
  REQUIRE(expelled.exit_code == 0);
  CHECK(Json::parse(expelled.output).at("reloaded") == true);
  CHECK(camera.publish_becomes(false, status));
  CHECK(hub.publish(protocol::ask_topic(a, w.hub("a")), as_bytes("x")));  // nobody else is affected
  CHECK(sealcam({"broker", "expel", w.broker.string(), a.camera.to_string()}).exit_code == EX_NOINPUT);

  NEED(w.enroll_camera("a", "a-cam"));
  TestClient again(w.folder.path() / "a-cam");
  REQUIRE(again.connects());
  CHECK(again.publish_becomes(true, status));
}

TEST_CASE("the operator's own rules outlive admissions") {
  World w;
  const std::string rules = "user monitor\ntopic read $SYS/#\n";
  REQUIRE(write_file_durably(w.broker / "acl.own", as_bytes(rules)));
  w.add_account("a");
  const auto access = read_file(w.path("B/acl"), 1 << 20);
  REQUIRE(access);
  CHECK(as_text(*access).ends_with(rules));
  CHECK(as_text(*access).contains("/grants"));
}

TEST_CASE("an account does not take over what belongs to another") {
  World w;
  w.add_account("a");
  NEED(sealcam({"--account", w.path("b"), "account", "create"}));
  const auto before = read_file(w.path("a-cam/enrolment.json"), 1 << 16);
  const auto access = read_file(w.path("B/acl"), 1 << 20);
  CHECK(w.enroll_camera("b", "a-cam").exit_code == EX_NOPERM);
  CHECK(read_file(w.path("a-cam/enrolment.json"), 1 << 16) == before);
  CHECK(read_file(w.path("B/acl"), 1 << 20) == access);
  // With the enrolment out of the way the operator still says no.
  fs::copy(w.path("a-cam"), w.path("copy"), fs::copy_options::recursive);
  fs::remove(w.path("copy/enrolment.json"));
  const auto stolen = w.enroll_camera("b", "copy");
  CHECK(stolen.exit_code == EX_NOPERM);
  CHECK(stolen.output.contains("expel"));
  CHECK_FALSE(fs::exists(w.path("copy/enrolment.json")));

  // A request made with another key, under the admission of the first.
  NEED(sealcam({"--account", w.path("a"), "admission", w.path("a-cam"), "-o", w.path("admission")}));
  const auto tls = transport::TlsKey::generate();
  REQUIRE(tls);
  const auto request = transport::make_request(*tls, w.route("a").camera.to_string());
  REQUIRE(request);
  REQUIRE(write_file_durably(w.path("other.csr"), as_bytes(*request)));
  const auto admit = [&](const std::string& csr) {
    return sealcam({"broker", "admit", w.broker.string(), "--request", w.path(csr), "--admission", w.path("admission"),
                    "-o", w.path("cert.pem")});
  };
  CHECK(admit("other.csr").exit_code == EX_NOPERM);
  CHECK_FALSE(fs::exists(w.path("cert.pem")));
  CHECK(admit("a-cam/tls.csr").exit_code == 0);
}

TEST_CASE("an operator answers a whole file of requests or none, and reads whom it admitted") {
  World w;
  NEED(sealcam({"--account", w.path("a"), "account", "create"}));
  NEED(sealcam({"--account", w.path("a"), "account", "connect", "--request", w.path("requests")}));
  const auto written = read_file(w.path("requests"), 1 << 20);
  REQUIRE(written);
  const auto requests = Json::parse(as_text(*written));
  REQUIRE(requests.at("devices").size() == 2);  // this machine's hub and the owner's connection
  const auto answer = [&](const Json& file) {
    REQUIRE(write_file_durably(w.path("asked"), as_bytes(file.dump())));
    return sealcam({"broker", "answer", w.broker.string(), w.path("asked"), "-o", w.path("answer"), "--json"});
  };
  const auto admitted = [&] { return Json::parse(sealcam({"broker", "list", w.broker.string(), "--json"}).output); };
  auto mixed = requests;
  mixed["devices"][1]["admission"] = requests["devices"][0]["admission"];
  const auto refused = answer(mixed);
  CHECK(refused.exit_code == EX_NOPERM);
  CHECK(refused.output.contains("Nobody was admitted. Entry 2 of 2"));
  auto many = requests;
  for (int i = 0; i < 100; ++i) many["devices"].push_back(requests["devices"][0]);
  CHECK(answer(many).output.contains("102 devices"));
  CHECK(admitted().empty());
  CHECK_FALSE(fs::exists(w.path("answer")));

  const auto done = answer(requests);
  INFO(done.output);
  REQUIRE(done.exit_code == 0);
  const auto who = Json::parse(done.output).at("admitted");
  REQUIRE(who.size() == 2);
  CHECK(who[0].at("role") == "hub");  // in the order of the file
  CHECK(who[1].at("role") == "owner");
  for (const auto& each : who) {
    CHECK(std::ranges::contains(admitted(), each));
    CHECK(each.at("account") == w.account("a").account.to_string());
  }
  const auto again = sealcam({"broker", "answer", w.broker.string(), w.path("requests"), "-o", w.path("answer")});
  for (const auto& each : admitted())
    CHECK(again.output.contains(std::format("admitted {} {} of account {}", each.at("role").get<std::string>(),
                                            each.at("device").get<std::string>(),
                                            each.at("account").get<std::string>())));
}

TEST_CASE("a device may find the broker elsewhere than its owner does") {
  World w;
  w.start();
  NEED(sealcam({"--account", w.path("a"), "account", "create"}));
  const auto ran = sealcam({"--account", w.path("a"), "--json", "camera", "enroll", w.path("cam"), "--name", "Far away",
                            "--broker", w.broker.string(), "--host", "192.0.2.1"});
  INFO(ran.output);
  REQUIRE(ran.exit_code == 0);
  CHECK(Json::parse(ran.output).at("pending").empty());  // published from here
  const auto enrolment = read_file(w.path("cam/enrolment.json"), 1 << 16);
  REQUIRE(enrolment);
  CHECK(Json::parse(as_text(*enrolment)).at("broker").at("host") == "192.0.2.1");
}

TEST_CASE("what cannot be published stays pending until it is") {
  World w;
  NEED(sealcam({"--account", w.path("a"), "account", "create"}));
  const auto first = w.enroll_camera("a", "a-cam");
  REQUIRE(first.exit_code == 0);
  CHECK(Json::parse(first.output).at("pending").size() == 1);
  CHECK(sealcam({"--account", w.path("a"), "sync", "--timeout", "0.5"}).exit_code == EX_UNAVAILABLE);
  CHECK(w.account("a").cameras[0].published == RosterVersion(0));
  const auto installed = read_file(w.path("a-cam/roster"), 1 << 16);
  REQUIRE(installed);  // the camera works from it meanwhile

  w.start();
  // Published, and no camera runs that could confirm it.
  const auto synced = sealcam({"--account", w.path("a"), "sync", "--json", "--timeout", "3"});
  INFO(synced.output);
  REQUIRE(synced.exit_code == EX_TEMPFAIL);
  CHECK(Json::parse(synced.output).at("waiting").size() == 1);
  CHECK(Json::parse(synced.output).at("published").size() == 1);
  CHECK(w.account("a").cameras[0].published == w.account("a").cameras[0].version);
  TestClient camera(w.folder.path() / "a-cam");
  camera.subscribe(protocol::topic(w.route("a"), Leaf::roster));
  REQUIRE(camera.connects());
  const auto& received = camera.receive(5s, 1);
  REQUIRE(received.size() == 1);
  CHECK(received[0].retained);
  CHECK(received[0].payload == *installed);  // one version, one content

  // Nothing new: nothing is signed again. A new hub: the version grows.
  const auto version = w.account("a").cameras[0].version;
  CHECK(sealcam({"--account", w.path("a"), "sync", "--timeout", "3"}).exit_code == EX_TEMPFAIL);
  CHECK(w.account("a").cameras[0].version == version);
  NEED(sealcam({"--account", w.path("a"), "hub", "enroll", w.path("a-hub"), "--broker", w.broker.string()}));
  CHECK(w.account("a").cameras[0].version == version.next());
  CHECK(w.account("a").cameras[0].published == version.next());
}

TEST_CASE("the command line says what to do next") {
  const test::TemporaryFolder folder;
  const auto account = (folder.path() / "a").string();
  CHECK(sealcam({"--version"}).exit_code == 0);
  CHECK(sealcam({}).exit_code == EX_USAGE);
  const auto none = sealcam({"--account", account, "camera", "list"});
  CHECK(none.exit_code == EX_NOINPUT);
  CHECK(none.output.contains("sealcam account create"));
  CHECK_FALSE(fs::exists(account));
  NEED(sealcam({"--account", account, "account", "create", "--json"}));
  CHECK(sealcam({"--account", account, "account", "create"}).exit_code == EX_CANTCREAT);
  CHECK(sealcam({"--account", account, "watch", "Nobody", "-o", "x.mp4"}).exit_code == EX_NOINPUT);
  for (const auto* command :
       {"account", "broker", "camera", "hub", "integration", "sync", "doctor", "watch", "inspect", "admission"})
    CHECK(sealcam({command, "--help"}).exit_code == 0);
  fs::remove(folder.path() / "a" / "tls.key");
  const auto damaged = sealcam({"--account", account, "sync"});
  CHECK(damaged.exit_code == EX_CONFIG);
  CHECK(damaged.output.contains("restore"));
}

}  // namespace
}  // namespace sealcam
