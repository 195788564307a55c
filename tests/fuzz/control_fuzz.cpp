// SPDX-License-Identifier: Apache-2.0
// Every control message. The first byte says which; its highest bit, whether the rest is a message as it comes or a
// payload that is signed here first: without that the signature would end every run.
#include "card_check.hpp"
#include "cast.hpp"
#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "input.hpp"
#include "protocol/ask.hpp"
#include "protocol/command.hpp"
#include "protocol/grants.hpp"
#include "protocol/status.hpp"

using namespace sealcam;
using namespace sealcam::protocol;
using fuzz::cast;
using fuzz::must;

namespace {

/// Encoded again, `decoded` has the payload that it was read from.
void same_payload(ByteView message, const Bytes& again) {
  SC_ASSERT(equal(must(crypto::cose::parse_sign1(message)).payload, must(crypto::cose::parse_sign1(again)).payload));
}

void check_roster(ByteView message) {
  const auto roster = decode_roster(message, cast().route, cast().owner.verifier());
  if (!roster) return;
  SC_ASSERT(roster->camera_identity.id() == cast().camera.id());
  SC_ASSERT(roster->hubs.size() <= Roster::max_hubs && roster->suspended.size() <= Roster::max_suspended);
  same_payload(message, must(encode_roster(*roster, cast().route, cast().owner.keys().identity)));
}

Bytes payload_of(const Grants& grants) {
  crypto::CborWriter writer;
  writer.map(grants.command ? 7 : 6)
      .integer(1)
      .unsigned_integer(grants.epoch.value())
      .integer(2)
      .integer(static_cast<int>(grants.suite));
  writer.integer(3).unsigned_integer(grants.roster_version.value()).integer(4).bytes(grants.roster_hash);
  writer.integer(5).integer(grants.created.since_epoch.count()).integer(6).map(grants.grants.size());
  for (const auto& grant : grants.grants)
    writer.bytes(grant.hub.bytes()).array(2).bytes(grant.enc).bytes(grant.ciphertext);
  if (grants.command) writer.integer(7).unsigned_integer(grants.command->value());
  return writer.take();
}

void check_grants(ByteView message) {
  const auto grants = decode_grants(message, cast().route, cast().camera.verifier());
  if (!grants) return;
  SC_ASSERT(grants->grants.size() <= Roster::max_hubs);
  SC_ASSERT(equal(payload_of(*grants), must(crypto::cose::parse_sign1(message)).payload));
  const auto content = open_grant(*grants, cast().route, cast().hub.id(), cast().hub.keys().hpke);
  if (content) SC_ASSERT(content->camera_name.size() <= 64);
}

/// What a camera that is on the roster seals to the hub, whatever it is.
void check_grant_plaintext(ByteView plaintext) {
  Grants grants;
  grants.epoch = Epoch(7);
  const auto info = grant_info(cast().route, cast().hub.id(), grants.epoch);
  auto sealed = must(crypto::hpke::seal(cast().hub.hpke(), info, plaintext));
  grants.grants.push_back({cast().hub.id(), sealed.enc, std::move(sealed.ciphertext)});
  const auto content = open_grant(grants, cast().route, cast().hub.id(), cast().hub.keys().hpke);
  if (!content) return;
  crypto::CborWriter again;
  again.map(2).integer(1).bytes(content->base_key.reveal().first(16)).integer(2).text(content->camera_name);
  SC_ASSERT(equal(again.view(), plaintext));
}

void check_ask(ByteView message) {
  const auto ask = decode_ask(message, cast().route, cast().hub.verifier());
  if (!ask) return;
  SC_ASSERT(ask->challenge != Challenge());
  same_payload(message, must(encode_ask(*ask, cast().route, cast().hub.keys().identity)));
}

void check_status(ByteView message) {
  const auto status = decode_status(message, cast().route, cast().camera.verifier());
  if (status) same_payload(message, must(encode_status(*status, cast().route, cast().camera.keys().identity)));
}

/// Encoded again and opened again, a command is the one that it was.
void check_command(ByteView message) {
  const auto open = [](ByteView m) {
    return decode_command(m, cast().route, cast().owner.verifier(), cast().camera.keys().hpke);
  };
  const auto command = open(message);
  if (!command) return;
  const auto again =
      must(open(must(encode_command(*command, cast().route, cast().camera.hpke(), cast().owner.keys().identity))));
  SC_ASSERT(command->seq == again.seq && command->reset.has_value() == again.reset.has_value());
  SC_ASSERT(command->name.has_value() == again.name.has_value());
  if (command->name) SC_ASSERT(command->name->value == again.name->value && command->name->since == again.name->since);
  SC_ASSERT(command->settings.has_value() == again.settings.has_value());
  if (command->settings) SC_ASSERT(command->settings->value == again.settings->value);
  SC_ASSERT(command->wifi.has_value() == again.wifi.has_value());
  if (command->wifi) SC_ASSERT(command->wifi->value.passphrase.reveal() == again.wifi->value.passphrase.reveal());
}

/// Whatever an owner seals to the camera.
void check_command_plaintext(ByteView plaintext) {
  const CommandSeq seq(1000);
  const auto sealed = must(crypto::hpke::seal(cast().camera.hpke(), command_info(cast().route, seq), plaintext));
  crypto::CborWriter writer;
  writer.map(3).integer(1).unsigned_integer(seq.value()).integer(2).bytes(sealed.enc);
  writer.integer(3).bytes(sealed.ciphertext);
  check_command(must(sign_message(MessageName::command, cast().route, cast().owner.keys().identity, writer.view())));
}

Bytes signed_by(const fuzz::Player& signer, MessageName name, ByteView payload) {
  return must(sign_message(name, cast().route, signer.keys().identity, payload));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)cast();
  fuzz::Input in(data, size);
  const auto choice = in.byte();
  const bool sign = (choice & 0x80U) != 0;
  const auto rest = in.rest();
  if (rest.size() > 4096) return 0;  // a message of 64 KiB has nothing that one of 4 KiB cannot have, but costs more
  const auto message = [&](const fuzz::Player& signer, MessageName name) {
    return sign ? signed_by(signer, name, rest) : Bytes(rest.begin(), rest.end());
  };
  switch (choice & 0x7fU) {
    case 0: check_roster(message(cast().owner, MessageName::roster)); break;
    case 1: check_grants(message(cast().camera, MessageName::grants)); break;
    case 2: check_grant_plaintext(rest); break;
    case 3: check_ask(message(cast().hub, MessageName::ask)); break;
    case 4: check_status(message(cast().camera, MessageName::status)); break;
    case 5: fuzz::check_card(sign, rest); break;
    case 6: fuzz::check_admission(sign, rest); break;
    case 7: check_command(message(cast().owner, MessageName::command)); break;
    case 8: check_command_plaintext(rest); break;
    default: break;
  }
  return 0;
}
