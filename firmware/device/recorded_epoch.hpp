// SPDX-License-Identifier: Apache-2.0
/// What a hub keeps of an epoch for its recordings.
#pragma once

#include <string>

#include "base/bytes.hpp"
#include "crypto/sframe.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::device {

struct RecordedEpoch {
  protocol::Route route;
  crypto::PublicKey owner;
  Bytes roster;  ///< message: the newest one when the epoch became current; it lists this hub
  Bytes grants;  ///< message
  protocol::Epoch epoch;
  crypto::sframe::BaseKey base_key;
  std::string camera_name;  ///< as in the grant, not made safe for people
};

}  // namespace sealcam::device
