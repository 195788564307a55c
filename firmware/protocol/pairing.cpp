// SPDX-License-Identifier: Apache-2.0
#include "protocol/pairing.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "base/bytes.hpp"
#include "base/format.hpp"
#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "crypto/psa.hpp"
#include "protocol/fields.hpp"

namespace sealcam::protocol {

std::string_view name(Role role) noexcept {
  switch (role) {
    case Role::camera: return "camera";
    case Role::hub: return "hub";
    case Role::owner: return "owner";
  }
  return "";
}

namespace {

Result<Role> read_role(crypto::CborReader& reader) {
  if (auto r = reader.key(1); !r) return std::unexpected(r.error());
  const auto role = reader.unsigned_integer();
  if (!role) return std::unexpected(role.error());
  if (*role < 1 || *role > 3) return fail(Errc::malformed, "unknown role");
  return static_cast<Role>(*role);
}

}  // namespace

Result<Bytes> encode_device_descriptor(Role role, const crypto::DeviceKeys& keys,
                                       const std::optional<crypto::PublicKey>& tls) {
  SC_ASSERT(tls || role == Role::hub);
  crypto::CborWriter writer;
  writer.map(tls ? 4 : 3).integer(1).integer(static_cast<int>(role)).integer(2);
  writer.bytes(keys.identity.public_key().bytes()).integer(3).bytes(keys.hpke.public_key().bytes());
  if (tls) writer.integer(4).bytes(tls->bytes());
  return sign_message(MessageName::descriptor, Route{AccountId(), keys.identity.id()}, keys.identity, writer.view());
}

Result<DeviceDescriptor> decode_device_descriptor(ByteView message) {
  const auto payload = unverified_payload(message);
  if (!payload) return std::unexpected(payload.error());
  crypto::CborReader reader(*payload);
  DeviceDescriptor descriptor;
  const auto pairs = reader.map();
  if (!pairs) return std::unexpected(pairs.error());
  if (*pairs != 3 && *pairs != 4) return fail(Errc::malformed, "a descriptor has three or four fields");
  const auto role = read_role(reader);
  if (!role) return std::unexpected(role.error());
  descriptor.role = *role;
  if (auto r = read_public_key(reader, 2, descriptor.identity); !r) return std::unexpected(r.error());
  if (auto r = read_public_key(reader, 3, descriptor.hpke); !r) return std::unexpected(r.error());
  if (*pairs == 3 && *role != Role::hub) return fail(Errc::malformed, "only a hub may have no TLS key");
  if (*pairs == 4)
    if (auto r = read_public_key(reader, 4, descriptor.tls.emplace()); !r) return std::unexpected(r.error());
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  if (auto r = verify_with(MessageName::descriptor, Route{AccountId(), descriptor.identity.id()}, descriptor.identity,
                           message);
      !r)
    return std::unexpected(r.error());
  return descriptor;
}

Result<Bytes> encode_authorization(const Authorization& authorization, const crypto::SigningKey& owner) {
  SC_ASSERT(authorization.owner == owner.public_key());
  SC_ASSERT(authorization.tls.has_value() != authorization.login.has_value());
  SC_ASSERT(authorization.tls || authorization.role == Role::hub);
  crypto::CborWriter writer;
  writer.map(4).integer(1).integer(static_cast<int>(authorization.role)).integer(2).bytes(authorization.device.bytes());
  writer.integer(3).bytes(authorization.owner.bytes());
  if (authorization.tls) writer.integer(4).bytes(authorization.tls->bytes());
  else writer.integer(5).array(2).bytes(authorization.login->salt).bytes(authorization.login->hash);
  return sign_message(MessageName::authorization, Route{authorization.owner.account(), authorization.device}, owner,
                      writer.view());
}

namespace {

/// The last field: the TLS key, or the hash of a phone's password.
Result<> read_access(crypto::CborReader& reader, Authorization& authorization) {
  const auto key = reader.unsigned_integer();
  if (!key) return std::unexpected(key.error());
  if (*key == 4) return read_public_key(reader, authorization.tls.emplace());
  if (*key != 5) return fail(Errc::malformed, "an authorization needs a TLS key or a login");
  if (authorization.role != Role::hub) return fail(Errc::malformed, "only a hub may have a login");
  auto& login = authorization.login.emplace();
  if (auto r = reader.array(2); !r) return r;
  for (const MutableBytes out : {MutableBytes(login.salt), MutableBytes(login.hash)}) {
    const auto bytes = reader.bytes(out.size());
    if (!bytes) return std::unexpected(bytes.error());
    std::ranges::copy(*bytes, out.begin());
  }
  return {};
}

}  // namespace

Result<Authorization> decode_authorization(ByteView message) {
  const auto payload = unverified_payload(message);
  if (!payload) return std::unexpected(payload.error());
  crypto::CborReader reader(*payload);
  Authorization authorization;
  if (auto r = reader.map(4); !r) return std::unexpected(r.error());
  const auto role = read_role(reader);
  if (!role) return std::unexpected(role.error());
  authorization.role = *role;
  if (auto r = read_id(reader, 2, authorization.device); !r) return std::unexpected(r.error());
  if (auto r = read_public_key(reader, 3, authorization.owner); !r) return std::unexpected(r.error());
  if (auto r = read_access(reader, authorization); !r) return std::unexpected(r.error());
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  const Route route{authorization.owner.account(), authorization.device};
  if (auto r = verify_with(MessageName::authorization, route, authorization.owner, message); !r)
    return std::unexpected(r.error());
  return authorization;
}

namespace {

constexpr std::string_view scheme = "sealcam:";
constexpr std::string_view version = "1:";
constexpr std::size_t max_host = 253;  // RFC 1035 section 2.3.4, without the final dot

/// inet_pton() would read text up to a NUL byte only.
bool is_address(int family, std::string_view host) {
  in6_addr out{};
  return !host.contains('\0') && host.size() < INET6_ADDRSTRLEN &&
         ::inet_pton(family, std::string(host).c_str(), &out) == 1;
}

/// No name ends with a number (RFC 1123 section 2.1), so that a wrong IPv4 address is no name. getaddrinfo() would read
/// the numbers of 192.168.001.010 as octal.
bool is_name(std::string_view host) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto allowed = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || digit(c) || c == '.' || c == '-';
  };
  if (host.empty() || host.size() > max_host || host.front() == '-' || host.front() == '.' ||
      !std::ranges::all_of(host, allowed))
    return false;
  const auto without_dot = host.substr(0, host.size() - (host.ends_with('.') ? 1 : 0));
  const auto last = without_dot.substr(without_dot.rfind('.') + 1);  // npos + 1 is 0
  return !std::ranges::all_of(last, digit) || is_address(AF_INET, host);
}

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0 || text.front() == '0')
    return fail(Errc::malformed, "a port must be an integer from 1 to 65535");
  return port;
}

}  // namespace

