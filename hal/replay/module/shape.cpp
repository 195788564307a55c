// SPDX-License-Identifier: Apache-2.0
#include "hal/replay/module/shape.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace sealcam::hal::replay {

Orientation orientation_of(std::span<const std::int32_t, 9> matrix) noexcept {
  // x' = a x + c y, y' = b x + d y
  const double a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
  if (std::abs(b) + std::abs(c) > std::abs(a) + std::abs(d)) return {true, c < 0, b < 0};
  return {false, a < 0, d < 0};
}

Rectangle fit(double width, double height, Size frame) noexcept {
  const auto even = [](double side, int max) {
    return std::clamp(static_cast<int>(std::lround(side / 2)) * 2, 2, max / 2 * 2);
  };
  Rectangle area{0, 0, frame};
  if (width * frame.height > height * frame.width) area.size.height = even(frame.width * height / width, frame.height);
  else area.size.width = even(frame.height * width / height, frame.width);
  area.left = (frame.width - area.size.width) / 4 * 2;
  area.top = (frame.height - area.size.height) / 4 * 2;
  return area;
}

void orient(const SamplePlane& from, const Orientation& orientation, int width, int height, std::uint8_t* to,
            std::ptrdiff_t stride) noexcept {
  // Bytes between neighbors of the result.
  std::ptrdiff_t across = orientation.transposed ? from.stride : 1;
  std::ptrdiff_t down = orientation.transposed ? 1 : from.stride;
  const std::uint8_t* first = from.data;
  if (orientation.mirror_x) {
    first += across * (width - 1);
    across = -across;
  }
  if (orientation.mirror_y) {
    first += down * (height - 1);
    down = -down;
  }
  constexpr int block = 32;  // samples of both sides then stay in the first cache
  for (int top = 0; top < height; top += block) {
    const int bottom = std::min(top + block, height);
    if (across == 1) {
      for (int y = top; y < bottom; ++y)
        std::memcpy(to + y * stride, first + y * down, static_cast<std::size_t>(width));
      continue;
    }
    for (int left = 0; left < width; left += block) {
      const int right = std::min(left + block, width);
      for (int y = top; y < bottom; ++y)
        for (int x = left; x < right; ++x) to[y * stride + x] = first[y * down + x * across];
    }
  }
}

}  // namespace sealcam::hal::replay
