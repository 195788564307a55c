// SPDX-License-Identifier: Apache-2.0
// A broker of `sealcam broker init`, and the permissions of its devices.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/format.hpp"
#include "broker_world.hpp"
#include "device/device_state.hpp"
#include "device/enrollment.hpp"
#include "owner/broker/broker_setup.hpp"
#include "owner/sync/exchange.hpp"

namespace sealcam {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using protocol::Leaf;
using test::sealcam;
using test::TestClient;
using Json = nlohmann::json;

using World = test::BrokerWorld;

TEST_CASE("OpenSSL verifies the broker's certificate, and all devices connect") {
  World w;
  const auto certificate =
      test::run({"openssl", "verify", "-purpose", "sslserver", "-verify_ip", "127.0.0.1", "-verify_hostname",
                 "localhost", "-CAfile", w.path("B/ca.pem"), w.path("B/server.pem")});
  INFO(certificate.output);
  CHECK(certificate.exit_code == 0);
  CHECK(sealcam({"broker", "init", w.broker.string()}).exit_code == EX_CANTCREAT);
  CHECK(sealcam({"broker", "init"}).exit_code == EX_USAGE);
  w.start();  // throws if Mosquitto rejects its configuration

  w.add_account("a");
  for (const auto* device : {"a", "a/hub", "a-cam", "a-hub"}) {
    const auto enrollment = device::read_enrollment({w.folder.path() / device});
    REQUIRE(enrollment);
    CHECK(enrollment->broker_port == w.port);
    TestClient client(w.folder.path() / device);
    INFO(device << ": " << client.last_text());
    CHECK(client.connects());
  }
  const auto listed = sealcam({"broker", "list", w.broker.string(), "--json"});
  CHECK(Json::parse(listed.output).size() == 4);
}

TEST_CASE("a device with a certificate of another operator cannot connect") {
  World w;
  w.start();
  w.add_account("a");
  World other;  // another operator authorizes a device with the same name
  NEED(sealcam({"--account", w.path("a"), "authorization", w.path("a-cam"), "-o", w.path("authorization")}));
  NEED(sealcam({"broker", "authorize", other.broker.string(), "--request", w.path("a-cam/tls.csr"), "--descriptor",
                w.path("a-cam/device.descriptor"), "--authorization", w.path("authorization"), "-o",
                w.path("other.pem")}));
  auto config = owner::broker_connection({w.folder.path() / "a-cam"});
  REQUIRE(config);
  const auto other_certificate = read_file(w.path("other.pem"), 1 << 16);
  REQUIRE(other_certificate);
  config->tls.certificate_pem = as_text(*other_certificate);
  TestClient stranger(std::move(*config));
  CHECK_FALSE(stranger.connects(1500ms));
  TestClient control(w.folder.path() / "a-cam");
  CHECK(control.connects());
}

TEST_CASE("each device publishes to its own topics only") {
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
  const auto rejected = [](TestClient& who, const std::string& topic) {
    INFO(topic);
    const auto result = who.publish(topic, as_bytes("x"));
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::permission);
  };
  for (const auto leaf : {Leaf::grants, Leaf::video, Leaf::still, Leaf::past, Leaf::status}) {
    allowed(camera, protocol::topic(a, leaf));
    rejected(camera, protocol::topic(b, leaf));
    rejected(camera, protocol::topic({a.account, b.camera}, leaf));
    rejected(hub, protocol::topic(a, leaf));
    rejected(owner, protocol::topic(a, leaf));
  }
  for (const auto leaf : {Leaf::roster, Leaf::command}) {
    allowed(owner, protocol::topic(a, leaf));
    rejected(owner, protocol::topic({a.account, b.camera}, leaf));  // not a camera of its account
    rejected(owner, protocol::topic(b, leaf));
    rejected(camera, protocol::topic(a, leaf));
    rejected(hub, protocol::topic(a, leaf));
  }
  allowed(hub, protocol::request_topic(a, w.hub("a")));
  rejected(hub, protocol::request_topic(a, w.hub("b")));
  rejected(hub, protocol::request_topic(b, w.hub("a")));
  rejected(camera, protocol::request_topic(a, w.hub("a")));
  rejected(hub, protocol::request_topic({a.account, b.camera}, w.hub("a")));  // not a camera of its account
  rejected(camera, "anything/else");
}

