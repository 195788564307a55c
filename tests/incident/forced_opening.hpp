// SPDX-License-Identifier: Apache-2.0
/// Tries to open a frame with the key a hub has, leaving out every check that would refuse the frame earlier: route,
/// signer, signature and epoch. What still fails then fails by cryptography alone.
#pragma once

#include <optional>
#include <vector>

#include "people.hpp"
#include "protocol/frame.hpp"
#include "protocol/grants.hpp"

namespace sealcam::incident {

/// With one hub's own HPKE key. Thread-bound.
class ForcedOpening {
 public:
  explicit ForcedOpening(const Person& person) : person_(person) {}
  /// Remembers the content key that is granted to this hub.
  void on_grants(ByteView message);
  /// Under the metadata of both routes, the hub's own and `source`; nothing when it does not open.
  [[nodiscard]] std::optional<protocol::FrameHeader> open(ByteView message, const protocol::Route& source);

 private:
  const Person& person_;
  std::vector<protocol::GrantContent> grants_;
  Bytes plain_;
};

}  // namespace sealcam::incident
