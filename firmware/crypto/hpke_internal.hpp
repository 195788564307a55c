// SPDX-License-Identifier: Apache-2.0
/// For hpke.cpp and the test vectors: the steps of RFC 9180.
#pragma once

#include "crypto/hpke.hpp"

namespace sealcam::crypto::hpke::detail {

/// "HPKE", KEM, KDF and AEAD (RFC 9180 section 5.1).
[[nodiscard]] Bytes suite_id(Aead aead);

/// RFC 9180 section 4. Fills `out`. Errors: crypto.
[[nodiscard]] Result<> labeled_expand(ByteView suite, ByteView prk, std::string_view label, ByteView info,
                                      MutableBytes out);

/// ExtractAndExpand of RFC 9180 section 4.1 over DH(own, peer). Errors: crypto.
[[nodiscard]] Result<Secret<32>> shared_secret(const AgreementKey& own, const PublicKey& peer, const Enc& enc,
                                               const PublicKey& recipient);

/// KeySchedule of RFC 9180 section 5.1 in base mode. A key takes key_size() bytes, the rest is zero.
struct KeySchedule {
  Bytes context;
  Secret<32> secret;
  Secret<32> key;
  Secret<12> base_nonce;
};
[[nodiscard]] constexpr std::size_t key_size(Aead aead) noexcept { return aead == Aead::aes_128_gcm ? 16 : 32; }
/// Errors: crypto.
[[nodiscard]] Result<KeySchedule> key_schedule(Aead aead, const Secret<32>& shared_secret, ByteView info);

}  // namespace sealcam::crypto::hpke::detail
