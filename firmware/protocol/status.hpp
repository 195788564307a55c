// SPDX-License-Identifier: Apache-2.0
/// A camera's signed word on being online or not. A hint, which never overrides a fresh echo, but for `reset`: with it
/// a camera promises to forget its owner.
#pragma once

#include "core/clock.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::protocol {

struct Status {
  bool online = false;
  CaptureTime started;   ///< when this run of the camera began, by its clock; the same in its will
  bool privacy = false;  ///< the sensor is closed until somebody who may says otherwise
  bool reset = false;    ///< offline for good: it forgets its owner now; never in a will
};

/// Errors: invalid_argument (online and reset), crypto.
[[nodiscard]] Result<Bytes> encode_status(const Status& status, const Route& route, const crypto::SigningKey& camera);
/// Errors: as verify_message().
[[nodiscard]] Result<Status> decode_status(ByteView message, const Route& route, const crypto::Verifier& camera);

}  // namespace sealcam::protocol
