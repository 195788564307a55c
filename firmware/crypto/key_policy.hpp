// SPDX-License-Identifier: Apache-2.0
/// For this module only: the permitted use of each kind of key.
#pragma once

#include <psa/crypto.h>

#include "crypto/keys.hpp"

namespace sealcam::crypto::policy {

/// ES256 with a random k (RFC 9053 section 2.1).
inline constexpr psa_algorithm_t es256_algorithm = PSA_ALG_ECDSA(PSA_ALG_SHA_256);

[[nodiscard]] psa_key_attributes_t signing();
[[nodiscard]] psa_key_attributes_t verification();
[[nodiscard]] psa_key_attributes_t agreement();

/// Errors: crypto.
[[nodiscard]] Result<PublicKey> public_key_of(KeyId id);

}  // namespace sealcam::crypto::policy
