// SPDX-License-Identifier: Apache-2.0
// COSE_Sign1, its protected header, and public keys.
#include "crypto/cose.hpp"
#include "input.hpp"
#include "parties.hpp"
#include "protocol/envelope.hpp"
#include "support/sig_structure.hpp"

using namespace sealcam;
namespace cose = crypto::cose;

namespace {

void check_header(ByteView header) {
  const auto parsed = cose::parse_protected(header, -65537);
  if (!parsed) return;
  SC_ASSERT(parsed->algorithm == cose::es256);
  SC_ASSERT(fuzz::inside(parsed->key_id, header));
}

void check_message(ByteView message) {
  const auto view = cose::parse_sign1(message);
  if (view) {
    SC_ASSERT(fuzz::inside(view->protected_header, message));
    SC_ASSERT(fuzz::inside(view->payload, message));
    SC_ASSERT(fuzz::inside(view->signature, message));
    check_header(view->protected_header);
    const auto structure = test::sig_structure(view->protected_header, message.first(1), view->payload);
    const auto digest = cose::to_be_signed(view->protected_header, message.first(1), view->payload);
    SC_ASSERT(digest && *digest == fuzz::must(crypto::sha256(structure)));
  }
  const auto signer = protocol::claimed_signer(message);
  if (!signer) return;
  SC_ASSERT(view && message.size() <= protocol::max_control_size);
  SC_ASSERT(equal(signer->bytes(), fuzz::must(cose::parse_protected(view->protected_header)).key_id));
}

void check_verification(ByteView message) {
  const auto& parties = fuzz::parties();
  const auto payload =
      protocol::verify_message(protocol::MessageName::status, parties.route, parties.camera.verifier(), message);
  if (!payload) return;
  // Only messages of the corpus have the camera's signature. A message that verifies has the only valid encoding.
  SC_ASSERT(fuzz::inside(*payload, message));
  const auto view = fuzz::must(cose::parse_sign1(message));
  SC_ASSERT(equal(view.protected_header, protocol::protected_header(parties.camera.id())));
}

void check_key(ByteView bytes) {
  const auto key = crypto::PublicKey::parse(bytes);
  if (!key) return;
  SC_ASSERT(equal(key->bytes(), bytes));
  const auto verifier = crypto::Verifier::open(*key);
  SC_ASSERT(verifier && verifier->id() == key->id());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)fuzz::parties();
  fuzz::Input in(data, size);
  switch (in.byte() % 4) {
    case 0: check_message(in.rest()); break;
    case 1: check_header(in.rest()); break;
    case 2: check_verification(in.rest()); break;
    case 3: check_key(in.rest()); break;
  }
  return 0;
}
