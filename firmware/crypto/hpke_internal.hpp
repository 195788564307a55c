// SPDX-License-Identifier: Apache-2.0
/// Inside the module and for its test vectors only: what a context holds.
#pragma once

#include "crypto/hpke.hpp"

namespace sealcam::crypto::hpke {

struct Access {
  /// KeySchedule of RFC 9180 section 5.1 in base mode; fills key and nonce. Errors: crypto.
  [[nodiscard]] static Result<> schedule(Context& context, Aead aead, bool sender, Secret<32> shared_secret,
                                         ByteView info, Schedule* out);
  [[nodiscard]] static ByteView raw_key(const Context& context) noexcept { return context.raw_key_.reveal(); }
  [[nodiscard]] static ByteView base_nonce(const Context& context) noexcept { return context.base_nonce_.reveal(); }
  static void set_sequence(Context& context, std::uint64_t sequence) noexcept { context.sequence_ = sequence; }
};

}  // namespace sealcam::crypto::hpke
