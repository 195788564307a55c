// SPDX-License-Identifier: Apache-2.0
#include "pairing/endpoint.hpp"
#include "base/format.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "base/file.hpp"
#include "pairing/server.hpp"
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
      : device(d), desk(o), number(n), session(d.endpoint, channel(n)) {}

  Reply hello() { return session.answer("POST", "/pairing/1/hello", "{}"); }
  Reply claim(std::string_view letters = "abcdefgh") { return claim_with(make_claim(letters, number)); }
  Reply claim_with(ByteView message) { return session.answer("POST", "/pairing/1/claim", body_of("claim", message)); }
  [[nodiscard]] Bytes make_claim(std::string_view letters, unsigned char n) const {
    return must(
        protocol::encode_pairing_claim(code(letters), channel(n), device.actor.id(), desk.owner.keys().identity));
  }
  Reply enroll() { return enroll_with(desk.enrollment(device.actor, device.role, device.request)); }
  Reply enroll_with(const protocol::PairingEnrollment& e) { return enroll_with(e, desk.owner, number); }
  Reply enroll_with(const protocol::PairingEnrollment& e, const Actor& signer, unsigned char n) {
    const auto message =
        must(protocol::encode_pairing_enrollment(e, channel(n), device.actor.id(), signer.keys().identity));
    return session.answer("POST", "/pairing/1/enroll", body_of("enrollment", message));
  }

  PairingDevice& device;
  const OwnerDesk& desk;
  unsigned char number;
  Endpoint::Session session;
};

std::string word(const Reply& reply) { return json::parse(reply.body).value("error", ""); }

}  // namespace

