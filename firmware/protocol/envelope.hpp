// SPDX-License-Identifier: Apache-2.0
/// The common form of all Sealcam messages: a COSE_Sign1 (RFC 9052) of one signer, the numbers in messages, and the
/// reasons to reject one. external_aad binds a message to its name, its account and its camera. README.md in this
/// folder is the reference. Topics: `sealcam/1/<account>/<camera>/<leaf>`, `…/request/<hub>` and
/// `sealcam/1/<account>/index/<hub>`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/types.hpp"
#include "crypto/keys.hpp"
#include "crypto/sframe.hpp"

namespace sealcam::protocol {

/// The lifetime of one base key of one camera. The number is also the key's SFrame key ID: a stored 32-bit counter,
/// then 32 random bits.
using Epoch = crypto::sframe::KeyId;
/// Number of a sealed frame of any kind within its epoch.
using Counter = crypto::sframe::Counter;
/// Version of a roster. It only grows.
using RosterVersion = Strong<struct RosterVersionTag, std::uint64_t>;
/// Sequence number of one hub's view requests to one camera. It only grows.
using RequestSeq = Strong<struct RequestSeqTag, std::uint64_t>;
/// Sequence number of an owner's commands to one camera. It only grows; 0 means none.
using CommandSeq = Strong<struct CommandSeqTag, std::uint64_t>;
/// Eight random bytes of a hub; 0 means none.
using Challenge = Strong<struct ChallengeTag, std::uint64_t>;
/// Eight random bytes of a camera, for one privacy-off request; 0 means none.
using Nonce = Strong<struct NonceTag, std::uint64_t>;
/// Number of one of a hub's HPKE keys. It only grows; 0 is the key in the roster.
using PrekeyNumber = Strong<struct PrekeyNumberTag, std::uint64_t>;
/// Version of a hub's list of cameras. It only grows.
using IndexVersion = Strong<struct IndexVersionTag, std::uint64_t>;

/// A public HPKE key that a hub uses for a few days.
struct Prekey {
  PrekeyNumber number;
  crypto::PublicKey key;
  friend bool operator==(const Prekey&, const Prekey&) = default;
};

enum class RejectReason : std::uint8_t {
  not_member,       ///< no roster lists this hub for the camera
  wrong_account,    ///< the message names another signer than the camera of its topic
  bad_signature,    ///< the signature does not match the key of the named signer
  not_decryptable,  ///< no grant opened for the epoch, or the AEAD failed
  replayed,         ///< the counter or sequence number was received before
  out_of_order,     ///< not received before, but older than the newest accepted message
  closed_epoch,     ///< the epoch was replaced by another one
  malformed,        ///< the message does not have the form of its kind
  cloned,           ///< two devices use the camera's identity (watch/epochs.hpp)
  unknown_hub,      ///< the hub is not on the roster, or its integration is suspended
  other_signer,     ///< another device signed than the hub of the topic
  too_often,        ///< the hub, or all hubs together, exceeded the rate
  wrong_epoch,      ///< the view request names another epoch
  not_allowed,      ///< the roster does not permit this hub to switch privacy
};

/// Reasons that a hub counts, in the order of its checks: topic, form, signature, AEAD, order.
inline constexpr std::array hub_reject_reasons{
    RejectReason::not_member,      RejectReason::wrong_account, RejectReason::bad_signature,
    RejectReason::not_decryptable, RejectReason::replayed,      RejectReason::out_of_order,
    RejectReason::closed_epoch,    RejectReason::malformed,     RejectReason::cloned};

/// Reasons that a camera counts for view requests.
inline constexpr std::array request_reject_reasons{
    RejectReason::malformed,     RejectReason::unknown_hub, RejectReason::other_signer, RejectReason::too_often,
    RejectReason::bad_signature, RejectReason::wrong_epoch, RejectReason::replayed,     RejectReason::not_allowed};

/// The name in JSON and metrics. Never empty.
[[nodiscard]] std::string_view name(RejectReason reason) noexcept;

/// The reason for an error of a decoder or a signature check.
[[nodiscard]] RejectReason to_reject_reason(const Error& error) noexcept;

/// One counter for each reason. Thread-bound.
class RejectCounts {
 public:
  void add(RejectReason reason) noexcept { ++counts_[static_cast<std::size_t>(reason)]; }
  [[nodiscard]] std::uint64_t operator[](RejectReason reason) const noexcept {
    return counts_[static_cast<std::size_t>(reason)];
  }
  [[nodiscard]] std::uint64_t total() const noexcept;
  RejectCounts& operator+=(const RejectCounts& other) noexcept;
  friend bool operator==(const RejectCounts&, const RejectCounts&) = default;