Result<PairingCode> PairingCode::draw() {
  Secret<5> bits;
  if (auto r = crypto::random(bits.fill()); !r) return std::unexpected(r.error());
  return PairingCode(std::move(bits));
}

Result<PairingCode> PairingCode::parse(std::string_view text) {
  Secret<5> bits;
  if (text.size() != text_size || !from_base32(text, bits.fill()))
    return fail(Errc::malformed, "a pairing code must have 8 characters, a to z and 2 to 7");
  return PairingCode(std::move(bits));
}

bool PairingCode::matches(const PairingCode& other) const noexcept {
  return crypto::equal_secrets(bits_.reveal(), other.bits_.reveal());
}

Result<HostPort> HostPort::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return fail(Errc::malformed, "an address must be HOST:PORT");
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return std::unexpected(port.error());
  auto host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (!is_address(AF_INET6, host)) return fail(Errc::malformed, "the brackets must contain an IPv6 address");
  } else if (!is_name(host)) {
    return fail(Errc::malformed, "a host must be an IPv4 address, an IPv6 address in brackets or a name");
  }
  return HostPort{std::string(host), *port};
}

std::string HostPort::to_string() const {
  return host.contains(':') ? sealcam::format("[{}]:{}", host, port) : sealcam::format("{}:{}", host, port);
}

Result<std::string> parse_host(std::string_view text) {
  const bool brackets = text.starts_with('[') && text.ends_with(']');
  const auto inner = brackets ? text.substr(1, text.size() - 2) : text;
  if (is_address(AF_INET6, inner)) return std::string(inner);
  std::string name(text);
  std::ranges::replace(name, '_', 'x');
  if (!is_name(name)) return fail(Errc::malformed, "a host must be an IPv4 address, an IPv6 address or a name");
  return std::string(text);
}

Result<PairingString> PairingString::parse(std::string_view text) {
  if (!text.starts_with(scheme)) return fail(Errc::malformed, "a pairing string must begin with 'sealcam:'");
  text.remove_prefix(scheme.size());
  if (!text.starts_with(version)) return fail(Errc::unsupported, "the version of the pairing string");
  text.remove_prefix(version.size());
  constexpr auto head = DeviceId::text_size + 1 + PairingCode::text_size + 1;
  if (text.size() < head || text[DeviceId::text_size] != ':' || text[head - 1] != '@')
    return fail(Errc::malformed, "a pairing string must be sealcam:1:ID:CODE@HOST:PORT");
  const auto device = DeviceId::parse(text.substr(0, DeviceId::text_size));
  if (!device) return std::unexpected(device.error());
  auto code = PairingCode::parse(text.substr(DeviceId::text_size + 1, PairingCode::text_size));
  if (!code) return std::unexpected(code.error());
  auto at = HostPort::parse(text.substr(head));
  if (!at) return std::unexpected(at.error());
  return PairingString{*device, std::move(*code), std::move(*at)};
}

