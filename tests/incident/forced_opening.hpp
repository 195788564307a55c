// SPDX-License-Identifier: Apache-2.0
/// Tries to open a frame with the key of a hub, without the earlier checks of route, signer, signature and epoch. A
/// frame that does not open then is protected by encryption alone.
#pragma once

#include <optional>
#include <vector>

#include "people.hpp"
#include "protocol/frame.hpp"
#include "protocol/roster.hpp"

namespace sealcam::incident {

/// Uses one hub's own HPKE key. Thread-bound.
class ForcedOpening {
 public:
  explicit ForcedOpening(const Person& person) : person_(person) {}
  /// Stores the base key that the camera granted to this hub.
  void on_grants(ByteView message);
  /// Tries the metadata of both routes, the hub's own and `source`. Returns nothing if the frame does not open.
  [[nodiscard]] std::optional<protocol::FrameHeader> open(ByteView message, const protocol::Route& source);

 private:
  const Person& person_;
  std::vector<protocol::GrantContent> grants_;
  Bytes plain_;
};

}  // namespace sealcam::incident
