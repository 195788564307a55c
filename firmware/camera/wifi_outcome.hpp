// SPDX-License-Identifier: Apache-2.0
/// What may come of the network that the owner named, as a word for wifi.json, for the owner and for people. Reentrant.
#pragma once

#include <optional>
#include <string_view>

#include "hal/network_control.hpp"
#include "protocol/wifi.hpp"

namespace sealcam::camera {

/// In wifi.json: the camera is in the network.
inline constexpr std::string_view joined_word = "joined";

struct WifiFault {
  hal::JoinFault fault;
  std::string_view word;          ///< in wifi.json and the status file
  protocol::WifiTrouble trouble;  ///< in grants
  std::string_view sentence;      ///< what is wrong
  std::string_view next;          ///< what to do about it
};

/// Of any fault but `none`.
[[nodiscard]] const WifiFault& describe(hal::JoinFault fault) noexcept;
/// Of a word in wifi.json; one that is not known, from a later version, counts as `other`. Nothing: no fault.
[[nodiscard]] const WifiFault* fault_of(std::string_view word) noexcept;

}  // namespace sealcam::camera
