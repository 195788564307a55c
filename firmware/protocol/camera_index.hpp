// SPDX-License-Identifier: Apache-2.0
/// The owner's list of the cameras that one hub may find. It lets hubs subscribe to exact topics, because brokers need
/// not support wildcards. It grants nothing: rosters do.
#pragma once

#include <vector>

#include "protocol/envelope.hpp"
#include "protocol/numbers.hpp"

namespace sealcam::protocol {

struct CameraIndex {
  static constexpr std::size_t max_cameras = 1024;
  IndexVersion version;
  std::vector<DeviceId> cameras;  ///< ascending, none twice: those whose rosters list the hub
};

/// Sorts and signs. external_aad: name "index", account, camera = the hub's id. Errors: invalid_argument (more than
/// max_cameras), crypto.
[[nodiscard]] Result<Bytes> encode_index(CameraIndex index, const AccountId& account, const DeviceId& hub,
                                         const crypto::SigningKey& owner);
/// Errors: as verify_message().
[[nodiscard]] Result<CameraIndex> decode_index(ByteView message, const AccountId& account, const DeviceId& hub,
                                               const crypto::Verifier& owner);

}  // namespace sealcam::protocol
