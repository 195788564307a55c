// SPDX-License-Identifier: Apache-2.0
#include "protocol/phone_link.hpp"

#include <algorithm>

#include "crypto/cbor.hpp"
#include "crypto/hkdf.hpp"
#include "crypto/hpke.hpp"
#include "protocol/fields.hpp"

namespace sealcam::protocol {

template <std::size_t N>
Result<TextSecret<N>> TextSecret<N>::draw() {
  Secret<N> bytes;
  if (auto r = crypto::random(bytes.fill()); !r) return std::unexpected(r.error());
  return TextSecret(std::move(bytes));
}

template <std::size_t N>
Result<TextSecret<N>> TextSecret<N>::parse(std::string_view text) {
  if (text.size() != text_size) return fail(Errc::malformed, "length of a secret in base64url");
  auto decoded = from_base64url(text);
  if (!decoded) return std::unexpected(decoded.error());
  Secret<N> bytes{std::span<const std::byte, N>(*decoded)};
  wipe(*decoded);
  return TextSecret(std::move(bytes));
}

template class TextSecret<16>;
template class TextSecret<32>;

Result<LinkSlot> parse_link_slot(std::string_view text) {
  LinkSlot slot{};
  const auto bytes = from_hex(text);
  // One text for each slot, so that a rejected path and an accepted one cannot name the same slot.
  if (!bytes || bytes->size() != slot.size() || to_hex(*bytes) != text)
    return fail(Errc::malformed, "a slot is 32 lower-case hexadecimal digits");
  std::ranges::copy(*bytes, slot.begin());
  return slot;
}

Result<Bytes> encode_link_opening(const LinkOpening& opening, const crypto::SigningKey& owner) {
  SC_ASSERT(opening.owner == owner.public_key());
  crypto::CborWriter writer;
  writer.map(3).integer(1).bytes(opening.slot).integer(2).bytes(opening.owner.bytes());
  writer.integer(3).integer(opening.time.since_epoch.count());
  return sign_message(MessageName::link, Route{opening.owner.account(), DeviceId()}, owner, writer.view());
}

Result<LinkOpening> decode_link_opening(ByteView message, const crypto::PublicKey* owner) {
  const auto payload = unverified_payload(message);
  if (!payload) return std::unexpected(payload.error());
  crypto::CborReader reader(*payload);
  LinkOpening opening;
  if (auto r = reader.map(3); !r) return std::unexpected(r.error());
  if (auto r = reader.key(1); !r) return std::unexpected(r.error());
  const auto slot = reader.bytes(opening.slot.size());
  if (!slot) return std::unexpected(slot.error());
  std::ranges::copy(*slot, opening.slot.begin());
  if (auto r = read_public_key(reader, 2, opening.owner); !r) return std::unexpected(r.error());
  if (auto r = read_time(reader, 3, opening.time); !r) return std::unexpected(r.error());
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  if (owner != nullptr && opening.owner != *owner) return fail(Errc::wrong_key, "another owner opens the slot");
  const Route route{opening.owner.account(), DeviceId()};
  if (auto r = verify_with(MessageName::link, route, opening.owner, message); !r) return std::unexpected(r.error());
  return opening;
}

namespace {

constexpr std::string_view web_scheme = "wss://";

/// HMAC-SHA-256 of the parts, one behind the other.
Result<crypto::Digest> mac_of(const Secret<32>& key, std::initializer_list<ByteView> parts) {
  Bytes joined;
  for (const auto part : parts) joined.insert(joined.end(), part.begin(), part.end());
  return crypto::hmac_sha256(key.reveal(), joined);
}

Result<> check_mac(const Secret<32>& key, std::initializer_list<ByteView> parts, ByteView received) {
  const auto expected = mac_of(key, parts);
  if (!expected) return std::unexpected(expected.error());
  if (!crypto::equal_secrets(*expected, received)) return fail(Errc::wrong_key, "message belongs to another link");
  return {};
}

/// The messages of a link have one reason for all faults of the signature, because the receiver knows no signer.
Error signature_fault(const Error& error) noexcept {
  return error.code == Errc::wrong_key ? Error{Errc::bad_signature, 0, "message names another signer"} : error;
}

bool is_address(std::string_view text) {
  return text.size() <= PhoneEnrollment::max_address && text.starts_with(web_scheme) &&
         HostPort::parse(text.substr(web_scheme.size())).has_value();
}

bool is_phone_name(std::string_view name) { return !name.empty() && name.size() <= PhoneEnrollment::max_name; }

Bytes enrollment_info(const AccountId& account, const DeviceId& phone) {
  crypto::CborWriter writer;
  writer.array(3).text("sealcam/1 phone").bytes(account.bytes()).bytes(phone.bytes());
  return writer.take();
}

}  // namespace

Result<LinkKeys> LinkKeys::derive(const LinkCode& code) {
  Secret<32> prk;
  LinkKeys keys;
  using crypto::HkdfHash;
  if (auto r = crypto::hkdf_extract(HkdfHash::sha256, {}, code.bytes(), prk.fill()); !r)
    return std::unexpected(r.error());
  const auto expand = [&](std::string_view info, MutableBytes out) {
    return crypto::hkdf_expand(HkdfHash::sha256, prk.reveal(), as_bytes(info), out);
  };
  if (auto r = expand("sealcam/1 link slot", keys.slot); !r) return std::unexpected(r.error());
  if (auto r = expand("sealcam/1 link descriptor", keys.descriptor.fill()); !r) return std::unexpected(r.error());
  if (auto r = expand("sealcam/1 link enrollment", keys.enrollment.fill()); !r) return std::unexpected(r.error());
  return keys;
}

Result<Bytes> encode_link_descriptor(ByteView descriptor, const LinkKeys& keys) {
  const auto mac = mac_of(keys.descriptor, {descriptor});
  if (!mac) return std::unexpected(mac.error());
  crypto::CborWriter writer;
  writer.array(2).bytes(descriptor).bytes(*mac);
  return writer.take();
}

Result<LinkDescriptor> decode_link_descriptor(ByteView message, const LinkKeys& keys) {
  if (message.size() > LinkDescriptor::max_size) return fail(Errc::malformed, "link-descriptor is too large");
  crypto::CborReader reader(message);
  if (auto r = reader.array(2); !r) return std::unexpected(r.error());
  const auto descriptor = reader.bytes();
  if (!descriptor) return std::unexpected(descriptor.error());
  const auto mac = reader.bytes(sizeof(crypto::Digest));
  if (!mac) return std::unexpected(mac.error());
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  if (auto r = check_mac(keys.descriptor, {*descriptor}, *mac); !r) return std::unexpected(r.error());
  auto phone = decode_device_descriptor(*descriptor);
  if (!phone) return std::unexpected(signature_fault(phone.error()));
  if (phone->role != Role::hub || phone->tls) return fail(Errc::unsupported, "the descriptor is not that of a phone");
  return LinkDescriptor{*phone, Bytes(descriptor->begin(), descriptor->end())};
}

Result<Bytes> encode_link_enrollment(const PhoneEnrollment& enrollment, const DeviceDescriptor& phone,
                                     const crypto::SigningKey& owner, const LinkKeys& keys) {
  SC_ASSERT(enrollment.owner == owner.public_key());
  if (!is_address(enrollment.broker)) return fail(Errc::invalid_argument, "the address must be wss://HOST:PORT");
  if (!is_phone_name(enrollment.name)) return fail(Errc::invalid_argument, "a name must have 1 to 64 bytes");
  const Route route{enrollment.owner.account(), phone.identity.id()};
  std::string password = enrollment.password.reveal();
  crypto::CborWriter body;
  body.map(5).integer(1).bytes(route.camera.bytes()).integer(2).bytes(enrollment.owner.bytes());
  body.integer(3).text(enrollment.broker).integer(4).text(password).integer(5).text(enrollment.name);
  wipe(std::as_writable_bytes(std::span(password)));
  Bytes payload = body.take();
  auto message = sign_message(MessageName::phone_enrollment, route, owner, payload);
  wipe(payload);
  if (!message) return message;
  auto sealed = crypto::hpke::seal(phone.hpke, enrollment_info(route.account, route.camera), *message);
  wipe(*message);
  if (!sealed) return std::unexpected(sealed.error());
  const auto mac = mac_of(keys.enrollment, {route.account.bytes(), sealed->enc, sealed->ciphertext});
  if (!mac) return std::unexpected(mac.error());
  crypto::CborWriter writer;
  writer.array(4).bytes(route.account.bytes()).bytes(sealed->enc).bytes(sealed->ciphertext).bytes(*mac);
  return writer.take();
}

namespace {

struct SealedEnrollment {
  AccountId account;
  crypto::hpke::Enc enc{};
  ByteView ciphertext;
};

/// Form and MAC.
Result<SealedEnrollment> read_sealed_enrollment(ByteView message, const LinkKeys& keys) {
  if (message.size() > PhoneEnrollment::max_message) return fail(Errc::malformed, "link-enrollment is too large");
  crypto::CborReader reader(message);
  if (auto r = reader.array(4); !r) return std::unexpected(r.error());
  SealedEnrollment sealed;
  const auto account = reader.bytes(AccountId::size);
  if (!account) return std::unexpected(account.error());
  sealed.account = AccountId(account->first<AccountId::size>());
  const auto enc = reader.bytes(sealed.enc.size());
  if (!enc) return std::unexpected(enc.error());
  std::ranges::copy(*enc, sealed.enc.begin());
  const auto ciphertext = reader.bytes();
  if (!ciphertext) return std::unexpected(ciphertext.error());
  sealed.ciphertext = *ciphertext;
  const auto mac = reader.bytes(sizeof(crypto::Digest));
  if (!mac) return std::unexpected(mac.error());
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  if (auto r = check_mac(keys.enrollment, {*account, *enc, *ciphertext}, *mac); !r) return std::unexpected(r.error());
  return sealed;
}

Result<std::string_view> read_text(crypto::CborReader& reader, std::int64_t key) {
  if (auto r = reader.key(key); !r) return std::unexpected(r.error());
  return reader.text();
}

/// The signed message, after it was opened.
Result<PhoneEnrollment> read_enrollment(ByteView message, const Route& route) {
  const auto payload = unverified_payload(message);
  if (!payload) return std::unexpected(payload.error());
  crypto::CborReader reader(*payload);
  if (auto r = reader.map(5); !r) return std::unexpected(r.error());
  DeviceId phone;
  crypto::PublicKey owner;
  if (auto r = read_id(reader, 1, phone); !r) return std::unexpected(r.error());
  if (auto r = read_public_key(reader, 2, owner); !r) return std::unexpected(r.error());
  const auto broker = read_text(reader, 3);
  if (!broker) return std::unexpected(broker.error());
  if (!is_address(*broker)) return fail(Errc::malformed, "the address must be wss://HOST:PORT");
  const auto letters = read_text(reader, 4);
  if (!letters) return std::unexpected(letters.error());
  auto password = PhonePassword::parse(*letters);
  if (!password) return std::unexpected(password.error());
  const auto name = read_text(reader, 5);
  if (!name) return std::unexpected(name.error());
  if (!is_phone_name(*name)) return fail(Errc::malformed, "a name must have 1 to 64 bytes");
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  if (owner.account() != route.account) return fail(Errc::conflict, "the key is not that of the account");
  if (auto r = verify_with(MessageName::phone_enrollment, route, owner, message); !r)
    return std::unexpected(signature_fault(r.error()));
  if (phone != route.camera) return fail(Errc::conflict, "the enrollment is for another phone");
  return PhoneEnrollment{owner, std::string(*broker), std::move(*password), std::string(*name)};
}

}  // namespace

Result<PhoneEnrollment> decode_link_enrollment(ByteView message, const LinkKeys& keys, const DeviceId& own,
                                               const crypto::AgreementKey& hpke) {
  const auto sealed = read_sealed_enrollment(message, keys);
  if (!sealed) return std::unexpected(sealed.error());
  auto opened = crypto::hpke::open(hpke, sealed->enc, enrollment_info(sealed->account, own), sealed->ciphertext);
  if (!opened) return std::unexpected(opened.error());
  auto enrollment = read_enrollment(*opened, {sealed->account, own});
  wipe(*opened);
  return enrollment;
}

}  // namespace sealcam::protocol
