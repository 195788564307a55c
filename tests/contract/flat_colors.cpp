// SPDX-License-Identifier: Apache-2.0
#include "contract/flat_colors.hpp"

#include <algorithm>
#include <cmath>

#include "base/result.hpp"

namespace sealcam::test {

using hal::Colors;

namespace {

constexpr std::array<Rgb, 8> fields{{{200, 40, 40},
                                     {40, 180, 60},
                                     {50, 60, 200},
                                     {230, 200, 60},
                                     {128, 128, 128},
                                     {255, 255, 255},
                                     {0, 0, 0},
                                     {220, 150, 130}}};
constexpr std::size_t width = flat_size.width, height = flat_size.height;
constexpr std::size_t columns = 4, field_width = width / columns, field_height = height / 2;

struct Weights {
  double red, blue;
};

Weights weights(std::uint8_t matrix) {
  switch (matrix) {
    case Colors::bt709: return {0.2126, 0.0722};
    case Colors::bt2020: return {0.2627, 0.0593};
    default: SC_ASSERT(matrix == Colors::bt601 || matrix == 5); return {0.299, 0.114};  // 5: BT.470 B/G, the same
  }
}

struct Scale {
  double offset, luma, chroma;
};
constexpr Scale limited{16, 219, 224}, full{0, 255, 255};

Rgb gray_of(const Rgb& color, std::uint8_t matrix) {
  const auto [red, blue] = weights(matrix);
  const double luma = red * color[0] + (1 - red - blue) * color[1] + blue * color[2];
  return {luma, luma, luma};
}

std::array<std::byte, 3> to_samples(const Rgb& color, const Colors& meaning) {
  const auto [red, blue] = weights(meaning.matrix);
  const auto& scale = meaning.full_range ? full : limited;
  const double r = color[0] / 255, g = color[1] / 255, b = color[2] / 255;
  const double y = red * r + (1 - red - blue) * g + blue * b;
  const auto sample = [](double value) { return static_cast<std::byte>(std::lround(std::clamp(value, 0.0, 255.0))); };
  return {sample(scale.offset + scale.luma * y), sample(128 + scale.chroma * (b - y) / (2 - 2 * blue)),
          sample(128 + scale.chroma * (r - y) / (2 - 2 * red))};
}

Rgb to_rgb(double y, double u, double v, const Colors& meaning) {
  const auto [red, blue] = weights(meaning.matrix);
  const auto& scale = meaning.full_range ? full : limited;
  y = (y - scale.offset) / scale.luma;
  u = (u - 128) / scale.chroma;
  v = (v - 128) / scale.chroma;
  const double r = y + (2 - 2 * red) * v, b = y + (2 - 2 * blue) * u;
  const double g = (y - red * r - blue * b) / (1 - red - blue);
  Rgb out{r, g, b};
  for (auto& component : out) component = std::clamp(component * 255, 0.0, 255.0);
  return out;
}

}  // namespace

Bytes flat_picture(const Colors& meaning) {
  Bytes out(width * height * 3 / 2);
  const std::array<std::size_t, 3> begin{0, width * height, width * height * 5 / 4};
  for (std::size_t field = 0; field < fields.size(); ++field) {
    const auto samples = to_samples(fields[field], meaning);
    for (std::size_t plane = 0; plane < 3; ++plane) {
      const std::size_t divide = plane == 0 ? 1 : 2;
      const std::size_t left = field % columns * field_width / divide, top = field / columns * field_height / divide;
      for (std::size_t y = top; y < top + field_height / divide; ++y) {
        auto* const row = out.data() + begin[plane] + y * (width / divide) + left;
        std::fill_n(row, field_width / divide, samples[plane]);
      }
    }
  }
  return out;
}

Bytes flat_rgb(bool blue_first, bool full_range) {
  const auto& scale = full_range ? full : limited;
  Bytes out;
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      auto color = fields[y / field_height * columns + x / field_width];
      if (blue_first) std::swap(color[0], color[2]);
      for (const double value : color)
        out.push_back(static_cast<std::byte>(std::lround(scale.offset + scale.luma * value / 255)));
    }
  }
  return out;
}

double color_error(const hal::Picture& picture, std::optional<std::uint8_t> gray) {
  SC_ASSERT(picture.size == flat_size && picture.format == hal::PixelFormat::yu12);
  double max = 0;
  for (std::size_t field = 0; field < fields.size(); ++field) {
    const std::size_t x = field % columns * field_width + field_width / 2;
    const std::size_t y = field / columns * field_height + field_height / 2;
    const auto sample = [&](std::size_t plane, std::size_t divide) {
      const auto& p = picture.planes[plane];
      return std::to_integer<int>(p.data[y / divide * p.stride + x / divide]);
    };
    const Rgb shown = to_rgb(sample(0, 1), sample(1, 2), sample(2, 2), picture.colors);
    const Rgb expected = gray ? gray_of(fields[field], *gray) : fields[field];
    for (std::size_t i = 0; i < 3; ++i) max = std::max(max, std::abs(shown[i] - expected[i]));
  }
  return max;
}

hal::Picture as_picture(ByteView yu12, const Colors& colors) {
  hal::Picture picture;
  picture.size = flat_size;
  picture.colors = colors;
  const auto* const data = yu12.data();
  picture.planes = {hal::Plane{data, width}, hal::Plane{data + width * height, width / 2},
                    hal::Plane{data + width * height * 5 / 4, width / 2}};
  return picture;
}

}  // namespace sealcam::test
