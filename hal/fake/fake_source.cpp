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

constexpr int columns = 16;
constexpr int rows = 4;
constexpr auto black = std::byte{16};
constexpr auto white = std::byte{235};

struct Rectangle {
  int left, top, right, bottom;
};

Rectangle cell(Size size, int column, int row) noexcept {
  return {size.width * (column + 1) / 40, size.height * (row + 1) / 24, size.width * (column + 2) / 40,
          size.height * (row + 2) / 24};
}

/// CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xffff, so that an all-black mark does not fit.
std::uint16_t crc16(std::uint64_t value, int bytes) noexcept {
  unsigned crc = 0xffff;
  for (int i = bytes - 1; i >= 0; --i) {
    crc ^= static_cast<unsigned>(value >> (8 * i) & 0xff) << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1;
  }
  return static_cast<std::uint16_t>(crc);
}

void fill(const LumaPlane& plane, const Rectangle& r, std::byte value) noexcept {
  for (int y = r.top; y < r.bottom; ++y)
    std::memset(plane.data + static_cast<std::size_t>(y) * plane.stride + r.left, std::to_integer<int>(value),
                static_cast<std::size_t>(r.right - r.left));
}

/// Returns 1 for white, 0 for black, and nothing for other cells. Reads the middle half of the cell only, because
/// encoding and scaling blur the edges.
std::optional<unsigned> read_cell(const Plane& plane, const Rectangle& r) noexcept {
  const int dx = (r.right - r.left) / 4;
  const int dy = (r.bottom - r.top) / 4;
  unsigned sum = 0;
  unsigned n = 0;
  for (int y = r.top + dy; y < r.bottom - dy; ++y) {
    for (int x = r.left + dx; x < r.right - dx; ++x, ++n)
      sum += std::to_integer<unsigned>(
          plane.data[static_cast<std::size_t>(y) * plane.stride + static_cast<std::size_t>(x)]);
  }
  if (n == 0) return std::nullopt;
  const unsigned mean = sum / n;
  if (mean > 90 && mean < 160) return std::nullopt;
  return mean >= 160 ? 1u : 0u;
}

/// Seven rows of five dots, the leftmost in bit 4.
struct Glyph {
  char letter;
  unsigned char dots[7];
};
constexpr Glyph glyphs[] = {
    {'0', {0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e}}, {'1', {0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e}},
    {'2', {0x0e, 0x11, 0x01, 0x06, 0x08, 0x10, 0x1f}}, {'3', {0x1e, 0x01, 0x01, 0x0e, 0x01, 0x01, 0x1e}},
    {'4', {0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02}}, {'5', {0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e}},
    {'6', {0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e}}, {'7', {0x1f, 0x01, 0x02, 0x04, 0x04, 0x08, 0x08}},
    {'8', {0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e}}, {'9', {0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c}},
    {'#', {0x0a, 0x0a, 0x1f, 0x0a, 0x1f, 0x0a, 0x0a}},
};

void draw_letter(const LumaPlane& plane, int x, int y, int scale, char letter) noexcept {
  const auto* glyph = std::ranges::find(glyphs, letter, &Glyph::letter);
  for (int row = 0; row < 7; ++row) {
    for (int column = 0; column < 6; ++column) {
      const bool dot = glyph != std::end(glyphs) && column < 5 && (glyph->dots[row] >> (4 - column) & 1) != 0;
      fill(plane, {x + column * scale, y + row * scale, x + (column + 1) * scale, y + (row + 1) * scale},
           dot ? white : black);
    }
  }
}

}  // namespace

void draw_mark(const LumaPlane& plane, const PictureMark& mark) noexcept {
  std::uint64_t bits = std::uint64_t{mark.number.value()} << 16 | mark.camera;
  bits = bits << 16 | crc16(bits, 6);
  for (int i = 0; i < columns * rows; ++i)
    fill(plane, cell(plane.size, i % columns, i / columns), (bits >> (63 - i) & 1) != 0 ? white : black);
}

std::optional<PictureMark> read_mark(const Picture& picture) noexcept {
  const bool planar = picture.format == PixelFormat::yu12 || picture.format == PixelFormat::nv12;
  if (!planar || !is_valid(picture.size) || picture.planes[0].data == nullptr) return std::nullopt;
  std::uint64_t bits = 0;
  for (int i = 0; i < columns * rows; ++i) {
    const auto bit = read_cell(picture.planes[0], cell(picture.size, i % columns, i / columns));
    if (!bit) return std::nullopt;
    bits = bits << 1 | *bit;
  }
  if (crc16(bits >> 16, 6) != (bits & 0xffff)) return std::nullopt;
  return PictureMark{FrameNumber(static_cast<std::uint32_t>(bits >> 32)), static_cast<std::uint16_t>(bits >> 16)};
}

void draw_text(const LumaPlane& plane, int x, int y, int scale, std::string_view text) noexcept {
  if (scale <= 0 || x < 0 || y < 0 || y + 7 * scale > plane.size.height) return;
  for (const char letter : text) {
    if (x + 6 * scale > plane.size.width) return;
    draw_letter(plane, x, y, scale, letter);
    x += 6 * scale;
  }
}

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
