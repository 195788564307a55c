// SPDX-License-Identifier: Apache-2.0
// What a stranger in the local network sends to a device that belongs to nobody. The first byte: 0 is a connection, in
// pieces with their length (two bytes) before each; 1 is the payload of a claim, 2 of an enrolment, which the owner of
// cast() signs after the steps before it.
#include "core/assert.hpp"
#include "input.hpp"
#include "pairing/http_exchange.hpp"
#include "pairing_cast.hpp"

using namespace sealcam;
using namespace sealcam::fuzz;
using namespace sealcam::pairing;

namespace {

class Tries final : public TryCounter {
 public:
  unsigned number = 0;

 private:
  unsigned do_used() const noexcept override { return number; }
  Result<> do_count() override {
    ++number;
    return {};
  }
};

/// Nothing is stored that is not this owner's and about this device.
class Judge final : public Installer {
 public:
  bool installed = false;

 private:
  Result<> do_install(const Enrolment& enrolment, const std::optional<Bytes>& roster,
                      const std::optional<protocol::Wifi>&) override {
    SC_ASSERT(!std::exchange(installed, true));
    SC_ASSERT(enrolment.owner == cast().owner.identity());
    SC_ASSERT(must(transport::certificate_name(enrolment.certificate_pem)) == cast().camera.id().to_string());
    SC_ASSERT(equal(must(transport::certificate_key(enrolment.certificate_pem)), pairing_device().tls_key));
    SC_ASSERT(roster && protocol::decode_roster(*roster, cast().route, cast().owner.verifier()));
    return {};
  }
};

struct Scene {
  FakeClock clock;
  MemoryLog log;
  Tries tries;
  Judge judge;
  Endpoint endpoint{pairing_device(), pairing_code(), {tries, judge, clock, log}};
  Endpoint::Conversation conversation{endpoint, pairing_channel()};
  HttpExchange exchange{conversation};

  /// False when the connection is over.
  bool receive(ByteView bytes) {
    const auto out = exchange.receive(bytes);
    SC_ASSERT(out.bytes.empty() || out.bytes.starts_with("HTTP/1.1 "));
    SC_ASSERT(out.bytes.size() < 8192 && (!out.end || !out.bytes.empty()));
    SC_ASSERT(endpoint.paired() == judge.installed);
    SC_ASSERT(!endpoint.paired() || out.end);
    SC_ASSERT(tries.number <= 1 && !log.contains("abcdefgh"));
    return !out.end;
  }
  bool say(std::string_view target, std::string_view body) { return receive(as_bytes(pairing_request(target, body))); }
};

void check_connection(Input in) {
  Scene scene;
  while (!in.empty()) {
    const std::size_t size = in.number<std::uint16_t>();
    if (!scene.receive(in.take(size))) return;
  }
}

Bytes sign(protocol::MessageName name, ByteView payload) {
  return must(protocol::sign_message(name, cast().route, cast().owner.keys().identity, payload));
}

void check_payload(Input in, bool enrolment) {
  static const auto* const claim = new std::string(pairing_body("claim", pairing_claim_message()));
  if (in.empty()) return;
  Scene scene;
  SC_ASSERT(scene.say("hello", "{}"));
  if (!enrolment) {
    const auto message = sign(protocol::MessageName::pairing_claim, in.rest());
    (void)scene.say("claim", pairing_body("claim", message));
    return SC_ASSERT(!scene.endpoint.paired());
  }
  SC_ASSERT(scene.say("claim", *claim));
  const auto message = sign(protocol::MessageName::enrolment, in.rest());
  SC_ASSERT(!scene.say("enrol", pairing_body("enrolment", message)));
}

/// Control: the honest owner's words do pair, so what the fuzzer changes is judged behind every check.
bool honest_owner_pairs() {
  Scene scene;
  SC_ASSERT(scene.say("hello", "{}") && scene.say("claim", pairing_body("claim", pairing_claim_message())));
  SC_ASSERT(!scene.say("enrol", pairing_body("enrolment", pairing_enrolment_message())));
  return scene.endpoint.paired();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool control = honest_owner_pairs();
  SC_ASSERT(control);
  if (size > protocol::max_control_size / 2) return 0;  // what a body can hold
  Input in(data, size);
  const auto choice = in.byte() % 3;
  if (choice == 0) check_connection(in);
  else check_payload(in, choice == 2);
  return 0;
}
