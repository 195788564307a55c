// SPDX-License-Identifier: Apache-2.0
#include "hal/v4l2/layout.hpp"

#include <algorithm>

namespace sealcam::hal::v4l2 {

namespace {

constexpr std::array<Format, 12> formats = {{{"H264", PixelFormat::h264, 1},
                                             {"NV12", PixelFormat::nv12, 1},
                                             {"NM12", PixelFormat::nv12, 2},
                                             {"YU12", PixelFormat::yu12, 1},
                                             {"YM12", PixelFormat::yu12, 3},
                                             {"YUYV", PixelFormat::yuyv, 1},
                                             {"UYVY", PixelFormat::uyvy, 1},
                                             {"RGB3", PixelFormat::rgb24, 1},
                                             {"BGR3", PixelFormat::bgr24, 1},
                                             {"GREY", PixelFormat::gray, 1},
                                             {"MJPG", PixelFormat::mjpeg, 1},
                                             {"JPEG", PixelFormat::mjpeg, 1}}};

/// One color plane.
struct Part {
  std::size_t row;  // bytes of a row without padding
  std::size_t rows;
  std::size_t divide;  // divisor of the first plane's stride, if all planes are in one buffer
};

struct Parts {
  std::array<Part, max_planes> part{};
  std::size_t count = 0;
};

Parts parts_of(PixelFormat format, Size size) noexcept {
  const auto w = static_cast<std::size_t>(size.width);
  const auto h = static_cast<std::size_t>(size.height);
  switch (format) {
    case PixelFormat::yu12: return {{{{w, h, 1}, {w / 2, h / 2, 2}, {w / 2, h / 2, 2}}}, 3};
    case PixelFormat::nv12: return {{{{w, h, 1}, {w, h / 2, 1}}}, 2};
    default: break;
  }
  if (const auto bytes = packed_bytes(format); bytes > 0) return {{{{w * bytes, h, 1}}}, 1};
  return {};
}

bool place_coded(ByteView bytes, Picture& picture) noexcept {
  picture.planes[0] = {bytes.data(), bytes.size()};
  return !bytes.empty();
}

}  // namespace

std::uint32_t fourcc_number(std::string_view fourcc) noexcept {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4 && i < fourcc.size(); ++i)
    number |= std::uint32_t{static_cast<unsigned char>(fourcc[i])} << (8 * i);
  return number;
}

std::optional<Format> known_format(std::uint32_t fourcc) noexcept {
  const auto at = std::ranges::find(formats, fourcc, [](const Format& f) { return fourcc_number(f.fourcc); });
  if (at == formats.end()) return std::nullopt;
  return *at;
}

std::span<const Format> known_formats() noexcept { return formats; }

std::string known_names() {
  std::string text;
  for (const Format& f : formats) text.append(text.empty() ? "" : " ").append(f.fourcc);
  return text;
}

bool place(const Layout& layout, std::span<const ByteView> memory, Picture& picture) noexcept {
  if (memory.size() != layout.format.planes) return false;
  picture.format = layout.format.format;
  picture.size = layout.size;
  picture.colors = layout.colors;
  picture.planes = {};
  const Parts parts = parts_of(layout.format.format, layout.size);
  if (parts.count == 0) return place_coded(memory[0], picture);
  std::size_t offset = 0;
  for (std::size_t i = 0; i < parts.count; ++i) {
    const Part& part = parts.part[i];
    const bool own = layout.format.planes > 1;  // one buffer per plane
    const ByteView bytes = memory[own ? i : 0];
    const std::size_t stride = own ? layout.stride[i] : layout.stride[0] / part.divide;
    const std::size_t begin = own ? 0 : offset;
    // The last row may have no padding.
    if (stride < part.row || begin + stride * (part.rows - 1) + part.row > bytes.size()) return false;
    picture.planes[i] = {bytes.data() + begin, stride};
    offset += stride * part.rows;
  }
  return true;
}

}  // namespace sealcam::hal::v4l2
