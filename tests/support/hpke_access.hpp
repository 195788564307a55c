// SPDX-License-Identifier: Apache-2.0
/// Inputs of HPKE that the published interface chooses itself: the ephemeral key and the sequence number.
#pragma once

#include "crypto/hpke.hpp"

namespace sealcam::crypto::hpke {

struct ContextAccess {
  [[nodiscard]] static Result<SenderContext> setup(Aead aead, const PublicKey& recipient, ByteView info,
                                                   const AgreementKey& ephemeral) {
    return SenderContext::setup(aead, recipient, info, ephemeral);
  }
  [[nodiscard]] static ByteView base_nonce(const Context& context) noexcept { return context.base_nonce_.reveal(); }
  static void set_sequence(Context& context, std::uint64_t sequence) noexcept { context.sequence_ = sequence; }
};

}  // namespace sealcam::crypto::hpke