TEST_CASE("hello, claim and enroll pair a device") {
  const auto role = GENERATE_COPY(Role::camera, Role::hub);
  PairingDevice device(role);
  const OwnerDesk desk;
  Caller caller(device, desk, 1);
  const auto hello = json::parse(caller.hello().body);
  const auto proof = must(from_base64url(hello.at("proof").get<std::string>()));
  const auto descriptor =
      must(protocol::decode_device_descriptor(must(from_base64url(hello.at("descriptor").get<std::string>()))));
  CHECK(descriptor.role == role);
  CHECK(protocol::check_pairing_proof(proof, channel(1), device.actor.verifier()));
  // Control: the proof is not valid on another connection or for another device.
  CHECK(protocol::check_pairing_proof(proof, channel(2), device.actor.verifier()).error().code == Errc::wrong_key);
  CHECK_FALSE(protocol::check_pairing_proof(proof, channel(1), desk.owner.verifier()));
  CHECK(json::parse(caller.claim().body).at("request") == device.request);
  CHECK_FALSE(device.installer.installed);
  const auto done = caller.enroll();
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

TEST_CASE("a claim is valid on its own connection only") {
  PairingDevice device;
  const OwnerDesk desk;
  Caller victim(device, desk, 1);
  (void)victim.hello();
  const auto claim = victim.make_claim("abcdefgh", 1);
  Caller thief(device, desk, 2);
  (void)thief.hello();
  CHECK(word(thief.claim_with(claim)) == "channel");
  CHECK(device.tries.number == 0);
  CHECK(victim.claim_with(claim).status == 200);  // control: the claim is valid on its own connection
}

TEST_CASE("after five wrong codes, the correct code is rejected too") {
  PairingDevice device;
  const OwnerDesk desk;
  for (unsigned left = 5; left-- > 0;) {
    Caller caller(device, desk, 1);
    (void)caller.hello();
    const auto reply = caller.claim("abcdefga");
    CHECK(reply.status == 403);
    CHECK_FALSE(reply.go_on);
    CHECK(json::parse(reply.body).at("tries_left") == left);
    CHECK(word(caller.claim()) == "order");  // one try per connection
  }
  CHECK(device.endpoint.closed());
  Caller caller(device, desk, 2);
  (void)caller.hello();
  const auto reply = caller.claim();
  CHECK(reply.status == 429);
  CHECK(word(reply) == "closed");
}

TEST_CASE("a wrong code is counted even if the number cannot be stored") {
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

TEST_CASE("a claim excludes others until its connection ends or a minute has passed") {
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
    CHECK(device.tries.number == 0);  // the reply does not depend on the code
  }
  SECTION("its connection ends") {
    holder.reset();
    Caller other(device, second, 2);
    (void)other.hello();
    CHECK(other.claim().status == 200);
  }
  SECTION("the minute has passed") {
    device.clock.advance(Endpoint::claim_time);
    Caller other(device, second, 2);
    (void)other.hello();
    CHECK(other.claim().status == 200);
    CHECK(word(holder->enroll()) == "expired");
    CHECK(other.enroll().status == 200);
    CHECK(device.installer.installed->owner == second.owner.identity());
  }
  SECTION("control: before that, the claim is valid") {
    device.clock.advance(Endpoint::claim_time - std::chrono::nanoseconds(1));
    CHECK(holder->enroll().status == 200);
  }
}

TEST_CASE("an enrollment that does not fit this device changes nothing") {
  PairingDevice device;
  const OwnerDesk desk, stranger;
  const Actor other_device;
  Caller caller(device, desk, 1);
  (void)caller.hello();
  REQUIRE(caller.claim().status == 200);
  auto e = desk.enrollment(device.actor, Role::camera, device.request);
  std::string expected = "enrollment";
  Reply reply;
  SECTION("signed by another owner") { reply = caller.enroll_with(e, stranger.owner, 1), expected = "channel"; }
  SECTION("made for another connection") { reply = caller.enroll_with(e, desk.owner, 2), expected = "channel"; }
  SECTION("certificate with another name") {
    const auto request = must(transport::make_request(device.tls, other_device.id().to_string()));
    e.certificate_pem = desk.enrollment(other_device, Role::camera, request).certificate_pem;
    reply = caller.enroll_with(e);
  }
  SECTION("certificate of another key") {
    const auto key = must(transport::TlsKey::generate());
    const auto request = must(transport::make_request(key, device.actor.id().to_string()));
    e.certificate_pem = desk.enrollment(device.actor, Role::camera, request).certificate_pem;
    reply = caller.enroll_with(e);
  }
  SECTION("authority of another operator") { e.ca_pem = stranger.ca, reply = caller.enroll_with(e); }
  SECTION("no roster") { e.roster.reset(), reply = caller.enroll_with(e); }
  SECTION("roster by another owner") {
    e.roster = stranger.enrollment(device.actor, Role::camera, device.request).roster;
    reply = caller.enroll_with(e);
  }
  SECTION("roster with another HPKE key") {
    auto roster = roster_of(device.actor, 1, {});
    roster.camera_hpke = other_device.hpke();
    e.roster = must(protocol::encode_roster(roster, route_of(desk.owner, device.actor), desk.owner.keys().identity));
    reply = caller.enroll_with(e);
  }
  SECTION("the disk is full") {
    device.installer.broken = Errc::io, expected = "storage";
    reply = caller.enroll_with(e);
  }
  CHECK(word(reply) == expected);
  CHECK_FALSE(reply.go_on);
  CHECK_FALSE(device.endpoint.paired());
  CHECK_FALSE(device.installer.installed);
}

TEST_CASE("a request out of order, an unknown or a malformed request ends the connection") {
  PairingDevice device;
  const OwnerDesk desk;
  Caller caller(device, desk, 1);
  const auto send = [&](const char* method, const char* target, const char* body) {
    return caller.session.answer(method, target, body);
  };
  Reply reply;
  SECTION("claim first") { reply = caller.claim(); }
  SECTION("enroll first") { reply = caller.enroll(); }
  SECTION("hello twice") { (void)caller.hello(), reply = caller.hello(); }
  SECTION("enroll before claim") { (void)caller.hello(), reply = caller.enroll(); }
  SECTION("GET") { reply = send("GET", "/pairing/1/hello", "{}"); }
  SECTION("unknown") { reply = send("POST", "/pairing/2/hello", "{}"); }
  SECTION("not JSON") { reply = send("POST", "/pairing/1/hello", "{"); }
  SECTION("an unknown member") { reply = send("POST", "/pairing/1/hello", R"({"x":1})"); }
  SECTION("not base64url") {
    (void)caller.hello();
    reply = send("POST", "/pairing/1/claim", R"({"claim":"a=="})");
  }
  CHECK(reply.status >= 400);
  CHECK_FALSE(reply.go_on);
  CHECK(word(caller.hello()) == "order");
  Caller next(device, desk, 2);  // control: the device still answers
  CHECK(next.hello().status == 200);
}

TEST_CASE("HttpExchange accepts a request in any pieces and rejects malformed and large ones") {
  PairingDevice device;
  Endpoint::Session session(device.endpoint, channel(1));
  HttpExchange exchange(session);
  const auto receive = [&](std::string_view text) { return exchange.receive(as_bytes(text)); };
  const std::string hello = "POST /pairing/1/hello HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
  SECTION("in one piece") {
    const auto out = receive(hello);
    CHECK(out.bytes.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK_FALSE(out.end);
  }
  SECTION("byte by byte") {
    for (std::size_t i = 0; i + 1 < hello.size(); ++i) REQUIRE(receive(hello.substr(i, 1)).bytes.empty());
    CHECK(receive("}").bytes.starts_with("HTTP/1.1 200 "));
  }
  SECTION("the peer closes the connection") {
    CHECK(receive("POST /pairing/1/hello HTTP/1.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}").end);
  }
  const auto rejected = [&](std::string_view text, unsigned status) {
    const auto out = receive(text);
    CHECK(out.bytes.starts_with(sealcam::format("HTTP/1.1 {} ", status)));
    CHECK(out.end);
  };
  SECTION("pipelined") { rejected(hello + hello, 400); }
  SECTION("not HTTP") { rejected(std::string("\x16\x03\x01 hello\r\n\r\n"), 400); }
  SECTION("chunked") { rejected("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n", 411); }
  SECTION("a large body is rejected by its header") {
    rejected("POST / HTTP/1.1\r\nContent-Length: 131073\r\n\r\n", 413);
  }
  SECTION("control: the largest allowed body") {
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

TEST_CASE("the number of wrong codes survives a restart of the program and not one of the kernel") {
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
