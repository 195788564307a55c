// SPDX-License-Identifier: Apache-2.0
/// A hub's signed request, carrying a fresh challenge: for pictures, or for the sensor to be closed or opened.
#pragma once

#include "core/strong.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::protocol {

/// Eight random bytes of a hub. Zero means none.
using Challenge = Strong<struct ChallengeTag, std::uint64_t>;

enum class Want : std::uint8_t {
  live = 1,
  still = 2,
  privacy_on = 3,   ///< no picture: the sensor is to be closed
  privacy_off = 4,  ///< no picture: it may be opened again
};

struct Ask {
  Want want = Want::live;
  Challenge challenge;
  Epoch epoch;
  AskSeq seq;
};

/// Errors: crypto.
[[nodiscard]] Result<Bytes> encode_ask(const Ask& ask, const Route& route, const crypto::SigningKey& hub);
/// What an ask says; neither signer nor signature was looked at. Errors: malformed.
[[nodiscard]] Result<Ask> claimed_ask(ByteView message);
/// Errors: as verify_message(), malformed (unknown want, challenge zero).
[[nodiscard]] Result<Ask> decode_ask(ByteView message, const Route& route, const crypto::Verifier& hub);

}  // namespace sealcam::protocol
