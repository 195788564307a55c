// SPDX-License-Identifier: Apache-2.0
/// Inside the module only: HKDF (RFC 5869) in its two steps, which SFrame and HPKE both want apart.
#pragma once

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace sealcam::crypto {

enum class HkdfHash { sha256, sha512 };

/// Writes the hash's whole length into `prk`. Thread-safe. Errors: crypto.
[[nodiscard]] Result<> hkdf_extract(HkdfHash hash, ByteView salt, ByteView input, MutableBytes prk);

/// Fills `out`; `prk` has the hash's length. Thread-safe. Errors: crypto.
[[nodiscard]] Result<> hkdf_expand(HkdfHash hash, ByteView prk, ByteView info, MutableBytes out);

}  // namespace sealcam::crypto