TEST_CASE("a subscription to all topics delivers messages of the own account only") {
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
  const auto retained_a = hub_a.receive(5s, 2).size();
  const auto retained_b = hub_b.receive(5s, 2).size();
  CHECK(retained_a == 2);  // the roster of its own camera and its own index
  CHECK(retained_b == 2);
  REQUIRE(camera_a.publish(protocol::topic(a, Leaf::video), as_bytes("of a")));
  REQUIRE(camera_b.publish(protocol::topic(b, Leaf::video), as_bytes("of b")));
  for (const auto& message : hub_a.receive(1s, 2 + retained_a)) CHECK(message.topic.contains(a.account.to_string()));
  for (const auto& message : hub_b.receive(1s, 2 + retained_b)) CHECK(message.topic.contains(b.account.to_string()));
  CHECK(as_text(hub_a.receive(0ms).back().payload) == "of a");  // control: its own message arrived
  CHECK(as_text(hub_b.receive(0ms).back().payload) == "of b");
}

TEST_CASE("the client id of another device gives no permissions") {
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
  CHECK(victim.publish(protocol::topic(a, Leaf::status), as_bytes("x")));  // still connected
}

TEST_CASE("the operator's own rules survive an authorization") {
  World w;
  const std::string rules = "user monitor\ntopic read $SYS/#\n";
  REQUIRE(write_file_durably(w.broker / "acl.own", as_bytes(rules)));
  w.add_account("a");
  const auto access = read_file(w.path("B/acl"), 1 << 20);
  REQUIRE(access);
  CHECK(as_text(*access).ends_with(rules));
  CHECK(as_text(*access).contains("/grants"));
}

TEST_CASE("an operator answers all requests of a file or none, and sees the authorized devices") {
  World w;
  NEED(sealcam({"--account", w.path("a"), "account", "create"}));
  NEED(sealcam({"--account", w.path("a"), "account", "connect", "--request", w.path("requests")}));
  const auto written = read_file(w.path("requests"), 1 << 20);
  REQUIRE(written);
  const auto requests = Json::parse(as_text(*written));
  REQUIRE(requests.at("devices").size() == 2);  // this machine's hub and the owner's connection
  const auto answer = [&](const Json& file) {
    REQUIRE(write_file_durably(w.path("answered"), as_bytes(file.dump())));
    return sealcam({"broker", "answer", w.broker.string(), w.path("answered"), "-o", w.path("answer"), "--json"});
  };
  const auto authorized = [&] { return Json::parse(sealcam({"broker", "list", w.broker.string(), "--json"}).output); };
  auto mixed = requests;
  mixed["devices"][1]["authorization"] = requests["devices"][0]["authorization"];
  const auto rejected = answer(mixed);
  CHECK(rejected.exit_code == EX_NOPERM);
  CHECK(rejected.output.contains("no device was authorized: entry 2 of 2"));
  auto many = requests;
  for (int i = 0; i < 100; ++i) many["devices"].push_back(requests["devices"][0]);
  CHECK(answer(many).output.contains("102 devices"));
  CHECK(authorized().empty());
  CHECK_FALSE(fs::exists(w.path("answer")));

  const auto done = answer(requests);
  INFO(done.output);
  REQUIRE(done.exit_code == 0);
  const auto devices = Json::parse(done.output).at("authorized");
  REQUIRE(devices.size() == 2);
  CHECK(devices[0].at("role") == "hub");  // in the order of the file
  CHECK(devices[1].at("role") == "owner");
  for (const auto& each : devices) {
    CHECK(std::ranges::contains(authorized(), each));
    CHECK(each.at("account") == w.account("a").account.to_string());
  }
  const auto again = sealcam({"broker", "answer", w.broker.string(), w.path("requests"), "-o", w.path("answer")});
  for (const auto& each : authorized())
    CHECK(again.output.contains(sealcam::format("authorized {} {} of account {}", each.at("role").get<std::string>(),
                                                each.at("device").get<std::string>(),
                                                each.at("account").get<std::string>())));
}

