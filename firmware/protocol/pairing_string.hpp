// SPDX-License-Identifier: Apache-2.0
/// What an unpaired device shows to its owner: who it is, where it listens, and a secret to prove that somebody stands
/// in front of it. `sealcam:1:<id>:<code>@<host>:<port>`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/id.hpp"
#include "core/secret.hpp"

namespace sealcam::protocol {

/// 40 random bits, shown as 8 base32 letters. Move-only, wiped, not printable by accident.
class PairingCode {
 public:
  static constexpr std::size_t text_size = 8;
  /// From the random generator. Errors: crypto.
  [[nodiscard]] static Result<PairingCode> draw();
  /// Exactly 8 lower-case letters of RFC 4648 base32. Errors: malformed.
  [[nodiscard]] static Result<PairingCode> parse(std::string_view text);
  /// Takes the same time wherever the two differ.
  [[nodiscard]] bool matches(const PairingCode& other) const noexcept;
  /// The letters: for the owner's eyes and for the claim, never for a log. The caller wipes them where it can.
  [[nodiscard]] std::string reveal() const { return to_base32(bits_.reveal()); }
  [[nodiscard]] PairingCode duplicate() const noexcept { return PairingCode(Secret<5>(bits_.reveal())); }

 private:
  explicit PairingCode(Secret<5> bits) noexcept : bits_(std::move(bits)) {}
  Secret<5> bits_;
};

/// Where something listens: an IPv4 address, an IPv6 address (without brackets) or a name, and a port.
struct HostPort {
  std::string host;
  std::uint16_t port = 0;
  /// `host:port`, an IPv6 address in brackets, as RFC 3986 section 3.2.2 writes it; port 1 to 65535 without leading
  /// zeros. Errors: malformed.
  [[nodiscard]] static Result<HostPort> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const HostPort&, const HostPort&) = default;
};

/// Move-only, since the code is in it.
struct PairingString {
  DeviceId device;
  PairingCode code;
  HostPort at;
  /// The only way from text; what it accepts is printed as the same text again. Errors: malformed, unsupported (another
  /// version; `what` says so).
  [[nodiscard]] static Result<PairingString> parse(std::string_view text);
  /// Reveals the code.
  [[nodiscard]] std::string reveal() const;
};

}  // namespace sealcam::protocol
