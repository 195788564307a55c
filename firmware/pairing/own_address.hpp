// SPDX-License-Identifier: Apache-2.0
/// Which of its own addresses a device tells its owner.
#pragma once

#include <optional>
#include <string>

namespace sealcam::pairing {

/// The address that a packet to the rest of the world would carry: the one of the interface with the default route. No
/// packet is sent. Nothing while there is no such route. Reentrant.
[[nodiscard]] std::optional<std::string> address_towards_the_world();

}  // namespace sealcam::pairing