std::string PairingString::reveal() const {
  return sealcam::format("{}{}{}:{}@{}", scheme, version, device.to_string(), code.reveal(), at.to_string());
}

namespace {

/// Signs the bytes of the writer and wipes them, because they may hold a secret.
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
    return fail(Errc::wrong_key, "message belongs to another connection");
  return {};
}

Result<> read_text(crypto::CborReader& reader, std::int64_t key, std::size_t min, std::size_t max, std::string& out) {
  if (auto r = reader.key(key); !r) return r;
  const auto text = reader.text();
  if (!text) return std::unexpected(text.error());
  if (text->size() < min || text->size() > max) return fail(Errc::malformed, "text has a wrong length");
  out = *text;
  return {};
}

Result<> read_port(crypto::CborReader& reader, std::int64_t key, std::uint16_t& out) {
  if (auto r = reader.key(key); !r) return r;
  const auto port = reader.unsigned_integer();
  if (!port) return std::unexpected(port.error());
  if (*port < 1 || *port > 65535) return fail(Errc::malformed, "broker port is out of range");
  out = static_cast<std::uint16_t>(*port);
  return {};
}

/// The optional fields; `pairs` of them are present.
Result<> read_options(crypto::CborReader& reader, std::size_t pairs, PairingEnrollment& enrollment) {
  if (pairs > 0 && reader.key(7)) {
    const auto roster = reader.bytes();
    if (!roster) return std::unexpected(roster.error());
    enrollment.roster.emplace(roster->begin(), roster->end());
    --pairs;
  }
  if (pairs > 0) {
    if (auto r = reader.key(8); !r) return r;
    auto wifi = read_wifi(reader);
    if (!wifi) return std::unexpected(wifi.error());
    enrollment.wifi = std::move(*wifi);
    --pairs;
  }
  if (pairs > 0) return fail(Errc::malformed, "unknown field of an enrollment");
  return reader.finish();
}

bool fits(const PairingEnrollment& e) {
  return !e.broker_host.empty() && e.broker_host.size() <= PairingEnrollment::max_host && e.broker_port != 0 &&
         e.ca_pem.size() <= PairingEnrollment::max_pem && e.certificate_pem.size() <= PairingEnrollment::max_pem &&
         e.name.size() <= PairingEnrollment::max_name;
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
  // The message carries the key of its signer. The decoder reads the key first, then it verifies the signature.
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

Result<Bytes> encode_pairing_enrollment(const PairingEnrollment& enrollment, const ChannelBinding& channel,
                                        const DeviceId& device, const crypto::SigningKey& owner) {
  if (!fits(enrollment)) return fail(Errc::invalid_argument, "a field of an enrollment is too long or empty");
  const std::size_t options = (enrollment.roster ? 1U : 0U) + (enrollment.wifi ? 1U : 0U);
  crypto::CborWriter writer;
  writer.map(6 + options).integer(1).bytes(channel.reveal());
  writer.integer(2).text(enrollment.broker_host).integer(3).integer(enrollment.broker_port);
  writer.integer(4).text(enrollment.ca_pem).integer(5).text(enrollment.certificate_pem);
  writer.integer(6).text(enrollment.name);
  if (enrollment.roster) writer.integer(7).bytes(*enrollment.roster);
  if (enrollment.wifi) {
    writer.integer(8);
    write_wifi(writer, *enrollment.wifi);
  }
  return sign_and_wipe(MessageName::enrollment, {owner.public_key().account(), device}, owner, writer);
}

Result<PairingEnrollment> decode_pairing_enrollment(ByteView message, const ChannelBinding& channel,
                                                    const DeviceId& device, const crypto::Verifier& owner) {
  const auto payload = verify_message(MessageName::enrollment, {owner.key().account(), device}, owner, message);
  if (!payload) return std::unexpected(payload.error());
  crypto::CborReader reader(*payload);
  const auto pairs = reader.map();
  if (!pairs) return std::unexpected(pairs.error());
  if (*pairs < 6 || *pairs > 8) return fail(Errc::malformed, "enrollment has a wrong number of fields");
  if (auto r = read_channel(reader, channel); !r) return std::unexpected(r.error());
  PairingEnrollment e;
  using E = PairingEnrollment;
  if (auto r = read_text(reader, 2, 1, E::max_host, e.broker_host); !r) return std::unexpected(r.error());
  if (auto r = read_port(reader, 3, e.broker_port); !r) return std::unexpected(r.error());
  if (auto r = read_text(reader, 4, 0, E::max_pem, e.ca_pem); !r) return std::unexpected(r.error());
  if (auto r = read_text(reader, 5, 0, E::max_pem, e.certificate_pem); !r) return std::unexpected(r.error());
  if (auto r = read_text(reader, 6, 0, E::max_name, e.name); !r) return std::unexpected(r.error());
  if (auto r = read_options(reader, *pairs - 6, e); !r) return std::unexpected(r.error());
  return e;
}

}  // namespace sealcam::protocol
