// SPDX-License-Identifier: Apache-2.0
/// Limits of sizes and bitrates that several modules share.
#pragma once

#include <cstddef>

#include "base/strong.hpp"

namespace sealcam::limits {

/// Frame header and access unit of one sealed frame, in bytes.
inline constexpr std::size_t max_frame_plaintext = 1U << 20;
/// A message of any kind: a sealed frame of 1 MiB with its envelope.
inline constexpr std::size_t max_message_size = max_frame_plaintext + 512;
/// A control message: every message except sealed frames. Grants for 64 hubs fit, also with an `enc` of 1120 bytes
/// each.
inline constexpr std::size_t max_control_size = 128U << 10;
/// A view request. Its fields need less than 300 bytes.
inline constexpr std::size_t max_view_request_size = 512;

/// Bitrate without a configuration.
inline constexpr BitsPerSecond default_bitrate{2'000'000};
/// Bitrate below which a smaller picture looks better than a coarser one.
inline constexpr BitsPerSecond default_min_bitrate{150'000};

}  // namespace sealcam::limits
