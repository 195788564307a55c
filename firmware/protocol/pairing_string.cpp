// SPDX-License-Identifier: Apache-2.0
#include "protocol/pairing_string.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <format>

#include "crypto/psa.hpp"

namespace sealcam::protocol {

namespace {

constexpr std::string_view scheme = "sealcam:";
constexpr std::string_view version = "1:";
constexpr std::size_t longest_host = 253;  // RFC 1035 section 2.3.4, without the root's dot

bool is_name(std::string_view host) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
  };
  return !host.empty() && host.size() <= longest_host && host.front() != '-' && host.front() != '.' &&
         std::ranges::all_of(host, allowed);
}

bool is_address(int family, std::string_view host) {
  in6_addr out{};
  return host.size() < INET6_ADDRSTRLEN && ::inet_pton(family, std::string(host).c_str(), &out) == 1;
}

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0 || text.front() == '0')
    return fail(Errc::malformed, "a port is a whole number from 1 to 65535");
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
    return fail(Errc::malformed, "a pairing code has 8 letters, a to z and 2 to 7");
  return PairingCode(std::move(bits));
}

bool PairingCode::matches(const PairingCode& other) const noexcept {
  return crypto::equal_secrets(bits_.reveal(), other.bits_.reveal());
}

Result<HostPort> HostPort::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return fail(Errc::malformed, "an address is HOST:PORT");
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return std::unexpected(port.error());
  auto host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (!is_address(AF_INET6, host)) return fail(Errc::malformed, "an IPv6 address is in the brackets");
  } else if (!is_name(host)) {
    return fail(Errc::malformed, "a host is an IPv4 address, an IPv6 address in brackets or a name");
  }
  return HostPort{std::string(host), *port};
}

std::string HostPort::to_string() const {
  return host.contains(':') ? std::format("[{}]:{}", host, port) : std::format("{}:{}", host, port);
}

Result<PairingString> PairingString::parse(std::string_view text) {
  if (!text.starts_with(scheme)) return fail(Errc::malformed, "a pairing string begins with 'sealcam:'");
  text.remove_prefix(scheme.size());
  if (!text.starts_with(version)) return fail(Errc::unsupported, "a pairing string of another version");
  text.remove_prefix(version.size());
  constexpr auto head = DeviceId::text_size + 1 + PairingCode::text_size + 1;
  if (text.size() < head || text[DeviceId::text_size] != ':' || text[head - 1] != '@')
    return fail(Errc::malformed, "a pairing string is sealcam:1:ID:CODE@HOST:PORT");
  const auto device = DeviceId::parse(text.substr(0, DeviceId::text_size));
  if (!device) return std::unexpected(device.error());
  auto code = PairingCode::parse(text.substr(DeviceId::text_size + 1, PairingCode::text_size));
  if (!code) return std::unexpected(code.error());
  auto at = HostPort::parse(text.substr(head));
  if (!at) return std::unexpected(at.error());
  return PairingString{*device, std::move(*code), std::move(*at)};
}

std::string PairingString::reveal() const {
  return std::format("{}{}{}:{}@{}", scheme, version, device.to_string(), code.reveal(), at.to_string());
}

}  // namespace sealcam::protocol
