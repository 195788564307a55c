// SPDX-License-Identifier: Apache-2.0
#include "pairing/endpoint.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <format>

#include "pairing/http_exchange.hpp"
#include "pairing/wifi_file.hpp"
#include "support/pairing_scene.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::pairing;
using namespace sealcam::test;
using nlohmann::json;
using protocol::PairingCode;
using protocol::Role;

namespace {

PairingCode code(std::string_view letters) { return must(PairingCode::parse(letters)); }

/// One owner on one connection.
struct Caller {
  Caller(PairingDevice& d, const OwnerDesk& o, unsigned char n)
      : device(d), desk(o), number(n), conversation(d.endpoint, channel(n)) {}

  Reply hello() { return conversation.answer("POST", "/pairing/1/hello", "{}"); }
  Reply claim(std::string_view letters = "abcdefgh") { return claim_with(make_claim(letters, number)); }
  Reply claim_with(ByteView message) {
    return conversation.answer("POST", "/pairing/1/claim", body_of("claim", message));
  }
  [[nodiscard]] Bytes make_claim(std::string_view letters, unsigned char n) const {
    return must(
        protocol::encode_pairing_claim(code(letters), channel(n), device.actor.id(), desk.owner.keys().identity));
  }
  Reply enrol() { return enrol_with(desk.enrolment(device.actor, device.role, device.request)); }
  Reply enrol_with(const protocol::PairingEnrolment& e) { return enrol_with(e, desk.owner, number); }
  Reply enrol_with(const protocol::PairingEnrolment& e, const Actor& signer, unsigned char n) {
    const auto message =
        must(protocol::encode_pairing_enrolment(e, channel(n), device.actor.id(), signer.keys().identity));
    return conversation.answer("POST", "/pairing/1/enrol", body_of("enrolment", message));
  }

  PairingDevice& device;
  const OwnerDesk& desk;
  unsigned char number;
  Endpoint::Conversation conversation;
};

std::string word(const Reply& reply) { return json::parse(reply.body).value("error", ""); }

}  // namespace

TEST_CASE("a device becomes its owner's: hello, claim, enrol") {
  const auto role = GENERATE_COPY(Role::camera, Role::hub);
  PairingDevice device(role);
  const OwnerDesk desk;
  Caller caller(device, desk, 1);
  const auto hello = json::parse(caller.hello().body);
  const auto proof = must(from_base64url(hello.at("proof").get<std::string>()));
  const auto card = must(protocol::decode_card(must(from_base64url(hello.at("card").get<std::string>()))));
  CHECK(card.role == role);
  CHECK(protocol::check_pairing_proof(proof, channel(1), device.actor.verifier()));
  // Control: the same proof is worth nothing on another connection, nor as another device's.
  CHECK(protocol::check_pairing_proof(proof, channel(2), device.actor.verifier()).error().code == Errc::wrong_key);
  CHECK_FALSE(protocol::check_pairing_proof(proof, channel(1), desk.owner.verifier()));
  CHECK(json::parse(caller.claim().body).at("request") == device.request);
  CHECK_FALSE(device.installer.installed);
  const auto done = caller.enrol();
  CHECK(done.body == R"({"paired":true})");
  CHECK_FALSE(done.go_on);
  CHECK(device.endpoint.paired());
  REQUIRE(device.installer.installed);
  CHECK(device.installer.installed->owner == desk.owner.identity());
  CHECK(device.installer.installed->role == role);
  CHECK(device.installer.roster.has_value() == (role == Role::camera));
  CHECK_FALSE(device.log.contains("abcdefgh"));
  Caller second(device, desk, 2);
  CHECK(word(second.hello()) == "paired");
}

TEST_CASE("a claim counts on its own connection only") {
  PairingDevice device;
  const OwnerDesk desk;
  Caller victim(device, desk, 1);
  (void)victim.hello();
  const auto claim = victim.make_claim("abcdefgh", 1);
  Caller thief(device, desk, 2);
  (void)thief.hello();
  CHECK(word(thief.claim_with(claim)) == "channel");
  CHECK(device.tries.number == 0);
  CHECK(victim.claim_with(claim).status == 200);  // control: where it was made it is good
}

TEST_CASE("five wrong codes close pairing, also for the right one") {
  PairingDevice device;
  const OwnerDesk desk;
  for (unsigned left = 5; left-- > 0;) {
    Caller caller(device, desk, 1);
    (void)caller.hello();
    const auto reply = caller.claim("abcdefga");
    CHECK(reply.status == 403);
    CHECK_FALSE(reply.go_on);
    CHECK(json::parse(reply.body).at("tries_left") == left);
    CHECK(word(caller.claim()) == "order");  // one try on each connection
  }
  CHECK(device.endpoint.closed());
  Caller caller(device, desk, 2);
  (void)caller.hello();
  const auto reply = caller.claim();
  CHECK(reply.status == 429);
  CHECK(word(reply) == "closed");
}

TEST_CASE("a wrong code that cannot be counted is counted all the same") {
  PairingDevice device;
  device.tries.broken = true;
  const OwnerDesk desk;
  for (int i = 0; i < 5; ++i) {
    Caller caller(device, desk, 1);
    (void)caller.hello();
    CHECK(word(caller.claim("abcdefga")) == "storage");
  }
  CHECK(device.endpoint.closed());
}