TEST_CASE("a device can use another address of the broker than its owner") {
  World w;
  w.start();
  NEED(sealcam({"--account", w.path("a"), "account", "create"}));
  const auto ran = sealcam({"--account", w.path("a"), "--json", "camera", "enroll", w.path("cam"), "--name", "Far away",
                            "--broker", w.broker.string(), "--host", "192.0.2.1"});
  INFO(ran.output);
  REQUIRE(ran.exit_code == 0);
  CHECK(Json::parse(ran.output).at("pending").empty());  // published from this machine
  const auto enrollment = read_file(w.path("cam/enrollment.json"), 1 << 16);
  REQUIRE(enrollment);
  CHECK(Json::parse(as_text(*enrollment)).at("broker").at("host") == "192.0.2.1");
}

TEST_CASE("a change stays pending until the broker has it") {
  World w;
  NEED(sealcam({"--account", w.path("a"), "account", "create"}));
  const auto first = w.enroll_camera("a", "a-cam");
  REQUIRE(first.exit_code == 0);
  CHECK(Json::parse(first.output).at("pending").size() == 1);
  CHECK(sealcam({"--account", w.path("a"), "sync", "--timeout", "0.5"}).exit_code == EX_UNAVAILABLE);
  CHECK(w.account("a").cameras[0].published == protocol::RosterVersion(0));
  const auto installed = read_file(
      device::StateFiles{w.path("a-cam")}.rosters(w.route("a").account) / w.route("a").camera.to_string(), 1 << 16);
  REQUIRE(installed);  // the camera uses this roster without a broker

  w.start();
  // Published, but no camera is running that could confirm it.
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
  CHECK(received[0].payload == *installed);  // the same version has the same content

  // Without a change, no roster is signed. With a new hub, the version increases.
  const auto version = w.account("a").cameras[0].version;
  CHECK(sealcam({"--account", w.path("a"), "sync", "--timeout", "3"}).exit_code == EX_TEMPFAIL);
  CHECK(w.account("a").cameras[0].version == version);
  NEED(sealcam({"--account", w.path("a"), "hub", "enroll", w.path("a-hub"), "--broker", w.broker.string()}));
  CHECK(w.account("a").cameras[0].version == version.next());
  CHECK(w.account("a").cameras[0].published == version.next());
}

TEST_CASE("a host to which no device could connect is rejected, and localhost alone is mentioned") {
  World w;
  const auto folder = w.folder.path() / "hosts";
  for (const auto* host :
       {"192.168.1.300", "192.168.001.010", "0.0.0.0", "::", "[::]", "192.168.1.10:8883", "http://b"}) {
    CAPTURE(host);
    CHECK(sealcam({"broker", "init", folder.string(), "--listen", "0.0.0.0", "--host", host}).exit_code == EX_USAGE);
    CHECK_FALSE(fs::exists(folder));
  }
  CHECK(sealcam({"broker", "init", folder.string(), "--host", "0.0.0.0"}).output.contains("no device can connect"));
  const auto local = sealcam({"broker", "init", folder.string(), "--listen", "0.0.0.0"});
  CHECK(local.exit_code == EX_OK);
  CHECK(local.output.contains("only devices on this machine can connect"));
  const auto named = w.folder.path() / "named";
  const auto others = sealcam({"broker", "init", named.string(), "--listen", "0.0.0.0", "--host", "b.example"});
  CHECK(others.exit_code == EX_OK);
  CHECK_FALSE(others.output.contains("only devices"));  // control
}

TEST_CASE("a broker with an IPv6 address: certificate, owner and devices") {
  World w;
  const auto folder = w.folder.path() / "six";
  CHECK(sealcam({"broker", "init", folder.string(), "--host", "[fd00::5"}).exit_code == EX_USAGE);
  CHECK(sealcam({"broker", "init", folder.string(), "--host", "fe80::1%lo"}).exit_code == EX_USAGE);
  CHECK_FALSE(fs::exists(folder));
  NEED(sealcam({"broker", "init", folder.string(), "--port", std::to_string(w.port), "--listen", "::1", "--host",
                "[::1]", "--host", "fd00::5"}));
  const auto certificate = test::run({"openssl", "verify", "-purpose", "sslserver", "-verify_ip", "fd00::5", "-CAfile",
                                      (folder / "ca.pem").string(), (folder / "server.pem").string()});
  INFO(certificate.output);
  CHECK(certificate.exit_code == 0);
  w.process = std::make_unique<test::BrokerProcess>(folder / "mosquitto.conf", w.port);
  NEED(sealcam({"--account", w.path("a"), "account", "create"}));
  CHECK(sealcam({"--account", w.path("a"), "camera", "enroll", w.path("cam"), "--name", "Door", "--broker",
                 folder.string(), "--host", "::1]"})
            .exit_code == EX_USAGE);
  NEED(sealcam({"--account", w.path("a"), "camera", "enroll", w.path("cam"), "--name", "Door", "--broker",
                folder.string(), "--host", "[::1]"}));
  for (const auto* device : {"a", "a/hub", "cam"}) {
    const auto enrollment = device::read_enrollment({w.folder.path() / device});
    REQUIRE(enrollment);
    CHECK(enrollment->broker_host == "::1");
    TestClient client(w.folder.path() / device);
    INFO(device << ": " << client.last_text());
    CHECK(client.connects());
  }
  CHECK(sealcam({"--account", w.path("a"), "sync"}).exit_code == EX_TEMPFAIL);  // the camera is not running
}

