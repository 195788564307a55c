// SPDX-License-Identifier: Apache-2.0
/// The pairing string, which an unpaired device displays: its identity, its address, and a code that only a person at
/// the device can read. `sealcam:1:<id>:<code>@<host>:<port>`. Also the descriptor that a device signs, the owner's
/// authorization of a device for a broker's operator, and the three signed messages of pairing. Each of the three
/// carries the keying material that its signer exports from the TLS connection (RFC 8446 section 7.5), so that it is
/// valid on that connection only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/types.hpp"
#include "crypto/passphrase.hpp"
#include "protocol/command.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::protocol {

enum class Role : std::uint8_t { camera = 1, hub = 2, owner = 3 };
[[nodiscard]] std::string_view name(Role role) noexcept;

/// Signed by the device: it binds the HPKE key and the TLS key to the identity key. A phone is a hub without a TLS key;
/// a camera and an owner have one. external_aad: name "descriptor", account all zero, camera = the id of the device.
struct DeviceDescriptor {
  Role role = Role::camera;
  crypto::PublicKey identity;
  crypto::PublicKey hpke;
  std::optional<crypto::PublicKey> tls;  ///< key of the certificate request; none: a phone
};
/// `tls` is required unless the role is hub. Errors: crypto.
[[nodiscard]] Result<Bytes> encode_device_descriptor(Role role, const crypto::DeviceKeys& keys,
                                                     const std::optional<crypto::PublicKey>& tls);
/// Errors: malformed (also a camera or an owner without a TLS key), wrong_key, bad_signature.
[[nodiscard]] Result<DeviceDescriptor> decode_device_descriptor(ByteView message);

/// The owner's statement for a certificate request, or for the password of a phone: exactly one of `tls` and `login` is
/// present, and only a hub can have `login`. external_aad: name "authorization", account, camera = the device's id.
struct Authorization {
  Role role = Role::camera;
  DeviceId device;
  crypto::PublicKey owner;               ///< its thumbprint is the account
  std::optional<crypto::PublicKey> tls;  ///< key of the certificate request
  /// Of the password, 43 characters of base64url, with which a phone logs in.
  std::optional<crypto::PasswordHash> login{};
};
/// Errors: crypto.
[[nodiscard]] Result<Bytes> encode_authorization(const Authorization& authorization, const crypto::SigningKey& owner);
/// Errors: malformed (also both or none of `tls` and `login`), bad_signature.
[[nodiscard]] Result<Authorization> decode_authorization(ByteView message);

/// 40 random bits as 8 base32 letters. Move-only, wiped, printable only by reveal().
class PairingCode {
 public:
  static constexpr std::size_t text_size = 8;
  /// From the random generator. Errors: crypto.
  [[nodiscard]] static Result<PairingCode> draw();
  /// Exactly 8 lower-case letters of RFC 4648 base32. Errors: malformed.
  [[nodiscard]] static Result<PairingCode> parse(std::string_view text);
  /// In constant time.
  [[nodiscard]] bool matches(const PairingCode& other) const noexcept;
  /// The letters, for the display and the claim, never for a log. The caller wipes them if possible.
  [[nodiscard]] std::string reveal() const { return to_base32(bits_.reveal()); }
  [[nodiscard]] PairingCode duplicate() const noexcept { return PairingCode(Secret<5>(bits_.reveal())); }

 private:
  explicit PairingCode(Secret<5> bits) noexcept : bits_(std::move(bits)) {}
  Secret<5> bits_;
};

/// The address of a server: an IPv4 address, an IPv6 address (without brackets) or a name, and a port.
struct HostPort {
  std::string host;
  std::uint16_t port = 0;
  /// `host:port`, an IPv6 address in brackets, as in RFC 3986 section 3.2.2; port 1 to 65535 without leading
  /// zeros. Errors: malformed.
  [[nodiscard]] static Result<HostPort> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const HostPort&, const HostPort&) = default;
};

/// A host as in HostPort: an IPv4 address, an IPv6 address, or a name, which may contain '_'. Brackets of an IPv6
/// address are removed. Errors: malformed.
[[nodiscard]] Result<std::string> parse_host(std::string_view text);

/// Move-only, because it holds the code.
struct PairingString {
  DeviceId device;
  PairingCode code;
  HostPort at;
  /// Nothing else makes a pairing string from text. reveal() returns the same text. Errors: malformed, unsupported
  /// (another version).
  [[nodiscard]] static Result<PairingString> parse(std::string_view text);
  /// Reveals the code.
  [[nodiscard]] std::string reveal() const;
};

/// Exporter of one TLS connection: label `pairing_exporter_label`, no context. Move-only, wiped.
using ChannelBinding = Secret<32>;
inline constexpr std::string_view pairing_exporter_label = "EXPORTER-sealcam/1 pairing";

/// From the device to the owner: proves that the device holds its identity key and is one end of the connection.
/// external_aad: "pairing-proof", account all zero, camera = the device. Errors: crypto.
[[nodiscard]] Result<Bytes> encode_pairing_proof(const ChannelBinding& channel, const crypto::SigningKey& device);
/// Errors: as verify_message(), wrong_key (another connection).
[[nodiscard]] Result<> check_pairing_proof(ByteView message, const ChannelBinding& channel,
                                           const crypto::Verifier& device);

/// From the owner to the device: the owner's key, and the code that the device displays. external_aad: "pairing-claim",
/// account = the owner's, camera = the device. Move-only.
struct PairingClaim {
  crypto::PublicKey owner;
  PairingCode code;
};
/// The caller wipes the message, because it holds the code. Errors: crypto.
[[nodiscard]] Result<Bytes> encode_pairing_claim(const PairingCode& code, const ChannelBinding& channel,
                                                 const DeviceId& device, const crypto::SigningKey& owner);
/// Verifies that the key in the claim signed it for this connection. The caller checks the code. Errors: malformed,
/// bad_signature, wrong_key (another connection or another signer).
[[nodiscard]] Result<PairingClaim> decode_pairing_claim(ByteView message, const ChannelBinding& channel,
                                                        const DeviceId& device);

/// From the owner to the device: all data that the device needs in this account. external_aad: "enrollment", account =
/// the owner's, camera = the device. Move-only.
struct PairingEnrollment {
  static constexpr std::size_t max_host = 253;
  static constexpr std::size_t max_pem = 16U << 10;
  static constexpr std::size_t max_name = 64;

  std::string broker_host;  ///< 1 to 253 bytes
  std::uint16_t broker_port = 0;
  std::string ca_pem;           ///< the operator's authority; at most 16 KiB
  std::string certificate_pem;  ///< of the device's TLS key; at most 16 KiB
  std::string name;             ///< UTF-8, at most 64 bytes; a hub's is empty
  std::optional<Bytes> roster;  ///< cameras: the whole signed message
  std::optional<Wifi> wifi;
};
/// The caller wipes the message, because it may hold a passphrase. Errors: invalid_argument (a field too long), crypto.
[[nodiscard]] Result<Bytes> encode_pairing_enrollment(const PairingEnrollment& enrollment,
                                                      const ChannelBinding& channel, const DeviceId& device,
                                                      const crypto::SigningKey& owner);
/// Errors: as verify_message(), malformed, wrong_key (another connection).
[[nodiscard]] Result<PairingEnrollment> decode_pairing_enrollment(ByteView message, const ChannelBinding& channel,
                                                                  const DeviceId& device,
                                                                  const crypto::Verifier& owner);

}  // namespace sealcam::protocol