TEST_CASE("one claim at a time; it ends with its connection or after a minute") {
  PairingDevice device;
  const OwnerDesk first, second;
  auto holder = std::make_unique<Caller>(device, first, 1);
  (void)holder->hello();
  REQUIRE(holder->claim().status == 200);
  {
    Caller other(device, second, 2);
    (void)other.hello();
    const auto reply = other.claim("aaaaaaaa");
    CHECK(reply.status == 409);
    CHECK(word(reply) == "busy");
    CHECK(device.tries.number == 0);  // nobody learns whether the code was right
  }
  SECTION("its connection ends") {
    holder.reset();
    Caller other(device, second, 2);
    (void)other.hello();
    CHECK(other.claim().status == 200);
  }
  SECTION("its time is over") {
    device.clock.advance(Endpoint::claim_time);
    Caller other(device, second, 2);
    (void)other.hello();
    CHECK(other.claim().status == 200);
    CHECK(word(holder->enrol()) == "expired");
    CHECK(other.enrol().status == 200);
    CHECK(device.installer.installed->owner == second.owner.identity());
  }
  SECTION("control: before that it is good") {
    device.clock.advance(Endpoint::claim_time - std::chrono::nanoseconds(1));
    CHECK(holder->enrol().status == 200);
  }
}

TEST_CASE("an enrolment that does not fit this device changes nothing") {
  PairingDevice device;
  const OwnerDesk desk, stranger;
  const Actor other_device;
  Caller caller(device, desk, 1);
  (void)caller.hello();
  REQUIRE(caller.claim().status == 200);
  auto e = desk.enrolment(device.actor, Role::camera, device.request);
  std::string expected = "enrolment";
  Reply reply;
  SECTION("signed by another owner") { reply = caller.enrol_with(e, stranger.owner, 1), expected = "channel"; }
  SECTION("made for another connection") { reply = caller.enrol_with(e, desk.owner, 2), expected = "channel"; }
  SECTION("certificate in another name") {
    const auto request = must(transport::make_request(device.tls, other_device.id().to_string()));
    e.certificate_pem = desk.enrolment(other_device, Role::camera, request).certificate_pem;
    reply = caller.enrol_with(e);
  }
  SECTION("certificate of another key") {
    const auto key = must(transport::TlsKey::generate());
    const auto request = must(transport::make_request(key, device.actor.id().to_string()));
    e.certificate_pem = desk.enrolment(device.actor, Role::camera, request).certificate_pem;
    reply = caller.enrol_with(e);
  }
  SECTION("authority of another operator") { e.ca_pem = stranger.ca, reply = caller.enrol_with(e); }
  SECTION("no roster") { e.roster.reset(), reply = caller.enrol_with(e); }
  SECTION("roster by another owner") {
    e.roster = stranger.enrolment(device.actor, Role::camera, device.request).roster;
    reply = caller.enrol_with(e);
  }
  SECTION("roster with another HPKE key") {
    auto roster = roster_of(device.actor, 1, {});
    roster.camera_hpke = other_device.hpke();
    e.roster = must(protocol::encode_roster(roster, route_of(desk.owner, device.actor), desk.owner.keys().identity));
    reply = caller.enrol_with(e);
  }
  SECTION("the disk is full") {
    device.installer.broken = Errc::io, expected = "storage";
    reply = caller.enrol_with(e);
  }
  CHECK(word(reply) == expected);
  CHECK_FALSE(reply.go_on);
  CHECK_FALSE(device.endpoint.paired());
  CHECK_FALSE(device.installer.installed);
}

TEST_CASE("requests out of order, unknown or malformed are refused and end the connection") {
  PairingDevice device;
  const OwnerDesk desk;
  Caller caller(device, desk, 1);
  const auto say = [&](const char* method, const char* target, const char* body) {
    return caller.conversation.answer(method, target, body);
  };
  Reply reply;
  SECTION("claim first") { reply = caller.claim(); }
  SECTION("enrol first") { reply = caller.enrol(); }
  SECTION("hello twice") { (void)caller.hello(), reply = caller.hello(); }
  SECTION("enrol before claim") { (void)caller.hello(), reply = caller.enrol(); }
  SECTION("GET") { reply = say("GET", "/pairing/1/hello", "{}"); }
  SECTION("unknown") { reply = say("POST", "/pairing/2/hello", "{}"); }
  SECTION("no JSON") { reply = say("POST", "/pairing/1/hello", "{"); }
  SECTION("an unknown member") { reply = say("POST", "/pairing/1/hello", R"({"x":1})"); }
  SECTION("no base64url") {
    (void)caller.hello();
    reply = say("POST", "/pairing/1/claim", R"({"claim":"a=="})");
  }
  CHECK(reply.status >= 400);
  CHECK_FALSE(reply.go_on);
  CHECK(word(caller.hello()) == "order");
  Caller next(device, desk, 2);  // control: the device is well
  CHECK(next.hello().status == 200);
}

