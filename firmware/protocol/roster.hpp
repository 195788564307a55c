// SPDX-License-Identifier: Apache-2.0
/// The roster: the list of the hubs that may watch one camera, signed by the owner. The grants: the base key of one
/// epoch, sealed by the camera to each hub of the roster (HPKE, RFC 9180). The index: the owner's list of the cameras
/// that one hub may find. It lets hubs subscribe to exact topics, because brokers need not support wildcards. It grants
/// nothing: rosters do.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/types.hpp"
#include "crypto/hpke.hpp"
#include "crypto/sframe.hpp"
#include "protocol/command.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::protocol {

struct SoftwareReport;

struct CameraIndex {
  static constexpr std::size_t max_cameras = 1024;
  IndexVersion version;
  std::vector<DeviceId> cameras;  ///< ascending, none twice: those whose rosters list the hub
};

/// Sorts and signs. external_aad: name "index", account, camera = the hub's id. Errors: invalid_argument (more than
/// max_cameras), crypto.
[[nodiscard]] Result<Bytes> encode_index(CameraIndex index, const AccountId& account, const DeviceId& hub,
                                         const crypto::SigningKey& owner);
/// Errors: as verify_message().
[[nodiscard]] Result<CameraIndex> decode_index(ByteView message, const AccountId& account, const DeviceId& hub,
                                               const crypto::Verifier& owner);

/// A random label for a group of hubs, for example the cloud link of a smart display. The owner suspends such a group
/// as a whole.
using Integration = Strong<struct IntegrationTag, std::uint64_t>;

struct RosterHub {
  crypto::PublicKey identity;
  crypto::PublicKey hpke;
  std::optional<Integration> integration;
  bool may_switch_privacy = false;  ///< its requests may close and open the sensor
};

struct Roster {
  static constexpr std::size_t max_hubs = 64;
  static constexpr std::size_t max_suspended = 64;

  RosterVersion version;
  crypto::PublicKey camera_identity;
  crypto::PublicKey camera_hpke;
  std::vector<RosterHub> hubs;         ///< in ascending order of id, no id twice
  std::vector<Integration> suspended;  ///< ascending
  CaptureTime issued;                  ///< by the owner's clock; for display only

  /// The entry of a hub; null if there is none or its integration is suspended.
  [[nodiscard]] const RosterHub* active(const DeviceId& hub) const noexcept;
};

/// Sorts and signs. Errors: invalid_argument (too many, a hub twice), crypto.
[[nodiscard]] Result<Bytes> encode_roster(Roster roster, const Route& route, const crypto::SigningKey& owner);
/// Errors: as verify_message(), malformed (also if the camera's key does not match `route`).
[[nodiscard]] Result<Roster> decode_roster(ByteView message, const Route& route, const crypto::Verifier& owner);

/// SHA-256 of the payload. Not of the message: one payload has many valid signatures. Does not verify. Errors:
/// malformed.
[[nodiscard]] Result<crypto::Digest> roster_hash(ByteView message);

/// IANA "HPKE KEM Identifiers". Receivers ignore grants with another one.
inline constexpr std::uint64_t kem_p256 = 0x0010;

struct Grant {
  static constexpr std::size_t max_enc = 1120;  ///< the size of X-Wing's
  static constexpr std::size_t max_ciphertext = 256;
  DeviceId hub;
  std::uint64_t kem = kem_p256;
  PrekeyNumber key;  ///< the hub's key that opens the grant
  Bytes enc;
  Bytes ciphertext;
};

struct Grants {
  Epoch epoch;
  crypto::sframe::CipherSuite suite = crypto::sframe::CipherSuite::aes_128_gcm_sha256_128;
  RosterVersion roster_version;
  crypto::Digest roster_hash{};       ///< see roster_hash()
  CaptureTime created;                ///< by the camera's clock; for display only
  std::vector<Grant> grants;          ///< ascending by hub, one for each hub
  std::optional<CommandSeq> command;  ///< the newest command that the camera applied
  std::optional<WifiFault> wifi;      ///< why the camera is not in the owner's network
  bool not_stored = false;            ///< after a restart the camera would follow an earlier roster or command
  Bytes software{};                   ///< sealed software report; empty: none
};

/// The content of a grant.
struct GrantContent {
  crypto::sframe::BaseKey base_key;
  std::string camera_name;  ///< UTF-8, at most 64 bytes
};

/// CBOR ["sealcam/1 grant", account, camera, hub, epoch, key].
[[nodiscard]] Bytes grant_info(const Route& route, const DeviceId& hub, Epoch epoch, PrekeyNumber key);

/// What encode_grants() writes. Refers to the roster and the content.
struct GrantsInput {
  const Roster& roster;
  const GrantContent& content;
  Epoch epoch;
  crypto::Digest roster_hash{};
  CaptureTime created{};
  crypto::sframe::CipherSuite suite = crypto::sframe::CipherSuite::aes_128_gcm_sha256_128;
  std::optional<CommandSeq> command{};
  std::optional<WifiFault> wifi{};
  bool not_stored = false;
  /// Nothing, or with Roster::max_hubs active hubs: the grants have no software report.
  const SoftwareReport* software = nullptr;
  /// The newest prekey of a hub. Without this function, or if it returns nothing, the publisher uses the key in the
  /// roster.
  std::function<std::optional<Prekey>(const DeviceId& hub)> prekey{};
};
/// Seals to every active hub of the roster and signs. Errors: crypto, invalid_argument (name too long, command 0, a
/// text of the software report that receivers ignore).
[[nodiscard]] Result<Bytes> encode_grants(const GrantsInput& input, const Route& route,
                                          const crypto::SigningKey& camera);
/// Verifies and parses. Opens nothing. Errors: as verify_message(), unsupported (suite).
[[nodiscard]] Result<Grants> decode_grants(ByteView message, const Route& route, const crypto::Verifier& camera);

/// A hub's private keys by their numbers. Returns null for a key that it does not have (any more).
using GrantKeys = std::function<const crypto::AgreementKey*(PrekeyNumber number)>;
/// Errors: not_found (no grant for this hub), not_decryptable (also if the hub lacks the key or the KEM is unknown),
/// malformed.
[[nodiscard]] Result<GrantContent> open_grant(const Grants& grants, const Route& route, const DeviceId& hub,
                                              const GrantKeys& keys);
/// For a hub without prekeys. `key` has the number 0.
[[nodiscard]] Result<GrantContent> open_grant(const Grants& grants, const Route& route, const DeviceId& hub,
                                              const crypto::AgreementKey& key);

}  // namespace sealcam::protocol
