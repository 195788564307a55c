// SPDX-License-Identifier: Apache-2.0
/// The binary message of the WebSocket: a fixed header, then one access unit. README.md has the offsets.
#pragma once

#include <array>
#include <chrono>
#include <optional>

#include "watch/picture_sink.hpp"

namespace sealcam::hub::web {

inline constexpr std::size_t picture_header_size = 72;
inline constexpr std::uint8_t picture_message_version = 1;
inline constexpr std::uint8_t picture_message_type = 1;

enum PictureFlags : std::uint8_t {
  flag_key = 1,     ///< decoding can start here
  flag_still = 2,   ///< a still, not a part of the video
  flag_age = 4,     ///< the age is known
  flag_cached = 8,  ///< from the hub's cache: the viewer came late
};

/// How fresh a picture is once it waited: what was true at the hand-out, and the time since.
struct FreshnessNow {
  bool live = false;  ///< P4, now
  std::optional<std::chrono::milliseconds> age;
};
[[nodiscard]] FreshnessNow freshness_at(const watch::PictureInfo& picture, MonotonicTime now) noexcept;

using PictureHeader = std::array<std::byte, picture_header_size>;

/// `now` and `wall` are the moment of the hand-out: what waited since is added to the age, and a picture that
/// turned 5 s old while it waited is no longer LIVE.
[[nodiscard]] PictureHeader make_picture_header(const DeviceId& camera, const watch::PictureInfo& picture, bool cached,
                                                MonotonicTime now, CaptureTime wall) noexcept;

}  // namespace sealcam::hub::web
