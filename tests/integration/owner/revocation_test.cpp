// SPDX-License-Identifier: Apache-2.0
// The end of a device's access to a real Mosquitto: session, certificates, permissions and retained messages.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/format.hpp"
#include "broker_world.hpp"
#include "support/actors.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using World = test::BrokerWorld;
using protocol::Leaf;
using test::sealcam;
using test::TestClient;
using Json = nlohmann::json;

/// The number of retained messages whose topic contains this text. The owner may read all topics of its account.
std::size_t retained(const World& w, const std::string& account, const std::string& part) {
  TestClient owner(w.folder.path() / account);
  owner.subscribe(sealcam::format("sealcam/1/{}/#", w.account(account).account.to_string()));
  REQUIRE(owner.connects());
  // The broker delivers this message after the retained ones.
  const auto last = sealcam::format("sealcam/1/{}/index/{}", w.account(account).account.to_string(),
                                    w.account(account).hubs.at(0).id.to_string());
  REQUIRE(owner.publish(last, as_bytes("last")));
  const auto is_last = [](const TestClient::Received& message) { return as_text(message.payload) == "last"; };
  for (std::size_t seen = 0; seen < 1000; ++seen) {
    const auto& all = owner.receive(5s, seen + 1);
    REQUIRE(all.size() > seen);
    if (is_last(all.back())) break;
  }
  return static_cast<std::size_t>(std::ranges::count_if(
      owner.receive(0ms), [&](const auto& message) { return message.retained && message.topic.contains(part); }));
}

test::Ran revoke(const World& w, const DeviceId& device) {
  return sealcam({"broker", "revoke", w.broker.string(), device.to_string(), "--json"});
}

TEST_CASE("an owner who removes a hub learns whether the broker ended its session") {
  World w;
  w.start();
  w.add_account("a");
  w.add_account("b");
  const auto unlink = [&](const std::string& account) {
    return sealcam({"--account", w.path(account), "hub", "unlink", w.hub(account).to_string(), "--wait", "0"}).output;
  };
  const auto running = unlink("a");
  INFO(running);
  CHECK(running.contains("revoked at the broker in " + w.broker.string()));
  const auto hub = w.hub("b");
  w.process.reset();
  const auto output = unlink("b");
  INFO(output);
  CHECK(output.contains("may still be connected"));
  CHECK(output.contains("sealcam broker revoke " + w.broker.string() + " " + hub.to_string()));
  CHECK_FALSE(output.contains("revoked at the broker"));
}

TEST_CASE("a revocation affects a running broker and connected devices") {
  World w;
  w.start();
  w.add_account("a");
  const auto a = w.route("a");
  TestClient camera(w.folder.path() / "a-cam"), hub(w.folder.path() / "a-hub");
  REQUIRE((camera.connects() && hub.connects()));
  const auto status = protocol::topic(a, Leaf::status), request = protocol::request_topic(a, w.hub("a"));
  REQUIRE(camera.publish(status, as_bytes("x")));
  REQUIRE(hub.publish(request, as_bytes("x")));
  const auto revoked = revoke(w, a.camera);
  REQUIRE(revoked.exit_code == 0);
  CHECK(Json::parse(revoked.output).at("reloaded") == true);
  CHECK(Json::parse(revoked.output).at("cleared") == true);
  CHECK(camera.disconnects());
  CHECK_FALSE(camera.connects(2s));  // its certificate is on the revocation list
  CHECK(hub.connects());             // other devices are not affected
  CHECK(hub.publish_becomes(false, request));
  CHECK(revoke(w, a.camera).exit_code == EX_NOINPUT);

  NEED(w.enroll_camera("a", "a-cam"));  // with a new certificate
  TestClient again(w.folder.path() / "a-cam");
  REQUIRE(again.connects());
  CHECK(again.publish_becomes(true, status));
  CHECK_FALSE(camera.connects(2s));  // the old certificate stays on the list
}

TEST_CASE("a revocation deletes the retained messages on topics of the device") {
  World w;
  w.start();
  w.add_account("a");
  w.add_account("b");
  const auto a = w.route("a");
  const auto of_hub = "/request/" + w.hub("a").to_string();
  const Bytes large(1 << 20);
  {
    TestClient camera(w.folder.path() / "a-cam"), hub(w.folder.path() / "a-hub"), other(w.folder.path() / "b-cam");
    REQUIRE((camera.connects() && hub.connects() && other.connects()));
    for (const auto leaf : {Leaf::grants, Leaf::video, Leaf::still, Leaf::status})
      REQUIRE(camera.publish(protocol::topic(a, leaf), large, true));
    REQUIRE(hub.publish(protocol::request_topic(a, w.hub("a")), large, true));
    REQUIRE(other.publish(protocol::topic(w.route("b"), Leaf::still), large, true));
  }
  const auto of_camera = a.camera.to_string();
  REQUIRE(retained(w, "a", of_hub) == 1);
  REQUIRE(revoke(w, w.hub("a")).exit_code == 0);
  CHECK(retained(w, "a", of_hub) == 0);
  REQUIRE(retained(w, "a", of_camera) == 5);  // control: with the roster
  const auto revoked = revoke(w, a.camera);
  REQUIRE(revoked.exit_code == 0);
  CHECK(Json::parse(revoked.output).at("topics") >= 6);
  CHECK(retained(w, "a", of_camera) == 1);
  CHECK(retained(w, "a", of_camera + "/roster") == 1);            // for hubs that were offline
  CHECK(retained(w, "b", w.route("b").camera.to_string()) == 2);  // another account keeps its own
  // With the owner. A hub of the account may read its rosters.
  const auto rosters = [&] {
    TestClient own(w.folder.path() / "a" / "hub");
    own.subscribe(protocol::topic(a, Leaf::roster));
    REQUIRE(own.connects());
    return own.receive(2s, 1).size();
  };
  REQUIRE(rosters() == 1);
  REQUIRE(revoke(w, DeviceId(a.account.bytes())).exit_code == 0);
  CHECK(rosters() == 0);
  CHECK(retained(w, "b", w.route("b").camera.to_string()) == 2);
}

