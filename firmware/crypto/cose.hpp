// SPDX-License-Identifier: Apache-2.0
/// COSE_Sign1 (RFC 9052 section 4.2) with ES256 (RFC 9053 section 2.1), tagged 18.
#pragma once

#include <cstdint>
#include <optional>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "crypto/keys.hpp"

namespace sealcam::crypto::cose {

inline constexpr std::int64_t es256 = -7;

/// The four parts of a message; views into the bytes it was parsed from.
struct Sign1View {
  ByteView protected_header;  ///< the map inside the byte string, may be empty
  ByteView payload;
  std::span<const std::byte, 64> signature;
};

/// Header parameters that Sealcam knows. Views into protected_header.
struct ProtectedHeader {
  std::int64_t algorithm = 0;                 ///< label 1
  ByteView key_id;                            ///< label 4, empty when absent
  std::optional<std::int64_t> private_value;  ///< the caller's own label, when present
};

/// Takes a message apart. `unprotected` may hold anything in the generic form.
/// Errors: malformed (not tagged 18, not four items, detached payload, signature not 64 bytes, bytes behind it).
[[nodiscard]] Result<Sign1View> parse_sign1(ByteView message);

/// Parses the protected header's map: label 1, 4 and `private_label`; other labels are passed over
/// unless label 2 (crit) is there. Errors: malformed, unsupported (alg is not ES256, or crit).
[[nodiscard]] Result<ProtectedHeader> parse_protected(ByteView protected_header, std::int64_t private_label = 0);

/// SHA-256 of the Sig_structure ["Signature1", protected, external_aad, payload] (RFC 9052 section
/// 4.4), in pieces: the payload is not copied.
[[nodiscard]] Result<Digest> to_be_signed(ByteView protected_header, ByteView external_aad, ByteView payload);
/// The same structure as bytes: vectors only.
[[nodiscard]] Bytes sig_structure(ByteView protected_header, ByteView external_aad, ByteView payload);

/// Checks algorithm and signature. Errors: malformed, unsupported, bad_signature, crypto.
[[nodiscard]] Result<> verify_sign1(const Sign1View& message, ByteView external_aad, const Verifier& key);

/// A whole message with an empty unprotected header. `protected_header` is the encoded map.
[[nodiscard]] Result<Bytes> sign1(const SigningKey& key, ByteView protected_header, ByteView external_aad,
                                  ByteView payload);

}  // namespace sealcam::crypto::cose
