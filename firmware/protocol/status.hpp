// SPDX-License-Identifier: Apache-2.0
/// A camera's signed status. It is a hint, because the broker may deliver an old one at any time. A report
/// (frame.hpp) proves the state of the camera now. `reset` is binding: the camera deletes its owner.
#pragma once

#include <optional>

#include "base/clock.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::protocol {

/// Why the camera sends no pictures, although privacy is off. Its log has the cause.
enum class CameraFault : std::uint8_t {
  sensor = 1,    ///< the sensor is missing, cannot be opened, or delivers nothing
  pictures = 2,  ///< the sensor delivers, but its pictures cannot be sent
  encoder = 3,   ///< there is no encoder, or it fails
  other = 4,     ///< of a newer camera
};

struct Status {
  bool online = false;
  CaptureTime started;                 ///< when the camera process started, by its clock; the will has the same value
  bool privacy = false;                ///< the sensor is closed until an authorized request opens it
  bool reset = false;                  ///< offline forever: the camera deletes its owner; never in a will
  std::optional<CameraFault> fault{};  ///< only if online
};

/// Errors: invalid_argument (online and reset, or a fault while offline), crypto.
[[nodiscard]] Result<Bytes> encode_status(const Status& status, const Route& route, const crypto::SigningKey& camera);
/// Errors: as verify_message().
[[nodiscard]] Result<Status> decode_status(ByteView message, const Route& route, const crypto::Verifier& camera);

}  // namespace sealcam::protocol