 private:
  std::array<std::uint64_t, static_cast<std::size_t>(RejectReason::not_allowed) + 1> counts_{};
};

/// The camera that a message is about. Part of topics and external_aad.
struct Route {
  AccountId account;
  DeviceId camera;
  friend auto operator<=>(const Route&, const Route&) = default;
};

/// Sealed frames of one epoch: the counters from `first` to `last`.
struct PastRange {
  static constexpr std::size_t max = 16;  ///< in one message
  Epoch epoch;
  Counter first, last;
  friend bool operator==(const PastRange&, const PastRange&) = default;
};

enum class MessageName {
  roster,
  index,
  command,
  grants,
  frame,
  request,
  status,
  descriptor,
  authorization,
  pairing_proof,
  pairing_claim,
  enrollment,
  receipt,          ///< of a file with recordings, signed by a hub
  link,             ///< of a phone: the owner opens a slot of a hub's mailbox
  phone_enrollment  ///< from the owner to a phone
};
[[nodiscard]] std::string_view name(MessageName name) noexcept;

using limits::max_control_size;
using limits::max_message_size;

/// CBOR ["sealcam/1", name, account, camera].
[[nodiscard]] Bytes external_aad(MessageName name, const Route& route);

/// The protected header {1: -7, 4: signer}.
[[nodiscard]] Bytes protected_header(const DeviceId& signer);

/// Signs `payload` (CBOR). Errors: crypto.
[[nodiscard]] Result<Bytes> sign_message(MessageName name, const Route& route, const crypto::SigningKey& key,
                                         ByteView payload);

/// The signer in the header, without verification. Errors: malformed.
[[nodiscard]] Result<DeviceId> claimed_signer(ByteView message);

/// Checks form, signer and signature. Returns the payload, a view into `message`. Errors: malformed (form, unprotected
/// header not empty, larger than max_control_size), wrong_key (another signer), bad_signature.
[[nodiscard]] Result<ByteView> verify_message(MessageName name, const Route& route, const crypto::Verifier& key,
                                              ByteView message);

enum class Leaf { roster, command, grants, video, still, past, status, request, index };
[[nodiscard]] std::string_view name(Leaf leaf) noexcept;

struct Topic {
  Route route;  ///< Leaf::index has no camera
  Leaf leaf = Leaf::status;
  DeviceId hub;  ///< Leaf::request and Leaf::index only
  friend bool operator==(const Topic&, const Topic&) = default;
};

/// For all leaves except request and index.
[[nodiscard]] std::string topic(const Route& route, Leaf leaf);
[[nodiscard]] std::string request_topic(const Route& route, const DeviceId& hub);
[[nodiscard]] std::string index_topic(const AccountId& account, const DeviceId& hub);
/// Filter for the requests of every hub: `…/request/+`.
[[nodiscard]] std::string request_filter(const Route& route);
/// Filter for one leaf of every camera of an account: `sealcam/1/<account>/+/<leaf>`.
[[nodiscard]] std::string account_filter(const AccountId& account, Leaf leaf);

/// Errors: malformed.
[[nodiscard]] Result<Topic> parse_topic(std::string_view text);

}  // namespace sealcam::protocol
