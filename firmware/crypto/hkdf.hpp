// SPDX-License-Identifier: Apache-2.0
/// Keys from secrets: HKDF (RFC 5869), and HMAC (RFC 2104). The secrets must be random. A passphrase needs
/// crypto/passphrase.hpp.
#pragma once

#include <string_view>

#include "base/bytes.hpp"
#include "crypto/psa.hpp"

namespace sealcam::crypto {

enum class HkdfHash { sha256, sha512 };

/// The first step: `prk` has the length of the hash. Thread-safe. Errors: crypto.
[[nodiscard]] Result<> hkdf_extract(HkdfHash hash, ByteView salt, ByteView input, MutableBytes prk);

/// The second step: fills `out`. `prk` has the length of the hash. Thread-safe. Errors: crypto.
[[nodiscard]] Result<> hkdf_expand(HkdfHash hash, ByteView prk, ByteView info, MutableBytes out);

/// HMAC-SHA-256. Compare a received one with equal_secrets(). `key` is not empty. Thread-safe. Errors: crypto.
[[nodiscard]] Result<Digest> hmac_sha256(ByteView key, ByteView message);

}  // namespace sealcam::crypto
