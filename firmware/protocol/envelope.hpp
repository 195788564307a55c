// SPDX-License-Identifier: Apache-2.0
/// What every Sealcam message has in common: a COSE_Sign1 (RFC 9052) by one signer, bound by
/// external_aad to its name, its account and its camera. README.md beside this file is the reference.
#pragma once

#include <string_view>

#include "core/bytes.hpp"
#include "core/id.hpp"
#include "core/result.hpp"
#include "crypto/keys.hpp"

namespace sealcam::protocol {

/// Whose pictures a message is about. Topics and external_aad are made of it.
struct Route {
  AccountId account;
  DeviceId camera;
  friend auto operator<=>(const Route&, const Route&) = default;
};

enum class MessageName {
  roster,
  command,
  grants,
  frame,
  ask,
  status,
  card,
  admission,
  pairing_proof,
  pairing_claim,
  enrolment
};
[[nodiscard]] std::string_view name(MessageName name) noexcept;

/// Largest message that anybody accepts: an SFrame of 1 MiB and what is around it.
inline constexpr std::size_t max_message_size = (1U << 20) + 512;
/// Largest control message (everything but frames).
inline constexpr std::size_t max_control_size = 64U << 10;

/// CBOR ["sealcam/1", name, account, camera].
[[nodiscard]] Bytes external_aad(MessageName name, const Route& route);

/// The protected header {1: -7, 4: signer}.
[[nodiscard]] Bytes protected_header(const DeviceId& signer);

/// Signs `payload` (CBOR). Errors: crypto.
[[nodiscard]] Result<Bytes> sign_message(MessageName name, const Route& route, const crypto::SigningKey& key,
                                         ByteView payload);

/// Who claims to have signed; nothing is verified. Errors: malformed.
[[nodiscard]] Result<DeviceId> claimed_signer(ByteView message);

/// Returns the payload, a view into `message`, after checking form, signer and signature. Errors:
/// malformed (form, unprotected header not empty, larger than max_control_size),
/// wrong_key (signed in another device's name), bad_signature.
[[nodiscard]] Result<ByteView> verify_message(MessageName name, const Route& route, const crypto::Verifier& key,
                                              ByteView message);

}  // namespace sealcam::protocol
