// SPDX-License-Identifier: Apache-2.0
/// V4L2's formats that Sealcam knows, and where the planes of a picture lie in their buffers. Logic only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal::v4l2 {

inline constexpr std::size_t most_planes = 3;

struct Format {
  std::string_view fourcc;  ///< four characters
  PixelFormat format;
  std::size_t planes;  ///< buffers of memory: 1, or one for each plane of colour
};

/// By V4L2's number.
[[nodiscard]] std::optional<Format> known_format(std::uint32_t fourcc) noexcept;
/// All of them, such as "NV12, NM12, …", for messages.
[[nodiscard]] std::span<const Format> known_formats() noexcept;
[[nodiscard]] std::uint32_t fourcc_number(std::string_view fourcc) noexcept;

struct Layout {
  Format format{};
  Size size;
  std::array<std::size_t, most_planes> stride{};  ///< of each buffer of memory: bytes from one row to the next
};

/// Points the picture's planes into `memory`, the used bytes of each buffer plane. False when they are too few for the
/// layout: the driver says so of pictures that arrived in part.
[[nodiscard]] bool place(const Layout& layout, std::span<const ByteView> memory, Picture& picture) noexcept;

}  // namespace sealcam::hal::v4l2