TEST_CASE("HTTP: whole, in pieces, too large, in a wrong form") {
  PairingDevice device;
  Endpoint::Conversation conversation(device.endpoint, channel(1));
  HttpExchange exchange(conversation);
  const auto receive = [&](std::string_view text) { return exchange.receive(as_bytes(text)); };
  const std::string hello = "POST /pairing/1/hello HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
  SECTION("whole") {
    const auto out = receive(hello);
    CHECK(out.bytes.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK_FALSE(out.end);
  }
  SECTION("byte by byte") {
    for (std::size_t i = 0; i + 1 < hello.size(); ++i) REQUIRE(receive(hello.substr(i, 1)).bytes.empty());
    CHECK(receive("}").bytes.starts_with("HTTP/1.1 200 "));
  }
  SECTION("the peer wants no more") {
    CHECK(receive("POST /pairing/1/hello HTTP/1.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}").end);
  }
  const auto refused = [&](std::string_view text, unsigned status) {
    const auto out = receive(text);
    CHECK(out.bytes.starts_with(std::format("HTTP/1.1 {} ", status)));
    CHECK(out.end);
  };
  SECTION("pipelined") { refused(hello + hello, 400); }
  SECTION("not HTTP") { refused(std::string("\x16\x03\x01 hello\r\n\r\n"), 400); }
  SECTION("chunked") { refused("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n", 411); }
  SECTION("a body too large is refused by its header") {
    refused("POST / HTTP/1.1\r\nContent-Length: 131073\r\n\r\n", 413);
  }
  SECTION("control: the largest body is waited for") {
    CHECK(receive("POST / HTTP/1.1\r\nContent-Length: 131072\r\n\r\n").bytes.empty());
  }
  SECTION("a header without an end") {
    const std::string line = "X: " + std::string(1021, 'x') + "\r\n";
    HttpExchange::Output out = receive("POST / HTTP/1.1\r\n");
    int sent = 0;
    for (; sent < 64 && out.bytes.empty(); ++sent) out = receive(line);
    CHECK(out.bytes.starts_with("HTTP/1.1 431 "));
    CHECK(sent <= 10);
  }
  SECTION("a line without an end") {
    HttpExchange::Output out;
    int sent = 0;
    for (; sent < 64 && out.bytes.empty(); ++sent) out = receive(std::string(1024, 'x'));
    CHECK(out.end);
    CHECK(sent <= 10);
  }
}

TEST_CASE("wrong codes are remembered over restarts of the program, not of the kernel") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "pairing-tries";
  {
    auto tries = must(FileTryCounter::open(file, "boot-1"));
    CHECK(tries.used() == 0);
    must(tries.count());
    must(tries.count());
  }
  CHECK(must(FileTryCounter::open(file, "boot-1")).used() == 2);
  CHECK(must(FileTryCounter::open(file, "boot-2")).used() == 0);
  must(write_file_durably(file, as_bytes(std::string_view("boot-1 many\n"))));
  CHECK(must(FileTryCounter::open(file, "boot-1")).used() >= Endpoint::max_tries);
  CHECK(must(FileTryCounter::open(file, "boot-1")).used() >= Endpoint::max_tries);
  CHECK(must(FileTryCounter::open(file, "boot-2")).used() == 0);
  CHECK(must(boot_id()).size() == 36);
}

TEST_CASE("the roster is there before the device is somebody's, and nobody takes it over") {
  const TemporaryFolder folder;
  FolderInstaller installer(StateFiles{folder.path()});
  const Enrolment enrolment{.role = Role::camera,
                            .owner = Actor().identity(),
                            .broker_host = "b",
                            .broker_port = 1,
                            .ca_pem = "",
                            .certificate_pem = "",
                            .name = ""};
  const Bytes roster(3, std::byte{7});
  must(installer.install(enrolment, roster, std::nullopt));
  CHECK(must(read_file(folder.path() / "roster", 10)) == roster);
  CHECK(must(read_enrolment(StateFiles{folder.path()})).owner == enrolment.owner);
  CHECK(installer.install(enrolment, Bytes(), std::nullopt).error().code == Errc::exists);
  CHECK(must(read_file(folder.path() / "roster", 10)) == roster);
}

TEST_CASE("a network that an enrolment without an end brought is not the next owner's") {
  const TemporaryFolder folder;
  const StateFiles files{folder.path()};
  FolderInstaller installer(files);
  Enrolment enrolment{.role = Role::camera,
                      .owner = Actor().identity(),
                      .broker_host = "b",
                      .broker_port = 1,
                      .ca_pem = "",
                      .certificate_pem = "",
                      .name = "\xff"};  // cannot be written
  std::optional<protocol::Wifi> wifi;
  wifi.emplace(Bytes(1, std::byte{'a'}), must(protocol::Passphrase::parse("12345678")));
  CHECK_FALSE(installer.install(enrolment, Bytes(), wifi));
  CHECK(read_wifi_file(files));  // control: it was left
  enrolment.name.clear();
  must(installer.install(enrolment, Bytes(), std::nullopt));
  CHECK(read_wifi_file(files).error().code == Errc::not_found);
}
