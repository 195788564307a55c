// SPDX-License-Identifier: Apache-2.0
#include "hal/fake/fake_source.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>
#include <thread>

#include "base/format.hpp"

namespace sealcam::hal::fake {

namespace {

/// The offsets of the planes of a YU12 picture without padding.
struct Layout {
  explicit Layout(Size s)
      : width(static_cast<std::size_t>(s.width)),
        height(static_cast<std::size_t>(s.height)),
        u(width * height),
        v(u + width * height / 4),
        total(v + width * height / 4) {}
  std::size_t width, height, u, v, total;
};

int bar_width(Size s) { return std::max(4, s.width / 32 / 4 * 4); }
/// The bar moves below the band of mark and digits.
int bar_top(Size s) { return (s.height * 6 / 24 + 1) / 2 * 2; }

}  // namespace

Result<std::unique_ptr<FakeSource>> FakeSource::open(const FakeConfig& config, const Clock& clock) {
  if (!is_valid(config.size)) return fail(Errc::invalid_argument, "size of the fake source");
  if (!(config.rate > 0 && config.rate <= 1000)) return fail(Errc::invalid_argument, "rate of the fake source");
  if (config.buffers < 2 || config.buffers > 64) return fail(Errc::invalid_argument, "buffers of the fake source");
  return std::unique_ptr<FakeSource>(new FakeSource(config, clock));
}

FakeSource::FakeSource(const FakeConfig& config, const Clock& clock)
    : config_(config), pacer_(clock, config.rate, config.realtime, config.buffers) {
  paint_background();
  buffers_.resize(config.buffers);
  for (auto& buffer : buffers_) buffer.bytes = background_;
}

void FakeSource::paint_background() {
  const Layout at(config_.size);
  background_.resize(at.total);
  const auto top = static_cast<std::size_t>(bar_top(config_.size));
  for (std::size_t y = 0; y < at.height; ++y) {
    for (std::size_t x = 0; x < at.width; ++x) {
      // Gradients with soft rings give the encoder work in each block, like a real scene.
      const std::size_t rings = (x * x / at.width + y * y / at.height) / 4 % 64;
      const std::size_t luma =
          y < top ? 16 : 40 + x * 90 / at.width + y * 40 / at.height + (rings < 32 ? rings : 63 - rings);
      background_[y * at.width + x] = static_cast<std::byte>(luma);
    }
  }
  for (std::size_t y = 0; y < at.height / 2; ++y) {
    for (std::size_t x = 0; x < at.width / 2; ++x) {
      const bool band = y * 2 < top;
      const std::size_t i = y * (at.width / 2) + x;
      background_[at.u + i] = static_cast<std::byte>(band ? 128 : 100 + x * 112 / at.width);
      background_[at.v + i] = static_cast<std::byte>(band ? 128 : 156 - y * 112 / at.height);
    }
  }
}

void FakeSource::draw_bar(Buffer& buffer, FrameNumber number) const {
  const Layout at(config_.size);
  const auto width = static_cast<std::size_t>(bar_width(config_.size));
  const auto old_x = static_cast<std::size_t>(buffer.bar);
  // Eight pixels per picture cross 1080p in eight seconds at 30/s.
  const std::size_t x = std::uint64_t{number.value()} * 8 % (at.width - width) / 2 * 2;
  for (auto y = static_cast<std::size_t>(bar_top(config_.size)); y < at.height; ++y) {
    std::byte* const row = buffer.bytes.data() + y * at.width;
    std::memcpy(row + old_x, background_.data() + y * at.width + old_x, width);
    std::memset(row + x, y / 32 % 2 == 0 ? 200 : 220, width);
  }
  buffer.bar = static_cast<int>(x);
}

void FakeSource::draw(Buffer& buffer, FrameNumber number) const {
  draw_bar(buffer, number);
  const LumaPlane luma{buffer.bytes.data(), static_cast<std::size_t>(config_.size.width), config_.size};
  draw_mark(luma, {number, config_.camera});
  std::array<char, 17> text;
  text.fill(' ');
  text[0] = '#';
  std::to_chars(text.data() + 1, text.data() + 6, config_.camera);
  std::array<char, 10> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number.value()).ptr;
  std::copy_backward(digits.data(), end, text.data() + text.size());
  const int left = config_.size.width * 18 / 40;
  const int scale = (config_.size.width - left) / (6 * static_cast<int>(text.size()));
  draw_text(luma, left, config_.size.height / 24, scale, std::string_view(text.data(), text.size()));
}

Result<Picture> FakeSource::do_next(std::chrono::milliseconds timeout) {
  const auto free = std::ranges::find(buffers_, false, &Buffer::leased);
  if (free == buffers_.end()) {
    std::this_thread::sleep_for(timeout);
    return fail(Errc::timeout, "all buffers are leased");
  }
  const auto tick = pacer_.next(timeout);
  if (!tick) return std::unexpected(tick.error());
  if (config_.count && tick->number.value() >= *config_.count)
    return fail(Errc::end_of_stream, "the fake source is finished");
  draw(*free, tick->number);
  free->leased = true;
  const Layout at(config_.size);
  Picture picture(*this, static_cast<std::uint32_t>(free - buffers_.begin()));
  picture.format = PixelFormat::yu12;
  picture.size = config_.size;
  picture.planes = {Plane{free->bytes.data(), at.width}, Plane{free->bytes.data() + at.u, at.width / 2},
                    Plane{free->bytes.data() + at.v, at.width / 2}};
  picture.number = tick->number;
  picture.captured = tick->due;
  return picture;
}

std::string FakeSource::do_describe() const {
  return sealcam::format("fake camera {}, YU12 {}x{}, {}/s{}", config_.camera, config_.size.width, config_.size.height,
                         config_.rate, config_.realtime ? "" : ", as fast as possible");
}

}  // namespace sealcam::hal::fake
