// SPDX-License-Identifier: Apache-2.0
// Requests to an unpaired device. The first byte selects the meaning of the rest: 0 is the data of a connection, in
// pieces that follow their length (two bytes); 1 is the payload of a claim, and 2 that of an enrollment. The fuzzer
// signs payloads with the owner's key and sends the requests that must come before them.
#include "base/result.hpp"
#include "base/testing/fakes.hpp"
#include "input.hpp"
#include "pairing/server.hpp"
#include "pairing_parties.hpp"

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

/// The device stores only an enrollment of this owner for this device.
class InstallChecker final : public device::Installer {
 public:
  bool installed = false;

 private:
  Result<> do_install(const device::Enrollment& enrollment, const std::optional<Bytes>& roster,
                      const std::optional<protocol::Wifi>&) override {
    SC_ASSERT(!std::exchange(installed, true));
    SC_ASSERT(enrollment.owner == parties().owner.identity());
    SC_ASSERT(must(transport::certificate_name(enrollment.certificate_pem)) == parties().camera.id().to_string());
    SC_ASSERT(equal(must(transport::certificate_key(enrollment.certificate_pem)), pairing_device().tls_key));
    SC_ASSERT(roster && protocol::decode_roster(*roster, parties().route, parties().owner.verifier()));
    return {};
  }
};

struct Scene {
  FakeClock clock;
  MemoryLog log;
  Tries tries;
  InstallChecker installer;
  Endpoint endpoint{pairing_device(), pairing_code(), {tries, installer, clock, log}};
  Endpoint::Session session{endpoint, pairing_channel()};
  HttpExchange exchange{session};

  /// Returns false after the end of the connection.
  bool receive(ByteView bytes) {
    const auto out = exchange.receive(bytes);
    SC_ASSERT(out.bytes.empty() || out.bytes.starts_with("HTTP/1.1 "));
    SC_ASSERT(out.bytes.size() < 8192 && (!out.end || !out.bytes.empty()));
    SC_ASSERT(endpoint.paired() == installer.installed);
    SC_ASSERT(!endpoint.paired() || out.end);
    SC_ASSERT(tries.number <= 1 && !log.contains("abcdefgh"));
    return !out.end;
  }
  bool send(std::string_view target, std::string_view body) { return receive(as_bytes(pairing_request(target, body))); }
};

void check_connection(Input in) {
  Scene scene;
  while (!in.empty()) {
    const std::size_t size = in.number<std::uint16_t>();
    if (!scene.receive(in.take(size))) return;
  }
}

Bytes sign(protocol::MessageName name, ByteView payload) {
  return must(protocol::sign_message(name, parties().route, parties().owner.keys().identity, payload));
}

void check_payload(Input in, bool enrollment) {
  static const auto* const claim = new std::string(pairing_body("claim", pairing_claim_message()));
  if (in.empty()) return;
  Scene scene;
  SC_ASSERT(scene.send("hello", "{}"));
  if (!enrollment) {
    const auto message = sign(protocol::MessageName::pairing_claim, in.rest());
    (void)scene.send("claim", pairing_body("claim", message));
    return SC_ASSERT(!scene.endpoint.paired());
  }
  SC_ASSERT(scene.send("claim", *claim));
  const auto message = sign(protocol::MessageName::enrollment, in.rest());
  SC_ASSERT(!scene.send("enroll", pairing_body("enrollment", message)));
}

/// Control: unmodified messages of the owner pair the device, so the fuzzer's messages pass all earlier checks.
bool owner_pairs() {
  Scene scene;
  SC_ASSERT(scene.send("hello", "{}") && scene.send("claim", pairing_body("claim", pairing_claim_message())));
  SC_ASSERT(!scene.send("enroll", pairing_body("enrollment", pairing_enrollment_message())));
  return scene.endpoint.paired();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool control = owner_pairs();
  SC_ASSERT(control);
  if (size > protocol::max_control_size / 2) return 0;  // maximum of a request body
  Input in(data, size);
  const auto choice = in.byte() % 3;
  if (choice == 0) check_connection(in);
  else check_payload(in, choice == 2);
  return 0;
}
