// SPDX-License-Identifier: Apache-2.0
/// The common form of all Sealcam messages: a COSE_Sign1 (RFC 9052) of one signer. external_aad binds it to its name,
/// its account and its camera. README.md in this folder is the reference. Topics:
/// `sealcam/1/<account>/<camera>/<leaf>`, `…/request/<hub>` and `sealcam/1/<account>/index/<hub>`.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/types.hpp"
#include "crypto/keys.hpp"

namespace sealcam::protocol {

/// The camera that a message is about. Part of topics and external_aad.
struct Route {
  AccountId account;
  DeviceId camera;
  friend auto operator<=>(const Route&, const Route&) = default;
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
  receipt  ///< of a file with recordings, signed by a hub
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

enum class Leaf { roster, command, grants, video, still, status, request, index };
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
