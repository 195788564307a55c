// SPDX-License-Identifier: Apache-2.0
#include "motion/film.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <sstream>

#include "base/testing/fakes.hpp"
#include "hal/modules/modules.hpp"

namespace sealcam::test {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t table_size = 1 << 20, run = 1024;
constexpr float table_deviation = 20;

std::uint8_t sample(float value) { return static_cast<std::uint8_t>(std::clamp(value, 0.0F, 255.0F)); }

/// The median of every seventh picture.
Samples median(const std::vector<Samples>& pictures) {
  Samples result(pictures.front().size()), column;
  for (std::size_t i = 0; i < result.size(); ++i) {
    column.clear();
    for (std::size_t k = 0; k < pictures.size(); k += 7) column.push_back(pictures[k][i]);
    const auto middle = column.begin() + static_cast<std::ptrdiff_t>(column.size() / 2);
    std::ranges::nth_element(column, middle);
    result[i] = *middle;
  }
  return result;
}

}  // namespace

Clip load_clip(const char* name, hal::Size size, int every, std::size_t repeat) {
  FakeClock clock;
  MemoryLog log;
  auto source = hal::modules::open_replay({.file = clip_folder / name, .size = size, .loop = false, .realtime = false},
                                          clock, log);
  INFO(name);
  REQUIRE(source);
  Clip clip{.size = size, .pictures = {}, .empty = {}};
  Errc last{};
  for (int number = 0, errors = 0; errors < 100;) {
    const auto picture = (*source)->next(1s);
    if (!picture) last = picture.error().code;
    if (last == Errc::end_of_stream) break;
    if (!picture) ++errors;  // for example a timeout on a busy machine
    if (!picture || number++ % every != 0) continue;
    Samples& samples = clip.pictures.emplace_back();
    for (int y = 0; y < size.height; ++y) {
      const auto* row = reinterpret_cast<const std::uint8_t*>(picture->planes[0].data) +
                        static_cast<std::size_t>(y) * picture->planes[0].stride;
      samples.insert(samples.end(), row, row + size.width);
    }
    for (std::size_t i = 1; i < repeat; ++i) clip.pictures.push_back(clip.pictures.back());
  }
  CAPTURE(static_cast<int>(last));
  REQUIRE(clip.pictures.size() > 100);
  clip.empty = median(clip.pictures);
  return clip;
}

std::vector<MarkedEvent> marked_events() {
  std::ifstream file(SEALCAM_MARKED_EVENTS);
  REQUIRE(file);
  std::vector<MarkedEvent> events;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream fields(line);
    MarkedEvent e;
    fields >> e.area.left >> e.area.top >> e.area.width >> e.area.height >> e.first >> e.last;
    REQUIRE((fields && e.area.is_valid() && e.first < e.last));
    events.push_back(e);
  }
  return events;
}

Effects::Effects() : gauss_(table_size) {
  std::normal_distribution<float> normal(0, table_deviation);
  for (auto& value : gauss_) value = static_cast<std::int8_t>(std::clamp(normal(random_), -127.0F, 127.0F));
}

/// Runs of a table of noise, each from another place of it.
void Effects::noise(Samples& samples, float deviation) {
  const int factor = static_cast<int>(deviation / table_deviation * 256);
  for (std::size_t from = 0; from < samples.size(); from += run) {
    const std::int8_t* noise = &gauss_[below(table_size - run)];
    const std::size_t count = std::min(run, samples.size() - from);
    for (std::size_t i = 0; i < count; ++i)
      samples[from + i] = static_cast<std::uint8_t>(std::clamp(samples[from + i] + (noise[i] * factor >> 8), 0, 255));
  }
}

void Effects::rain(Samples& samples, hal::Size size, int drops) {
  for (int drop = 0; drop < drops; ++drop) {
    const auto left = static_cast<int>(below(static_cast<std::uint32_t>(size.width)));
    const auto top = static_cast<int>(below(static_cast<std::uint32_t>(size.height)));
    const auto length = static_cast<int>(10 + below(35)), light = static_cast<int>(15 + below(35));
    const int wide = drop % 3 == 0 ? 2 : 1;
    for (int y = top; y < std::min(top + length, size.height); ++y) {
      const int slope = left + (y - top) * 3 / 20;
      for (int x = slope; x < std::min(slope + wide, size.width); ++x) {
        auto& at = samples[static_cast<std::size_t>(y * size.width + x)];
        at = static_cast<std::uint8_t>(std::min(at + light, 255));
      }
    }
  }
}

void Effects::light(Samples& samples, hal::Size size, float factor, float tilt) {
  for (int y = 0; y < size.height; ++y)
    for (int x = 0; x < size.width; ++x) {
      auto& at = samples[static_cast<std::size_t>(y * size.width + x)];
      const float side = static_cast<float>(x) / static_cast<float>(size.width) - 0.5F;
      at = sample(static_cast<float>(at) * factor * (1 + tilt * side) + 4);
    }
}

void Effects::apply(Samples& samples, hal::Size size, const Weather& weather) {
  if (weather.light != 1) light(samples, size, weather.light);
  rain(samples, size, weather.drops);
  noise(samples, weather.noise);
}

Samples with_area(const Clip& clip, std::size_t picture, const PictureArea& area, bool mirrored) {
  Samples samples = clip.empty;
  const auto width = static_cast<std::size_t>(clip.size.width), height = static_cast<std::size_t>(clip.size.height);
  const std::size_t left = area.left * width / 1000, right = (area.left + area.width) * width / 1000;
  for (std::size_t y = area.top * height / 1000; y < (area.top + area.height) * height / 1000; ++y) {
    const auto row = clip.pictures.at(picture).begin() + static_cast<std::ptrdiff_t>(y * width);
    std::copy(row + static_cast<std::ptrdiff_t>(left), row + static_cast<std::ptrdiff_t>(right),
              samples.begin() + static_cast<std::ptrdiff_t>(y * width + left));
  }
  if (mirrored)
    for (std::size_t y = 0; y < height; ++y)
      std::reverse(samples.begin() + static_cast<std::ptrdiff_t>(y * width),
                   samples.begin() + static_cast<std::ptrdiff_t>((y + 1) * width));
  return samples;
}

}  // namespace sealcam::test