TEST_CASE("a hub cannot leave messages on topics of cameras that do not exist") {
  World w;
  w.start();
  w.add_account("a");
  const auto a = w.route("a");
  TestClient hub(w.folder.path() / "a-hub");
  REQUIRE(hub.connects());
  const Bytes large(1 << 20);
  for (int i = 0; i < 20; ++i) {
    const auto rejected =
        hub.publish(protocol::request_topic({a.account, test::Actor().id()}, w.hub("a")), large, true);
    REQUIRE_FALSE(rejected);
    CHECK(rejected.error().code == Errc::permission);
  }
  CHECK(retained(w, "a", "/request/") == 0);
  CHECK(hub.publish(protocol::request_topic(a, w.hub("a")), large, true));  // control
  CHECK(retained(w, "a", "/request/") == 1);
}

TEST_CASE("a revocation while the broker is stopped is completed when it runs") {
  World w;
  w.start();
  w.add_account("a");
  const auto a = w.route("a");
  {
    TestClient camera(w.folder.path() / "a-cam");
    REQUIRE(camera.connects());
    REQUIRE(camera.publish(protocol::topic(a, Leaf::still), as_bytes("x"), true));
  }
  w.process.reset();
  const auto stopped = revoke(w, a.camera);
  REQUIRE(stopped.exit_code == 0);
  CHECK(Json::parse(stopped.output).at("cleared") == false);
  w.start();
  REQUIRE(retained(w, "a", a.camera.to_string()) == 2);
  const auto completed = revoke(w, a.camera);
  INFO(completed.output);
  REQUIRE(completed.exit_code == 0);
  CHECK(Json::parse(completed.output).at("cleared") == true);
  CHECK(retained(w, "a", a.camera.to_string()) == 1);
  CHECK(retained(w, "a", a.camera.to_string() + "/roster") == 1);
  CHECK(revoke(w, a.camera).exit_code == EX_NOINPUT);
  TestClient camera(w.folder.path() / "a-cam");
  CHECK_FALSE(camera.connects(2s));
}

TEST_CASE("a camera that the operator revoked does not delay the rosters of other cameras") {
  World w;
  w.start();
  w.add_account("a");
  const auto revoked = w.route("a").camera;
  NEED(sealcam({"--account", w.path("a"), "camera", "enroll", w.path("a-second"), "--name", "Second", "--broker",
                w.broker.string()}));
  const auto second = w.account("a").cameras.at(1).id;
  REQUIRE(revoke(w, revoked).exit_code == 0);
  const auto ran =
      sealcam({"--account", w.path("a"), "--json", "hub", "enroll", w.path("a-new"), "--broker", w.broker.string()});
  INFO(ran.output);
  REQUIRE(ran.exit_code == 0);
  const auto report = Json::parse(ran.output);
  CHECK(report.at("published") == Json::array({second.to_string()}));
  CHECK(report.at("pending") == Json::array({revoked.to_string()}));
}

TEST_CASE("an account cannot take over a device of another account") {
  World w;
  w.add_account("a");
  NEED(sealcam({"--account", w.path("b"), "account", "create"}));
  const auto before = read_file(w.path("a-cam/enrollment.json"), 1 << 16);
  const auto access = read_file(w.path("B/acl"), 1 << 20);
  CHECK(w.enroll_camera("b", "a-cam").exit_code == EX_NOPERM);
  CHECK(read_file(w.path("a-cam/enrollment.json"), 1 << 16) == before);
  CHECK(read_file(w.path("B/acl"), 1 << 20) == access);
  // Without the enrollment in the folder, the operator still rejects the device.
  fs::copy(w.path("a-cam"), w.path("copy"), fs::copy_options::recursive);
  fs::remove(w.path("copy/enrollment.json"));
  const auto stolen = w.enroll_camera("b", "copy");
  CHECK(stolen.exit_code == EX_NOPERM);
  CHECK(stolen.output.contains("revoke"));
  CHECK_FALSE(fs::exists(w.path("copy/enrollment.json")));

  // A request with another key, with the authorization for the first key.
  NEED(sealcam({"--account", w.path("a"), "authorization", w.path("a-cam"), "-o", w.path("authorization")}));
  const auto tls = transport::TlsKey::generate();
  REQUIRE(tls);
  const auto request = transport::make_request(*tls, w.route("a").camera.to_string());
  REQUIRE(request);
  REQUIRE(write_file_durably(w.path("other.csr"), as_bytes(*request)));
  const auto authorize = [&](const std::string& csr) {
    return sealcam({"broker", "authorize", w.broker.string(), "--request", w.path(csr), "--descriptor",
                    w.path("a-cam/device.descriptor"), "--authorization", w.path("authorization"), "-o",
                    w.path("cert.pem")});
  };
  CHECK(authorize("other.csr").exit_code == EX_NOPERM);
  CHECK_FALSE(fs::exists(w.path("cert.pem")));
  CHECK(authorize("a-cam/tls.csr").exit_code == 0);
}

}  // namespace
}  // namespace sealcam
