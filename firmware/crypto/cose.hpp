// SPDX-License-Identifier: Apache-2.0
/// COSE_Sign1 (RFC 9052 section 4.2) with ES256 (RFC 9053 section 2.1), tagged 18.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "crypto/keys.hpp"

namespace sealcam::crypto::cose {

inline constexpr std::int64_t es256 = -7;

/// The parts of a message: views into the parsed bytes.
struct Sign1View {
  ByteView protected_header;  ///< the map inside the byte string, may be empty
  ByteView payload;
  std::span<const std::byte, 64> signature;
};

/// Header parameters that Sealcam knows. Views into protected_header.
struct ProtectedHeader {
  std::int64_t algorithm = 0;                 ///< label 1
  ByteView key_id;                            ///< label 4, empty if absent
  std::optional<std::int64_t> private_value;  ///< of the caller's own label, if present
};

/// Splits a message. The unprotected header may hold any items.
/// Errors: malformed (not tagged 18, not four items, detached payload, signature not 64 bytes, trailing bytes).
[[nodiscard]] Result<Sign1View> parse_sign1(ByteView message);

/// Reads the labels 1, 4 and `private_label` of the protected header and ignores all others, except 2 (crit).
/// Errors: malformed, unsupported (alg is not ES256, or label 2 is present).
[[nodiscard]] Result<ProtectedHeader> parse_protected(ByteView protected_header, std::int64_t private_label = 0);

/// SHA-256 of the Sig_structure ["Signature1", protected, external_aad, payload] (RFC 9052 section
/// 4.4), without a copy of the payload.
[[nodiscard]] Result<Digest> to_be_signed(ByteView protected_header, ByteView external_aad, ByteView payload);

/// Checks algorithm and signature. Errors: malformed, unsupported, bad_signature, crypto.
[[nodiscard]] Result<> verify_sign1(const Sign1View& message, ByteView external_aad, const Verifier& key);

/// A whole message with an empty unprotected header. `protected_header` is the encoded map.
[[nodiscard]] Result<Bytes> sign1(const SigningKey& key, ByteView protected_header, ByteView external_aad,
                                  ByteView payload);

}  // namespace sealcam::crypto::cose
