// SPDX-License-Identifier: Apache-2.0
/// The three signed messages of pairing. Each carries the keying material that its signer's own end of the TLS
/// connection exports (RFC 8446 section 7.5): carried over another connection it means nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "protocol/envelope.hpp"
#include "protocol/pairing_string.hpp"
#include "protocol/wifi.hpp"

namespace sealcam::protocol {

/// Exporter of one TLS connection: label `pairing_exporter_label`, no context. Move-only, wiped.
using ChannelBinding = Secret<32>;
inline constexpr std::string_view pairing_exporter_label = "EXPORTER-sealcam/1 pairing";

/// Device -> owner: it holds its identity key and this end of the connection. external_aad: "pairing-proof", account
/// all zero, camera = the device. Errors: crypto.
[[nodiscard]] Result<Bytes> encode_pairing_proof(const ChannelBinding& channel, const crypto::SigningKey& device);
/// Errors: as verify_message(), wrong_key (made for another connection).
[[nodiscard]] Result<> check_pairing_proof(ByteView message, const ChannelBinding& channel,
                                           const crypto::Verifier& device);

/// Owner -> device: who asks, and the code that the device shows. external_aad: "pairing-claim", account = the owner's,
/// camera = the device. Move-only.
struct PairingClaim {
  crypto::PublicKey owner;
  PairingCode code;
};
/// The message holds the code: the caller wipes it. Errors: crypto.
[[nodiscard]] Result<Bytes> encode_pairing_claim(const PairingCode& code, const ChannelBinding& channel,
                                                 const DeviceId& device, const crypto::SigningKey& owner);
/// Signed by the key it names, made for this connection; the code is not judged. Errors: malformed, bad_signature,
/// wrong_key (another connection, or signed in another name).
[[nodiscard]] Result<PairingClaim> decode_pairing_claim(ByteView message, const ChannelBinding& channel,
                                                        const DeviceId& device);

/// Owner -> device: everything that makes the device the owner's. external_aad: "enrolment", account = the owner's,
/// camera = the device. Move-only.
struct PairingEnrolment {
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
/// The message may hold a passphrase: the caller wipes it. Errors: invalid_argument (a field too long), crypto.
[[nodiscard]] Result<Bytes> encode_pairing_enrolment(const PairingEnrolment& enrolment, const ChannelBinding& channel,
                                                     const DeviceId& device, const crypto::SigningKey& owner);
/// Errors: as verify_message(), malformed, wrong_key (made for another connection).
[[nodiscard]] Result<PairingEnrolment> decode_pairing_enrolment(ByteView message, const ChannelBinding& channel,
                                                                const DeviceId& device, const crypto::Verifier& owner);

}  // namespace sealcam::protocol
