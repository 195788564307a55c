// SPDX-License-Identifier: Apache-2.0

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "base/bytes.hpp"
#include "pairing/pairing_service.hpp"
#include "protocol/pairing.hpp"
#include "support/pairing_scene.hpp"

using namespace sealcam;
using namespace sealcam::pairing;
using namespace sealcam::test;
using protocol::HostPort;
using protocol::PairingCode;
using protocol::PairingString;

TEST_CASE("an accepted pairing string is printed as the same text") {
  const std::string id(32, 'a');
  for (const std::string at : {"192.168.1.9:8421", "[fe80::1]:1", "camera.local:65535", "[2001:db8::9]:8421"}) {
    const auto text = "sealcam:1:" + id + ":abcdefg2@" + at;
    const auto parsed = PairingString::parse(text);
    REQUIRE(parsed);
    CHECK(parsed->reveal() == text);
  }
  for (const auto& wrong :
       {std::string(), "sealcam:1:" + id, "sealcam:1:" + id + ":abcdefg2@host", "sealcam:1:" + id + ":abcdefg2@:1",
        "sealcam:1:" + id + ":abcdefg2@host:0", "sealcam:1:" + id + ":abcdefg2@host:65536",
        "sealcam:1:" + id + ":abcdefg2@host:01", "sealcam:1:" + id + ":abcdefg2@host: 1",
        "sealcam:1:" + id + ":abcdefg2@ho st:1", "sealcam:1:" + id + ":abcdefg2@[1.2.3.4]:1",
        "sealcam:1:" + id + ":abcdefg2@::1:1", "sealcam:1:" + id + ":abcdefg@host:1",
        "sealcam:1:" + id + ":abcdefg20@host:1", "sealcam:1:" + id + ":ABCDEFG2@host:1",
        "sealcam:1:" + id + ":abcdefg1@host:1", "Sealcam:1:" + id + ":abcdefg2@host:1",
        "sealcam:1:" + id.substr(1) + ":abcdefg2@host:1", "sealcam:1:" + id + ":abcdefg2@host:1 "})
    CHECK(PairingString::parse(wrong).error().code == Errc::malformed);
  CHECK(PairingString::parse("sealcam:2:" + id + ":abcdefg2@host:1").error().code == Errc::unsupported);
}

TEST_CASE("pairing codes are random and compared completely") {
  must(crypto::init());
  const auto a = must(PairingCode::draw()), b = must(PairingCode::draw());
  CHECK(a.reveal() != b.reveal());
  CHECK(a.matches(a.duplicate()));
  CHECK_FALSE(a.matches(b));
  CHECK_FALSE(must(PairingCode::parse("aaaaaaaa")).matches(must(PairingCode::parse("aaaaaaab"))));
}

TEST_CASE("base64url has one text for each content (RFC 4648 section 10, without padding)") {
  const std::pair<const char*, const char*> vectors[] = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : vectors) {
    CHECK(to_base64url(as_bytes(std::string_view(plain))) == text);
    CHECK(as_text(must(from_base64url(text))) == plain);
  }
  CHECK(to_base64url(must(from_hex("fbff"))) == "-_8");
  for (const char* wrong : {"Z", "Zg==", "Zh", "Zm9=", "Zm9v\n", "+_8", "Zm8 "}) CHECK_FALSE(from_base64url(wrong));
}

TEST_CASE("an enrollment message is decoded unchanged, and other messages are rejected") {
  const Actor owner, device;
  protocol::PairingEnrollment e;
  e.broker_host = "broker";
  e.broker_port = 8883;
  e.ca_pem = "ca";
  e.certificate_pem = "certificate";
  e.name = "Front door";
  const bool with_roster = GENERATE(false, true), with_wifi = GENERATE(false, true);
  if (with_roster) e.roster = Bytes(3, std::byte{1});
  if (with_wifi) e.wifi = protocol::Wifi{Bytes(4, std::byte{2}), must(protocol::Passphrase::parse("correct horse"))};
  const auto message = must(protocol::encode_pairing_enrollment(e, channel(1), device.id(), owner.keys().identity));
  const auto read = must(protocol::decode_pairing_enrollment(message, channel(1), device.id(), owner.verifier()));
  CHECK(read.broker_host == e.broker_host);
  CHECK(read.broker_port == e.broker_port);
  CHECK(read.ca_pem == e.ca_pem);
  CHECK(read.certificate_pem == e.certificate_pem);
  CHECK(read.name == e.name);
  CHECK(read.roster == e.roster);
  CHECK(read.wifi.has_value() == with_wifi);
  if (with_wifi) CHECK(read.wifi->passphrase.reveal() == "correct horse");
  const auto code_of = [&](const protocol::ChannelBinding& x, const DeviceId& id, const crypto::Verifier& by) {
    return protocol::decode_pairing_enrollment(message, x, id, by).error().code;
  };
  CHECK(code_of(channel(2), device.id(), owner.verifier()) == Errc::wrong_key);
  CHECK(code_of(channel(1), owner.id(), owner.verifier()) == Errc::bad_signature);
  CHECK(code_of(channel(1), device.id(), device.verifier()) == Errc::wrong_key);
  auto changed = message;
  changed.back() ^= std::byte{1};
  CHECK_FALSE(protocol::decode_pairing_enrollment(changed, channel(1), device.id(), owner.verifier()));
}

TEST_CASE("a QR code has a quiet zone and the size of its version") {
  // Bytes with error correction M: version 5 (37 modules) holds 84, version 6 (41) the next (ISO/IEC 18004 tables 1 and
  // 7); 4 modules on each side, two rows a line.
  CHECK(std::ranges::count(must(qr_code(std::string(84, 'x'))), '\n') == (37 + 8 + 1) / 2);
  CHECK(std::ranges::count(must(qr_code(std::string(85, 'x'))), '\n') == (41 + 8 + 1) / 2);
  CHECK_FALSE(qr_code(""));
  CHECK_FALSE(qr_code(std::string(5000, 'x')));
}

TEST_CASE("a host is a name or an address, and brackets are removed") {
  using protocol::parse_host;
  for (const auto* host : {"broker.example", "broker_1", "192.0.2.7", "::1", "fd00::5", "2001:db8::192.0.2.7"})
    CHECK(parse_host(host) == host);
  CHECK(parse_host("[fd00::5]") == "fd00::5");
  for (const auto* bad : {"",
                          "[]",
                          "[broker]",
                          "[192.0.2.7]",
                          "[::1",
                          "::1]",
                          ":",
                          ":::",
                          "fe80::1%eth0",
                          "a b",
                          "h:1",
                          "-h",
                          "h\x1b",
                          "192.168.1.300",
                          "192.168.1",
                          "192.168.001.010",
                          "1",
                          "broker.5",
                          "192.168.1.10.",
                          "."})
    CHECK_FALSE(parse_host(bad));
  for (const auto* host : {"10.example", "5g.broker", "broker.example.", "b5", "1.2.3.4.local"})  // controls
    CHECK(parse_host(host) == host);
  CHECK_FALSE(HostPort::parse("192.168.1.300:8421"));
}

TEST_CASE("an address with a NUL byte is rejected, because the system's parsers stop there") {
  using namespace std::string_literals;
  CHECK(HostPort::parse("[fd15::1]:80"));
  for (const auto& text : {"[fd15::\0]:80"s, "[fd15::1\0x]:80"s, "10.0.0.1\0:80"s, "10.0.0.1:80\0"s})
    CHECK_FALSE(HostPort::parse(text));
}
