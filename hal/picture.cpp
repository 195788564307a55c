// SPDX-License-Identifier: Apache-2.0
#include "hal/picture.hpp"

#include <algorithm>
#include <optional>

namespace sealcam::hal {

namespace {

constexpr std::byte marker{0xff}, start_of_image{0xd8}, start_of_scan{0xda};

/// A marker of a frame header: 0xc0 to 0xcf, except those of tables and extensions (table B.1).
bool is_frame_header(std::byte code) noexcept {
  return code >= std::byte{0xc0} && code <= std::byte{0xcf} && code != std::byte{0xc4} && code != std::byte{0xc8} &&
         code != std::byte{0xcc};
}

/// Lines and samples per line of the frame header (clause B.2.2). `rest` begins after the start of image.
std::optional<Size> frame_size(ByteView rest) noexcept {
  while (rest.size() >= 4 && rest[0] == marker) {
    const std::byte code = rest[1];
    if (code == marker || code == start_of_image) {  // a fill byte, or a second start
      rest = rest.subspan(code == marker ? 1 : 2);
      continue;
    }
    const std::size_t length = load_be<std::uint16_t>(rest.subspan<2, 2>());
    if (code == start_of_scan || length < 2 || length + 2 > rest.size()) return std::nullopt;
    if (is_frame_header(code)) {
      if (length < 8) return std::nullopt;
      return Size{load_be<std::uint16_t>(rest.subspan<7, 2>()), load_be<std::uint16_t>(rest.subspan<5, 2>())};
    }
    rest = rest.subspan(length + 2);
  }
  return std::nullopt;
}

}  // namespace

Result<> adopt_jpeg(Picture& picture) noexcept {
  const ByteView bytes(picture.planes[0].data, picture.planes[0].stride);
  constexpr std::array start = {marker, start_of_image, marker};
  const auto found = std::ranges::search(bytes, start);
  if (found.empty()) return fail(Errc::corrupt_frame, "the JPEG picture has no start of image");
  const auto jpeg = bytes.subspan(static_cast<std::size_t>(found.begin() - bytes.begin()));
  const auto real = frame_size(jpeg.subspan(2));
  if (!real) return fail(Errc::corrupt_frame, "the JPEG picture has no frame header");
  if (!is_padded(*real, picture.size)) picture.size = {real->width & ~1, real->height & ~1};
  if (!is_valid(picture.size)) return fail(Errc::corrupt_frame, "the size of the JPEG picture cannot be used");
  picture.planes[0] = {jpeg.data(), jpeg.size()};
  return {};
}

}  // namespace sealcam::hal
