// SPDX-License-Identifier: Apache-2.0
// An operator on another machine: a file of requests, and a file with the answer.
#include "owner/broker/operator.hpp"

#include <catch2/catch_test_macros.hpp>

#include "base/file.hpp"
#include "operator_scene.hpp"
#include "owner/broker/authorization.hpp"

namespace sealcam::owner {
namespace {

using test::Actor;
using test::must;

struct World {
  test::TemporaryFolder folder;
  BrokerFiles broker{folder.path() / "broker"};
  Actor owner, camera;
  World() { REQUIRE(make_broker(broker, {.hosts = {"broker.example"}})); }

  [[nodiscard]] AuthorizationRequest request(const Actor& device) const {
    return test::request(owner, protocol::Role::camera, device, test::TlsIdentity(device.id()));
  }
  [[nodiscard]] std::string certificate(const AuthorizationRequest& request) const {
    const auto authorized = authorize(broker, request);
    REQUIRE(authorized);
    return authorized->certificate_pem;
  }
  [[nodiscard]] std::string authority() const {
    return std::string(as_text(must(read_file(broker.authority(), 1 << 16))));
  }
  [[nodiscard]] Outcome<std::shared_ptr<const Operator>> remote_operator_with(
      const std::vector<std::string>& certificates, const std::string& authority) const {
    const auto file = folder.path() / "answer";
    REQUIRE(write_answer(file, {{"broker.example", 8883}, authority, certificates}));
    return remote_operator(file);
  }
};

TEST_CASE("the operator reads the requests that the owner wrote") {
  const World w;
  const auto one = w.request(w.camera), two = w.request(Actor());
  const auto file = w.folder.path() / "requests";
  REQUIRE(write_requests(file, {one, two}));
  const auto read = read_requests(file);
  REQUIRE(read);
  REQUIRE(read->size() == 2);
  CHECK(read->front().request_pem == one.request_pem);
  CHECK(read->back().authorization == two.authorization);
  CHECK(read->back().descriptor == two.descriptor);
  CHECK(w.certificate(read->front()).contains("BEGIN CERTIFICATE"));
}

TEST_CASE("all requests of a file are authorized, or none") {
  const World w;
  const auto access = [&] { return std::string(as_text(must(read_file(w.broker.access_list(), 1 << 20)))); };
  const auto first = w.request(w.camera), second = w.request(Actor()), other_key = w.request(Actor());
  const auto before = access();
  const auto rejects = [&](const std::vector<AuthorizationRequest>& requests, int exit_code, std::string_view word) {
    const auto rejected = authorize_all(w.broker, requests);
    REQUIRE_FALSE(rejected);
    INFO(rejected.error().message);
    CHECK(rejected.error().exit_code == exit_code);
    CHECK(rejected.error().message.contains(word));
    CHECK(rejected.error().message.contains("no device was authorized"));
    CHECK(access() == before);
  };
  const World stranger;
  rejects({first, second, {second.request_pem, second.descriptor, other_key.authorization}}, EX_NOPERM, "entry 3 of 3");
  rejects({first, {"no request", second.descriptor, second.authorization}}, EX_CONFIG, "entry 2 of 2");
  rejects({first, {second.request_pem, second.descriptor, {}}}, EX_CONFIG, "entry 2 of 2");
  rejects({first, second, first}, EX_CONFIG, "twice");
  rejects({first, stranger.request(Actor())}, EX_CONFIG, "one file for each account");
  rejects(std::vector(max_requests + 1, first), EX_CONFIG, "17 devices");

  const auto all = authorize_all(w.broker, {first, second});
  REQUIRE(all);
  REQUIRE(all->size() == 2);
  CHECK(access() == before);  // the broker reads one new list for all of them
  REQUIRE(apply_authorizations(w.broker));
  CHECK(all->front().device == Authorized{protocol::Role::camera, w.camera.id(), w.owner.account()});
  CHECK(all->back().certificate_pem.contains("BEGIN CERTIFICATE"));
  for (const auto& each : *all) CHECK(access().contains(each.device.device.to_string()));
  // A device of another account rejects the whole file, too.
  const auto stolen = stranger.request(w.camera), own = stranger.request(Actor());
  const auto now = access();
  const auto rejected = authorize_all(w.broker, {own, stolen});
  REQUIRE_FALSE(rejected);
  CHECK(rejected.error().message.contains("revoke"));
  CHECK(access() == now);
  CHECK(authorize_all(w.broker, {own}));  // control
}

TEST_CASE("an answer returns only the certificate for the key of the request") {
  const World w;
  const auto own_request = w.request(w.camera), other_key = w.request(w.camera), stranger = w.request(Actor());
  const auto certificate = w.certificate(own_request);
  const auto answer = w.remote_operator_with({w.certificate(stranger), certificate}, w.authority());
  REQUIRE(answer);
  CHECK((*answer)->address(AccountId{})->host == "broker.example");
  CHECK((*answer)->address(AccountId{})->port == 8883);
  CHECK((*answer)->authority() == w.authority());
  CHECK((*answer)->folder().empty());
  const auto given = (*answer)->authorize(own_request);
  REQUIRE(given);
  CHECK(*given == certificate);
  CHECK((*answer)->authorize(other_key).error().message.contains("another key"));
  const auto unknown = w.request(Actor());
  CHECK((*answer)->authorize(unknown).error().message.contains("no certificate"));
  const World other_broker;
  const auto other_authority = w.remote_operator_with({certificate}, other_broker.authority());
  REQUIRE(other_authority);
  CHECK_FALSE((*other_authority)->authorize(own_request));
}

TEST_CASE("the broker in an answer is a name or an address") {  // control of the next test
  const World w;
  const auto file = w.folder.path() / "exchange";
  for (const char* host : {"broker.example", "192.0.2.7", "h", "::1", "fd00::5"}) {
    REQUIRE(write_answer(file, {{host, 1}, "x", {}}));
    CHECK(remote_operator(file));
  }
}

TEST_CASE("the error for a damaged file of requests or answer names the file") {
  const World w;
  const auto file = w.folder.path() / "exchange";
  for (const char* text :
       {"", "[]", "{}", R"({"version": 2})", R"({"version": 1})", R"({"version": 1, "devices": []})",
        R"({"version": 1, "devices": [1]})",
        R"({"version": 1, "devices": [{"request": "x", "descriptor": "", "authorization": "zz"}]})",
        R"({"version": 1, "devices": [{"request": "x", "descriptor": "zz", "authorization": ""}]})",
        R"({"version": 1, "broker": 7, "authority": "x", "certificates": []})",
        R"({"version": 1, "broker": {"host": "", "port": 1}, "authority": "x", "certificates": []})",
        R"({"version": 1, "broker": {"host": "h\u001b[2J", "port": 1}, "authority": "x", "certificates": []})",
        R"({"version": 1, "broker": {"host": "[::1]", "port": 1}, "authority": "x", "certificates": []})",
        R"({"version": 1, "broker": {"host": "h", "port": 0}, "authority": "x", "certificates": []})",
        R"({"version": 1, "broker": {"host": "h", "port": -1}, "authority": "x", "certificates": []})",
        R"({"version": 1, "broker": {"host": "h", "port": 65536}, "authority": "x", "certificates": []})",
        R"({"version": 1, "broker": {"host": "h", "port": 1}, "authority": "x", "certificates": [1]})"}) {
    INFO(text);
    REQUIRE(write_file_durably(file, as_bytes(text)));
    const auto requests = read_requests(file);
    REQUIRE_FALSE(requests);
    CHECK(requests.error().message.contains(file.string()));
    const auto answer = remote_operator(file);
    REQUIRE_FALSE(answer);
    CHECK(answer.error().message.contains(file.string()));
  }
}

}  // namespace
}  // namespace sealcam::owner
