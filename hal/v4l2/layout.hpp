// SPDX-License-Identifier: Apache-2.0
/// The V4L2 formats that Sealcam supports, and the position of planes in buffers.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal::v4l2 {

inline constexpr std::size_t max_planes = 3;

struct Format {
  std::string_view fourcc;  ///< four characters
  PixelFormat format;
  std::size_t planes;  ///< buffers per picture: 1, or one per color plane
};

/// Finds a format by V4L2's number.
[[nodiscard]] std::optional<Format> known_format(std::uint32_t fourcc) noexcept;
/// All supported formats.
[[nodiscard]] std::span<const Format> known_formats() noexcept;
/// Their names, separated by blanks.
[[nodiscard]] std::string known_names();
[[nodiscard]] std::uint32_t fourcc_number(std::string_view fourcc) noexcept;

struct Layout {
  Format format{};
  Size size;
  std::array<std::size_t, max_planes> stride{};  ///< of each buffer: bytes from one row to the next
  Colors colors{};
};

/// Points the picture's planes into `memory`, which has the used bytes of each buffer. Returns false if the picture is
/// not complete.
[[nodiscard]] bool place(const Layout& layout, std::span<const ByteView> memory, Picture& picture) noexcept;

}  // namespace sealcam::hal::v4l2
