// SPDX-License-Identifier: Apache-2.0
#include "protocol/envelope.hpp"

#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"

namespace sealcam::protocol {

namespace cose = crypto::cose;

std::string_view name(MessageName message) noexcept {
  switch (message) {
    case MessageName::roster: return "roster";
    case MessageName::command: return "command";
    case MessageName::grants: return "grants";
    case MessageName::frame: return "frame";
    case MessageName::ask: return "ask";
    case MessageName::status: return "status";
    case MessageName::card: return "card";
    case MessageName::admission: return "admission";
    case MessageName::pairing_proof: return "pairing-proof";
    case MessageName::pairing_claim: return "pairing-claim";
    case MessageName::enrolment: return "enrolment";
  }
  return "";
}

Bytes external_aad(MessageName message, const Route& route) {
  crypto::CborWriter writer;
  writer.array(4).text("sealcam/1").text(name(message)).bytes(route.account.bytes()).bytes(route.camera.bytes());
  return writer.take();
}

Bytes protected_header(const DeviceId& signer) {
  crypto::CborWriter writer;
  writer.map(2).integer(1).integer(cose::es256).integer(4).bytes(signer.bytes());
  return writer.take();
}

Result<Bytes> sign_message(MessageName message, const Route& route, const crypto::SigningKey& key, ByteView payload) {
  return cose::sign1(key, protected_header(key.id()), external_aad(message, route), payload);
}

namespace {

/// Bytes of the head of a byte string of `n` bytes (RFC 8949 section 3).
constexpr std::size_t string_head(std::size_t n) noexcept { return n < 24 ? 1 : n < 256 ? 2 : n < 65536 ? 3 : 5; }

/// Our messages have an empty unprotected header and the one protected header that fits their signer, so a
/// message has one spelling and its hash names it.
Result<cose::Sign1View> parse_strict(ByteView message) {
  if (message.size() > max_control_size) return fail(Errc::malformed, "control message is too large");
  auto view = cose::parse_sign1(message);
  if (!view) return view;
  const std::size_t expected = 1 + 1 + string_head(view->protected_header.size()) + view->protected_header.size() + 1 +
                               string_head(view->payload.size()) + view->payload.size() + 2 + 64;
  if (message.size() != expected) return fail(Errc::malformed, "unprotected header is not empty");
  return view;
}

}  // namespace

Result<DeviceId> claimed_signer(ByteView message) {
  auto view = parse_strict(message);
  if (!view) return std::unexpected(view.error());
  auto header = cose::parse_protected(view->protected_header);
  if (!header) return std::unexpected(header.error());
  return DeviceId::from(header->key_id);
}

Result<ByteView> verify_message(MessageName name, const Route& route, const crypto::Verifier& key, ByteView message) {
  auto view = parse_strict(message);
  if (!view) return std::unexpected(view.error());
  auto header = cose::parse_protected(view->protected_header);
  if (!header) return std::unexpected(header.error());
  if (!equal(header->key_id, key.id().bytes())) return fail(Errc::wrong_key, "message is signed in another name");
  if (!equal(view->protected_header, protected_header(key.id())))
    return fail(Errc::malformed, "protected header of a message");
  if (auto r = cose::verify_sign1(*view, external_aad(name, route), key); !r) return std::unexpected(r.error());
  return view->payload;
}

}  // namespace sealcam::protocol
