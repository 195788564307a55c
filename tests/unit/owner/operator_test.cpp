// SPDX-License-Identifier: Apache-2.0
// An operator elsewhere: one file to them, one file back.
#include "owner/operator.hpp"

#include <catch2/catch_test_macros.hpp>

#include "core/file.hpp"
#include "owner/admission.hpp"
#include "support/actors.hpp"
#include "support/temporary_folder.hpp"
#include "transport/certificate.hpp"

namespace sealcam::owner {
namespace {

using test::Actor;
using test::must;

struct World {
  test::TemporaryFolder folder;
  BrokerFiles broker{folder.path() / "broker"};
  Actor owner, camera;
  World() { REQUIRE(make_broker(broker, {.hosts = {"broker.example"}})); }

  [[nodiscard]] AdmissionRequest request(const DeviceId& device) const {
    const auto tls = must(transport::TlsKey::generate());
    auto pem = must(transport::make_request(tls, device.to_string()));
    const auto key = must(crypto::PublicKey::parse(must(transport::requested_key(pem))));
    auto admission = must(protocol::encode_admission(
        {.role = protocol::Role::camera, .device = device, .owner = owner.identity(), .tls = key},
        owner.keys().identity));
    return {std::move(pem), std::move(admission)};
  }
  [[nodiscard]] std::string certificate(const AdmissionRequest& request) const {
    const auto admitted = admit(broker, request.request_pem, request.admission);
    REQUIRE(admitted);
    return admitted->certificate_pem;
  }
  [[nodiscard]] std::string authority() const {
    return std::string(as_text(must(read_file(broker.authority(), 1 << 16))));
  }
  [[nodiscard]] Outcome<std::shared_ptr<const Operator>> answered(const std::vector<std::string>& certificates,
                                                                  const std::string& authority) const {
    const auto file = folder.path() / "answer";
    REQUIRE(write_answer(file, {{"broker.example", 8883}, authority, certificates}));
    return operator_who_answered(file);
  }
};

TEST_CASE("requests come to the operator as they were written") {
  const World w;
  const auto one = w.request(w.camera.id()), two = w.request(Actor().id());
  const auto file = w.folder.path() / "requests";
  REQUIRE(write_requests(file, {one, two}));
  const auto read = read_requests(file);
  REQUIRE(read);
  REQUIRE(read->size() == 2);
  CHECK(read->front().request_pem == one.request_pem);
  CHECK(read->back().admission == two.admission);
  CHECK(w.certificate(read->front()).contains("BEGIN CERTIFICATE"));
}

TEST_CASE("a file of requests is admitted as a whole, or not at all") {
  const World w;
  const auto access = [&] { return std::string(as_text(must(read_file(w.broker.access_list(), 1 << 20)))); };
  const auto first = w.request(w.camera.id()), second = w.request(Actor().id()), other_key = w.request(Actor().id());
  const auto before = access();
  const auto refuses = [&](const std::vector<AdmissionRequest>& requests, int exit_code, std::string_view word) {
    const auto refused = admit_all(w.broker, requests);
    REQUIRE_FALSE(refused);
    INFO(refused.error().message);
    CHECK(refused.error().exit_code == exit_code);
    CHECK(refused.error().message.contains(word));
    CHECK(refused.error().message.contains("Nobody was admitted"));
    CHECK(access() == before);
  };
  const World stranger;
  refuses({first, second, {second.request_pem, other_key.admission}}, EX_NOPERM, "Entry 3 of 3");
  refuses({first, {"no request", second.admission}}, EX_CONFIG, "Entry 2 of 2");
  refuses({first, {second.request_pem, {}}}, EX_CONFIG, "Entry 2 of 2");
  refuses({first, second, first}, EX_CONFIG, "twice");
  refuses({first, stranger.request(Actor().id())}, EX_CONFIG, "one owner's");
  refuses(std::vector(most_requests + 1, first), EX_CONFIG, "17 devices");

  const auto all = admit_all(w.broker, {first, second});
  REQUIRE(all);
  REQUIRE(all->size() == 2);
  CHECK(all->front().who == Admitted{protocol::Role::camera, w.camera.id(), w.owner.account()});
  CHECK(all->back().certificate_pem.contains("BEGIN CERTIFICATE"));
  for (const auto& each : *all) CHECK(access().contains(each.who.device.to_string()));
  // A device that somebody else has here holds the whole file up, too.
  const auto stolen = stranger.request(w.camera.id()), own = stranger.request(Actor().id());
  const auto now = access();
  const auto refused = admit_all(w.broker, {own, stolen});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.contains("expel"));
  CHECK(access() == now);
  CHECK(admit_all(w.broker, {own}));  // the control
}

TEST_CASE("an answer gives each device the certificate of its own key, and no other") {
  const World w;
  const auto asked = w.request(w.camera.id()), other_key = w.request(w.camera.id()), stranger = w.request(Actor().id());
  const auto certificate = w.certificate(asked);
  const auto answer = w.answered({w.certificate(stranger), certificate}, w.authority());
  REQUIRE(answer);
  CHECK((*answer)->address()->host == "broker.example");
  CHECK((*answer)->address()->port == 8883);
  CHECK((*answer)->authority() == w.authority());
  CHECK((*answer)->folder().empty());
  const auto given = (*answer)->admit(asked.request_pem, asked.admission);
  REQUIRE(given);
  CHECK(given->certificate_pem == certificate);
  CHECK((*answer)->admit(other_key.request_pem, other_key.admission).error().message.contains("another key"));
  const auto unknown = w.request(Actor().id());
  CHECK((*answer)->admit(unknown.request_pem, unknown.admission).error().message.contains("no certificate"));
  const World elsewhere;
  const auto other_authority = w.answered({certificate}, elsewhere.authority());
  REQUIRE(other_authority);
  CHECK_FALSE((*other_authority)->admit(asked.request_pem, asked.admission));
}

TEST_CASE("an answer's broker is a name or an IPv4 address") {  // the control of what is refused below
  const World w;
  const auto file = w.folder.path() / "letter";
  for (const char* host : {"broker.example", "192.0.2.7", "h"}) {
    REQUIRE(write_answer(file, {{host, 1}, "x", {}}));
    CHECK(operator_who_answered(file));
  }
}

TEST_CASE("what is no letter is refused with its name") {
  const World w;
  const auto file = w.folder.path() / "letter";
  for (const char* text :
       {"", "[]", "{}", R"({"version": 2})", R"({"version": 1})", R"({"version": 1, "devices": []})",
        R"({"version": 1, "devices": [1]})", R"({"version": 1, "devices": [{"request": "x", "admission": "zz"}]})",
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
    const auto answer = operator_who_answered(file);
    REQUIRE_FALSE(answer);
    CHECK(answer.error().message.contains(file.string()));
  }
}

}  // namespace
}  // namespace sealcam::owner