TEST_CASE("an unknown command is named, with the commands that exist") {
  const auto unknown = sealcam({"cameras"});
  CHECK(unknown.exit_code == EX_USAGE);
  CHECK(unknown.output.contains("no command 'cameras' in 'sealcam'; use one of: account, camera, hub,"));
  CHECK_FALSE(unknown.output.contains("device-keys"));
  const auto inner = sealcam({"--json", "camera", "lst"});
  CHECK(inner.exit_code == EX_USAGE);
  CHECK(inner.output.contains("no command 'lst' in 'sealcam camera'; use one of: pair,"));
  CHECK(sealcam({"\x1b[2J"}).output.contains("no command '?[2J'"));
  CHECK(sealcam({"camera"}).output.contains("required"));
  for (const auto& arguments : {std::vector<std::string>{"help"},
                                {"help", "camera"},
                                {"camera", "help"},
                                {"help", "watch"},
                                {"sync", "help"}}) {
    const auto help = sealcam(arguments);
    INFO(help.output);
    CHECK(help.exit_code == 0);
    CHECK(help.output.contains("--help"));
  }
  CHECK(sealcam({"help", "camera", "rename"}).output.contains("New name"));
}

TEST_CASE("outputs do not replace devices, and a full disk is an error") {
  const test::TemporaryFolder folder;
  const auto account = (folder.path() / "a").string();
  NEED(sealcam({"--account", account, "account", "create"}));
  const auto to = [&](const std::string& file) {
    return sealcam({"--account", account, "authorization", account + "/hub", "-o", file});
  };
  CHECK(to("/dev/null").exit_code == 0);
  CHECK(fs::is_character_file("/dev/null"));
  CHECK(to("/dev/full").exit_code == EX_IOERR);
  CHECK(to("/dev/full").output.contains("no space left on device"));
  CHECK(to(folder.path().string()).output.contains("is a directory"));
  const auto shell =
      test::run({"sh", "-c", SEALCAM_PROGRAM " --account '" + account + "' camera list --json > /dev/full"});
  CHECK(shell.exit_code == EX_IOERR);
  CHECK(shell.output.contains("No space left on device"));
  const auto piped = test::run({"bash", "-c",
                                "trap '' PIPE; (sleep 0.2; exec " SEALCAM_PROGRAM " --account '" + account +
                                    "' camera list --json) | true; exit ${PIPESTATUS[0]}"});
  CHECK(piped.exit_code == 0);
  CHECK(piped.output.empty());
}

TEST_CASE("errors of the command line contain the next step") {
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
  for (const auto* zone : {"0,0,149,1000", "0,0,1000,199"}) {
    const auto thin = sealcam({"--account", account, "camera", "settings", "Door", "--zone", zone});
    CHECK(thin.exit_code == EX_USAGE);
    CHECK(thin.output.contains("at least 150 wide and 200 high"));
  }
  CHECK(sealcam({"--account", account, "camera", "settings", "Door", "--zone", "0,0,150,200"}).exit_code == EX_NOINPUT);
  for (const auto* command :
       {"account", "broker", "camera", "hub", "integration", "sync", "doctor", "watch", "inspect", "authorization"})
    CHECK(sealcam({command, "--help"}).exit_code == 0);
  fs::remove(folder.path() / "a" / "tls.key");
  const auto damaged = sealcam({"--account", account, "sync"});
  CHECK(damaged.exit_code == EX_CONFIG);
  CHECK(damaged.output.contains("restore"));
}

}  // namespace
}  // namespace sealcam
