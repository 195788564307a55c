// SPDX-License-Identifier: Apache-2.0
// All control messages. The first byte selects one. If its highest bit is set, the rest is a payload that the fuzzer
// signs; otherwise it is a message. Almost every mutation of a signed message would fail at the signature.
#include <algorithm>

#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "descriptor_check.hpp"
#include "input.hpp"
#include "parties.hpp"
#include "protocol/command.hpp"
#include "protocol/phone_link.hpp"
#include "protocol/roster.hpp"
#include "protocol/software_report.hpp"
#include "protocol/status.hpp"
#include "protocol/view_request.hpp"

using namespace sealcam;
using namespace sealcam::protocol;
using fuzz::must;
using fuzz::parties;

namespace {

/// The message that was encoded again has the same payload.
void same_payload(ByteView message, const Bytes& again) {
  SC_ASSERT(equal(must(crypto::cose::parse_sign1(message)).payload, must(crypto::cose::parse_sign1(again)).payload));
}

void check_roster(ByteView message) {
  const auto roster = decode_roster(message, parties().route, parties().owner.verifier());
  if (!roster) return;
  SC_ASSERT(roster->camera_identity.id() == parties().camera.id());
  SC_ASSERT(roster->hubs.size() <= Roster::max_hubs && roster->suspended.size() <= Roster::max_suspended);
  same_payload(message, must(encode_roster(*roster, parties().route, parties().owner.keys().identity)));
}

Bytes payload_of(const Grants& grants) {
  crypto::CborWriter writer;
  writer.map(6U + (grants.command ? 1U : 0U) + (grants.wifi ? 1U : 0U) + (grants.not_stored ? 1U : 0U))
      .integer(1)
      .unsigned_integer(grants.epoch.value())
      .integer(2)
      .integer(static_cast<int>(grants.suite));
  writer.integer(3).unsigned_integer(grants.roster_version.value()).integer(4).bytes(grants.roster_hash);
  writer.integer(5).integer(grants.created.since_epoch.count()).integer(6).map(grants.grants.size());
  for (const auto& grant : grants.grants)
    writer.bytes(grant.hub.bytes())
        .array(4)
        .unsigned_integer(grant.kem)
        .unsigned_integer(grant.key.value())
        .bytes(grant.enc)
        .bytes(grant.ciphertext);
  if (grants.command) writer.integer(7).unsigned_integer(grants.command->value());
  if (grants.wifi) writer.integer(8).integer(static_cast<int>(*grants.wifi));
  if (grants.not_stored) writer.integer(9).boolean(true);
  return writer.take();
}

void check_grants(ByteView message) {
  const auto grants = decode_grants(message, parties().route, parties().camera.verifier());
  if (!grants) return;
  SC_ASSERT(grants->grants.size() <= Roster::max_hubs);
  // A decoder reads the Wi-Fi faults of newer cameras as `other`. The camera's own entry is no grant.
  const auto payload = must(crypto::cose::parse_sign1(message)).payload;
  if (grants->wifi != WifiFault::other && std::ranges::search(payload, parties().camera.id().bytes()).empty())
    SC_ASSERT(equal(payload_of(*grants), payload));
  const auto content = open_grant(*grants, parties().route, parties().hub.id(), parties().hub.keys().hpke);
  if (content) SC_ASSERT(content->camera_name.size() <= 64);
}

/// The fuzzer's plaintext, sealed to the hub as a grant.
void check_grant_plaintext(ByteView plaintext) {
  Grants grants;
  grants.epoch = Epoch(7);
  const auto info = grant_info(parties().route, parties().hub.id(), grants.epoch, PrekeyNumber());
  auto sealed = must(crypto::hpke::seal(parties().hub.hpke(), info, plaintext));
  grants.grants.push_back({.hub = parties().hub.id(),
                           .key = PrekeyNumber(),
                           .enc = Bytes(sealed.enc.begin(), sealed.enc.end()),
                           .ciphertext = std::move(sealed.ciphertext)});
  const auto content = open_grant(grants, parties().route, parties().hub.id(), parties().hub.keys().hpke);
  if (!content) return;
  crypto::CborWriter again;
  again.map(2).integer(1).bytes(content->base_key.reveal().first(16)).integer(2).text(content->camera_name);
  SC_ASSERT(equal(again.view(), plaintext));
}

/// The fuzzer's plaintext, sealed as a software report. An accepted one is the same after it was sealed again.
void check_software_plaintext(ByteView plaintext) {
  const auto& route = parties().route;
  Grants grants;
  grants.epoch = Epoch(7);
  const GrantContent content{};
  auto key = must(
      crypto::sframe::SealingKey::open(grants.suite, crypto::sframe::KeyId(~grants.epoch.value()), content.base_key));
  grants.software.resize(key.sealed_size(plaintext.size()));
  (void)must(key.seal(grants.software, grant_info(route, route.camera, grants.epoch, PrekeyNumber()), plaintext));
  const auto report = open_software_report(grants, route, content);
  if (!report) return;
  grants.software = must(seal_software_report(*report, route, grants.epoch, grants.suite, content.base_key));
  SC_ASSERT(must(open_software_report(grants, route, content)) == *report);
  if (report->update) SC_ASSERT(to_text(*report->update).size() < 512);
}

void check_request(ByteView message) {
  const auto request = decode_view_request(message, parties().route, parties().hub.verifier());
  if (!request) return;
  SC_ASSERT(request->challenge != Challenge());
  same_payload(message, must(encode_view_request(*request, parties().route, parties().hub.keys().identity)));
}

void check_status(ByteView message) {
  const auto status = decode_status(message, parties().route, parties().camera.verifier());
  // A decoder reads the faults of newer cameras as `other`.
  if (status && status->fault != CameraFault::other)
    same_payload(message, must(encode_status(*status, parties().route, parties().camera.keys().identity)));
}

/// A command is the same after it is encoded and opened again.
void check_command(ByteView message) {
  const auto open = [](ByteView m) {
    return decode_command(m, parties().route, parties().owner.verifier(), parties().camera.keys().hpke);
  };
  const auto command = open(message);
  if (!command) return;
  const auto again = must(
      open(must(encode_command(*command, parties().route, parties().camera.hpke(), parties().owner.keys().identity))));
  SC_ASSERT(command->seq == again.seq && command->reset.has_value() == again.reset.has_value());
  SC_ASSERT(command->name.has_value() == again.name.has_value());
  if (command->name) SC_ASSERT(command->name->value == again.name->value && command->name->since == again.name->since);
  SC_ASSERT(command->settings.has_value() == again.settings.has_value());
  if (command->settings) SC_ASSERT(command->settings->value == again.settings->value);
  SC_ASSERT(command->wifi.has_value() == again.wifi.has_value());
  SC_ASSERT(command->update.has_value() == again.update.has_value());
  if (command->update) SC_ASSERT(command->update->value == again.update->value);
  if (command->wifi) SC_ASSERT(command->wifi->value.passphrase.reveal() == again.wifi->value.passphrase.reveal());
}

/// The fuzzer's plaintext, sealed to the camera as a command.
void check_command_plaintext(ByteView plaintext) {
  const CommandSeq seq(1000);
  const auto sealed = must(crypto::hpke::seal(parties().camera.hpke(), command_info(parties().route, seq), plaintext));
  crypto::CborWriter writer;
  writer.map(3).integer(1).unsigned_integer(seq.value()).integer(2).bytes(sealed.enc);
  writer.integer(3).bytes(sealed.ciphertext);
  check_command(
      must(sign_message(MessageName::command, parties().route, parties().owner.keys().identity, writer.view())));
}

void check_index(ByteView message, bool sign) {
  const auto account = parties().owner.account();
  const auto hub = parties().hub.id();
  const auto& owner = parties().owner;
  const auto index =
      decode_index(sign ? must(sign_message(MessageName::index, {account, hub}, owner.keys().identity, message))
                        : Bytes(message.begin(), message.end()),
                   account, hub, owner.verifier());
  if (!index) return;
  SC_ASSERT(std::ranges::is_sorted(index->cameras) && index->cameras.size() <= CameraIndex::max_cameras);
  const auto again = must(encode_index(*index, account, hub, owner.keys().identity));
  if (sign) SC_ASSERT(equal(message, must(crypto::cose::parse_sign1(again)).payload));
}

/// The path of a request: an accepted slot has this text only.
void check_slot(std::string_view text) {
  if (const auto slot = parse_link_slot(text)) SC_ASSERT(to_hex(*slot) == text);
}

void check_opening(ByteView message, bool sign) {
  check_slot(as_text(message));
  const auto& owner = parties().owner;
  const Route route{owner.account(), DeviceId()};
  const auto opening =
      decode_link_opening(sign ? must(sign_message(MessageName::link, route, owner.keys().identity, message))
                               : Bytes(message.begin(), message.end()));
  if (!opening) return;
  SC_ASSERT(opening->owner == owner.identity());
  const auto again = must(encode_link_opening(*opening, owner.keys().identity));
  if (sign) SC_ASSERT(equal(message, must(crypto::cose::parse_sign1(again)).payload));
}

Bytes signed_by(const fuzz::Party& signer, MessageName name, ByteView payload) {
  return must(sign_message(name, parties().route, signer.keys().identity, payload));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)parties();
  fuzz::Input in(data, size);
  const auto choice = in.byte();
  const bool sign = (choice & 0x80U) != 0;
  const auto rest = in.rest();
  if (rest.size() > 4096) return 0;  // longer messages are slower and reach no other code
  const auto message = [&](const fuzz::Party& signer, MessageName name) {
    return sign ? signed_by(signer, name, rest) : Bytes(rest.begin(), rest.end());
  };
  switch (choice & 0x7fU) {
    case 0: check_roster(message(parties().owner, MessageName::roster)); break;
    case 1: check_grants(message(parties().camera, MessageName::grants)); break;
    case 2: check_grant_plaintext(rest); break;
    case 3: check_request(message(parties().hub, MessageName::request)); break;
    case 4: check_status(message(parties().camera, MessageName::status)); break;
    case 5: fuzz::check_device_descriptor(sign, rest); break;
    case 6: fuzz::check_authorization(sign, rest); break;
    case 7: check_command(message(parties().owner, MessageName::command)); break;
    case 8: check_command_plaintext(rest); break;
    case 9: check_index(rest, sign); break;
    case 10: check_opening(rest, sign); break;
    case 11: check_software_plaintext(rest); break;
    default: break;
  }
  return 0;
}
