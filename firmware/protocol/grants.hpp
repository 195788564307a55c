// SPDX-License-Identifier: Apache-2.0
/// The content key of one epoch, sealed to each hub on the roster (HPKE, RFC 9180).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/strong.hpp"
#include "crypto/hpke.hpp"
#include "crypto/sframe.hpp"
#include "protocol/roster.hpp"
#include "protocol/wifi.hpp"

namespace sealcam::protocol {

struct Grant {
  DeviceId hub;
  crypto::hpke::Enc enc;
  Bytes ciphertext;
};

struct Grants {
  Epoch epoch;
  crypto::sframe::CipherSuite suite = crypto::sframe::CipherSuite::aes_128_gcm_sha256_128;
  RosterVersion roster_version;
  crypto::Digest roster_hash{};       ///< SHA-256 of the roster's whole message
  CaptureTime created;                ///< by the camera's clock; shown, never judged by
  std::vector<Grant> grants;          ///< ascending by hub, one each
  std::optional<CommandSeq> command;  ///< the newest command that the camera obeyed
  std::optional<WifiTrouble> wifi;    ///< why the camera is not in the network that its owner named last
};

/// What a grant says to its hub.
struct GrantContent {
  crypto::sframe::BaseKey base_key;
  std::string camera_name;  ///< UTF-8, at most 64 bytes
};

/// CBOR ["sealcam/1 grant", account, camera, hub, epoch].
[[nodiscard]] Bytes grant_info(const Route& route, const DeviceId& hub, Epoch epoch);

/// Seals to every active hub of `roster` and signs. Errors: crypto, invalid_argument (name too long,
/// command 0).
[[nodiscard]] Result<Bytes> encode_grants(const Roster& roster, const crypto::Digest& roster_hash, Epoch epoch,
                                          crypto::sframe::CipherSuite suite, const GrantContent& content,
                                          CaptureTime created, const Route& route, const crypto::SigningKey& camera,
                                          std::optional<CommandSeq> command = std::nullopt,
                                          std::optional<WifiTrouble> wifi = std::nullopt);
/// Checks and takes apart; opens nothing. Errors: as verify_message(), unsupported (suite).
[[nodiscard]] Result<Grants> decode_grants(ByteView message, const Route& route, const crypto::Verifier& camera);
/// Errors: not_found (no grant for this hub), not_decryptable, malformed.
[[nodiscard]] Result<GrantContent> open_grant(const Grants& grants, const Route& route, const DeviceId& hub,
                                              const crypto::AgreementKey& key);

}  // namespace sealcam::protocol
