// SPDX-License-Identifier: Apache-2.0
// Seeds of pairing: complete sessions, and payloads that the fuzzer signs with the owner's key.
#include "corpus_parts.hpp"
#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "pairing_parties.hpp"
#include "protocol/phone_link.hpp"

namespace sealcam::fuzz {

namespace {

/// Splits the text into pieces of at most `size` bytes, each after its length.
std::string pieces(std::string_view text, std::size_t size) {
  std::string out;
  for (; !text.empty(); text.remove_prefix(std::min(size, text.size()))) {
    const auto n = std::min(size, text.size());
    out += static_cast<char>(n >> 8);
    out += static_cast<char>(n & 0xff);
    out += text.substr(0, n);
  }
  return out;
}

/// A reply: status, length, body.
std::string reply(char status, std::string_view body) {
  return std::string(1, status) + static_cast<char>(body.size() >> 8) + static_cast<char>(body.size() & 0xff) +
         std::string(body);
}

void hostile_device_seeds(Seeds& seeds) {
  const auto& device = pairing_device();
  const auto proof = must(protocol::encode_pairing_proof(pairing_channel(), parties().camera.keys().identity));
  const auto hello = R"({"descriptor":")" + to_base64url(device.descriptor) + R"(","proof":")" + to_base64url(proof) +
                     R"(","version":"1","model":"board"})";
  std::string request;
  for (const char c : device.request_pem) request += c == '\n' ? std::string("\\n") : std::string(1, c);
  const auto claim = R"({"request":")" + request + "\"}";
  seeds.put("pairing_client_fuzz", "paired", {0}, reply(0, hello) + reply(0, claim) + reply(0, R"({"paired":true})"));
  seeds.put("pairing_client_fuzz", "wrong-code", {0},
            reply(0, hello) + reply(3, R"({"error":"code","message":"wrong","tries_left":4})"));
  seeds.put("pairing_client_fuzz", "descriptor-payload", {1},
            must(crypto::cose::parse_sign1(device.descriptor)).payload);
  seeds.put("pairing_client_fuzz", "proof-payload", {2}, must(crypto::cose::parse_sign1(proof)).payload);
  seeds.put("pairing_client_fuzz", "request", {3}, device.request_pem);
}

/// The hub of the parties is the phone.
void link_seeds(Seeds& seeds) {
  using namespace protocol;
  const auto keys = must(LinkKeys::derive(must(LinkCode::parse("AAECAwQFBgcICQoLDA0ODw"))));
  const auto descriptor = must(encode_device_descriptor(Role::hub, parties().hub.keys(), std::nullopt));
  const DeviceDescriptor phone{Role::hub, parties().hub.identity(), parties().hub.hpke(), std::nullopt};
  const auto enrollment = must(
      encode_link_enrollment({.owner = parties().owner.identity(),
                              .broker = "wss://broker.example:8884",
                              .password = must(PhonePassword::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")),
                              .name = "phone"},
                             phone, parties().owner.keys().identity, keys));
  crypto::CborWriter payload;
  payload.map(5).integer(1).bytes(parties().hub.id().bytes()).integer(2).bytes(parties().owner.identity().bytes());
  payload.integer(3).text("wss://[::1]:8884").integer(4).text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
  payload.integer(5).text("phone");
  const Route route{parties().owner.account(), parties().hub.id()};
  seeds.put("link_fuzz", "descriptor", {0}, must(encode_link_descriptor(descriptor, keys)));
  seeds.put("link_fuzz", "enrollment", {1}, enrollment);
  seeds.put("link_fuzz", "descriptor-without-mac", {2}, descriptor);
  seeds.put("link_fuzz", "enrollment-plaintext", {3},
            must(sign_message(MessageName::phone_enrollment, route, parties().owner.keys().identity, payload.view())));
  seeds.put("link_fuzz", "descriptor-payload", {4}, must(crypto::cose::parse_sign1(descriptor)).payload);
  seeds.put("link_fuzz", "enrollment-payload", {5}, payload.view());
}

}  // namespace

void pairing_seeds(Seeds& seeds) {
  link_seeds(seeds);
  const auto hello = pairing_request("hello", "{}");
  const auto claim_message = pairing_claim_message();
  const auto enrollment_message = pairing_enrollment_message();
  const auto claim = pairing_request("claim", pairing_body("claim", claim_message));
  const auto enroll = pairing_request("enroll", pairing_body("enrollment", enrollment_message));
  const std::size_t whole = 60000;
  seeds.put("pairing_fuzz", "paired", {0}, pieces(hello, whole) + pieces(claim, whole) + pieces(enroll, whole));
  seeds.put("pairing_fuzz", "claimed-in-pieces", {0}, pieces(hello, 7) + pieces(claim, 50));
  seeds.put("pairing_fuzz", "too-large", {0}, pieces("POST / HTTP/1.1\r\nContent-Length: 131073\r\n\r\n", 9));
  seeds.put("pairing_fuzz", "chunked", {0},
            pieces("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", 20));
  hostile_device_seeds(seeds);
  seeds.put("pairing_fuzz", "claim-payload", {1}, must(crypto::cose::parse_sign1(claim_message)).payload);
  seeds.put("pairing_fuzz", "enrollment-payload", {2}, must(crypto::cose::parse_sign1(enrollment_message)).payload);
}

}  // namespace sealcam::fuzz
