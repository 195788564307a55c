// SPDX-License-Identifier: Apache-2.0
/// From an access unit to the message that is published.
#pragma once

#include "core/clock.hpp"
#include "protocol/frame.hpp"
#include "stream/access_unit_queue.hpp"

namespace sealcam::stream {

/// Writes headers, seals, signs. One buffer is used again and again; it grows to the largest message
/// seen and no further. Thread-bound.
class FrameMaker {
 public:
  FrameMaker(const protocol::Route& route, const crypto::SigningKey& camera, const Clock& clock)
      : sealer_(route, camera), clock_(clock) {}

  /// The message is valid until the next call. Errors: exhausted (the epoch must end), crypto.
  [[nodiscard]] Result<ByteView> picture(crypto::sframe::SealingKey& key, protocol::FrameKind kind,
                                         const AccessUnitQueue::Unit& unit);
  /// Answers `challenge` with what the camera knows. Errors: as picture().
  [[nodiscard]] Result<ByteView> report(crypto::sframe::SealingKey& key, const protocol::Report& report,
                                        protocol::Challenge challenge);

 private:
  [[nodiscard]] Result<ByteView> seal(crypto::sframe::SealingKey& key, protocol::FrameKind kind, ByteView plaintext);
  protocol::FrameSealer sealer_;
  const Clock& clock_;
  Bytes buffer_;
};

}  // namespace sealcam::stream
