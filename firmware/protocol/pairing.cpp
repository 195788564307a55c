// SPDX-License-Identifier: Apache-2.0
#include "protocol/pairing.hpp"

#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "protocol/fields.hpp"

namespace sealcam::protocol {

namespace {

/// The writer's bytes are signed and wiped, since they may hold a secret.
Result<Bytes> sign_and_wipe(MessageName message, const Route& route, const crypto::SigningKey& key,
                            crypto::CborWriter& writer) {
  Bytes payload = writer.take();
  auto signed_message = sign_message(message, route, key, payload);
  wipe(payload);
  return signed_message;
}

Result<> read_channel(crypto::CborReader& reader, const ChannelBinding& channel) {
  if (auto r = reader.key(1); !r) return r;
  const auto bytes = reader.bytes(ChannelBinding::size());
  if (!bytes) return std::unexpected(bytes.error());
  if (!crypto::equal_secrets(*bytes, channel.reveal()))
    return fail(Errc::wrong_key, "the message was made for another connection");
  return {};
}

Result<> read_text(crypto::CborReader& reader, std::int64_t key, std::size_t least, std::size_t most,
                   std::string& out) {
  if (auto r = reader.key(key); !r) return r;
  const auto text = reader.text();
  if (!text) return std::unexpected(text.error());
  if (text->size() < least || text->size() > most) return fail(Errc::malformed, "length of a text");
  out = *text;
  return {};
}

Result<> read_port(crypto::CborReader& reader, std::int64_t key, std::uint16_t& out) {
  if (auto r = reader.key(key); !r) return r;
  const auto port = reader.unsigned_integer();
  if (!port) return std::unexpected(port.error());
  if (*port < 1 || *port > 65535) return fail(Errc::malformed, "port of a broker");
  out = static_cast<std::uint16_t>(*port);
  return {};
}

/// The optional fields, of which `pairs` are there.
Result<> read_options(crypto::CborReader& reader, std::size_t pairs, PairingEnrolment& enrolment) {
  if (pairs > 0 && reader.key(7)) {
    const auto roster = reader.bytes();
    if (!roster) return std::unexpected(roster.error());
    enrolment.roster.emplace(roster->begin(), roster->end());
    --pairs;
  }
  if (pairs > 0) {
    if (auto r = reader.key(8); !r) return r;
    auto wifi = read_wifi(reader);
    if (!wifi) return std::unexpected(wifi.error());
    enrolment.wifi = std::move(*wifi);
    --pairs;
  }
  if (pairs > 0) return fail(Errc::malformed, "unknown field of an enrolment");
  return reader.finish();
}

bool fits(const PairingEnrolment& e) {
  return !e.broker_host.empty() && e.broker_host.size() <= PairingEnrolment::max_host && e.broker_port != 0 &&
         e.ca_pem.size() <= PairingEnrolment::max_pem && e.certificate_pem.size() <= PairingEnrolment::max_pem &&
         e.name.size() <= PairingEnrolment::max_name;
}

}  // namespace

Result<Bytes> encode_pairing_proof(const ChannelBinding& channel, const crypto::SigningKey& device) {
  crypto::CborWriter writer;
  writer.map(1).integer(1).bytes(channel.reveal());
  return sign_and_wipe(MessageName::pairing_proof, {AccountId(), device.id()}, device, writer);
}

Result<> check_pairing_proof(ByteView message, const ChannelBinding& channel, const crypto::Verifier& device) {
  const auto payload = verify_message(MessageName::pairing_proof, {AccountId(), device.id()}, device, message);
  if (!payload) return std::unexpected(payload.error());
  crypto::CborReader reader(*payload);
  if (auto r = reader.map(1); !r) return r;
  if (auto r = read_channel(reader, channel); !r) return r;
  return reader.finish();
}

Result<Bytes> encode_pairing_claim(const PairingCode& code, const ChannelBinding& channel, const DeviceId& device,
                                   const crypto::SigningKey& owner) {
  std::string letters = code.reveal();
  crypto::CborWriter writer;
  writer.map(3).integer(1).bytes(channel.reveal()).integer(2).bytes(owner.public_key().bytes());
  writer.integer(3).text(letters);
  wipe(std::as_writable_bytes(std::span(letters)));
  return sign_and_wipe(MessageName::pairing_claim, {owner.public_key().account(), device}, owner, writer);
}

Result<PairingClaim> decode_pairing_claim(ByteView message, const ChannelBinding& channel, const DeviceId& device) {
  // The message carries the key it is signed with: it is read first, and the signature checked with it then.
  if (auto signer = claimed_signer(message); !signer) return std::unexpected(signer.error());
  const auto view = crypto::cose::parse_sign1(message);
  if (!view) return std::unexpected(view.error());
  crypto::CborReader reader(view->payload);
  if (auto r = reader.map(3); !r) return std::unexpected(r.error());
  if (auto r = read_channel(reader, channel); !r) return std::unexpected(r.error());
  crypto::PublicKey owner;
  if (auto r = read_public_key(reader, 2, owner); !r) return std::unexpected(r.error());
  if (auto r = reader.key(3); !r) return std::unexpected(r.error());
  const auto letters = reader.text();
  if (!letters) return std::unexpected(letters.error());
  auto code = PairingCode::parse(*letters);
  if (!code) return std::unexpected(code.error());
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  const auto verifier = crypto::Verifier::open(owner);
  if (!verifier) return std::unexpected(verifier.error());
  if (auto r = verify_message(MessageName::pairing_claim, {owner.account(), device}, *verifier, message); !r)
    return std::unexpected(r.error());
  return PairingClaim{owner, std::move(*code)};
}

Result<Bytes> encode_pairing_enrolment(const PairingEnrolment& enrolment, const ChannelBinding& channel,
                                       const DeviceId& device, const crypto::SigningKey& owner) {
  if (!fits(enrolment)) return fail(Errc::invalid_argument, "a field of an enrolment is too long or empty");
  const std::size_t options = (enrolment.roster ? 1U : 0U) + (enrolment.wifi ? 1U : 0U);
  crypto::CborWriter writer;
  writer.map(6 + options).integer(1).bytes(channel.reveal());
  writer.integer(2).text(enrolment.broker_host).integer(3).integer(enrolment.broker_port);
  writer.integer(4).text(enrolment.ca_pem).integer(5).text(enrolment.certificate_pem);
  writer.integer(6).text(enrolment.name);
  if (enrolment.roster) writer.integer(7).bytes(*enrolment.roster);
  if (enrolment.wifi) {
    writer.integer(8);
    write_wifi(writer, *enrolment.wifi);
  }
  return sign_and_wipe(MessageName::enrolment, {owner.public_key().account(), device}, owner, writer);
}

Result<PairingEnrolment> decode_pairing_enrolment(ByteView message, const ChannelBinding& channel,
                                                  const DeviceId& device, const crypto::Verifier& owner) {
  const auto payload = verify_message(MessageName::enrolment, {owner.key().account(), device}, owner, message);
  if (!payload) return std::unexpected(payload.error());
  crypto::CborReader reader(*payload);
  const auto pairs = reader.map();
  if (!pairs) return std::unexpected(pairs.error());
  if (*pairs < 6 || *pairs > 8) return fail(Errc::malformed, "fields of an enrolment");
  if (auto r = read_channel(reader, channel); !r) return std::unexpected(r.error());
  PairingEnrolment e;
  using E = PairingEnrolment;
  if (auto r = read_text(reader, 2, 1, E::max_host, e.broker_host); !r) return std::unexpected(r.error());
  if (auto r = read_port(reader, 3, e.broker_port); !r) return std::unexpected(r.error());
  if (auto r = read_text(reader, 4, 0, E::max_pem, e.ca_pem); !r) return std::unexpected(r.error());
  if (auto r = read_text(reader, 5, 0, E::max_pem, e.certificate_pem); !r) return std::unexpected(r.error());
  if (auto r = read_text(reader, 6, 0, E::max_name, e.name); !r) return std::unexpected(r.error());
  if (auto r = read_options(reader, *pairs - 6, e); !r) return std::unexpected(r.error());
  return e;
}

}  // namespace sealcam::protocol
