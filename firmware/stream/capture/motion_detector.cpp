// SPDX-License-Identifier: Apache-2.0
#include "stream/capture/motion_detector.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace sealcam::stream {

using namespace std::chrono_literals;

namespace {

/// The place of a block or a sample in its vector. Numbers are int and not negative.
constexpr std::size_t offset(int number) noexcept { return static_cast<std::size_t>(number); }

constexpr auto time_tolerance = 30ms;  // a sensor's interval need not divide ours
constexpr auto end_after = 2500ms;     // without a moving group
constexpr auto lost_after = 450ms;     // a track without a group
constexpr auto pause = 5s;             // between two pictures; the background is then of another time
constexpr unsigned settled = 50;       // samples until motion may begin
constexpr unsigned new_scene_samples = 5;
constexpr unsigned first_samples = 10;  // of which the background is the mean
constexpr int new_scene_divisor = 3;    // this part of the picture changes at once
constexpr float above_usual = 3;        // of a changed block
constexpr float usual_floor = 2;        // samples are integers
constexpr float usual_up = 1.02F, usual_down = 0.9978F, first_usual_up = 1.1F,
                first_usual_down = 0.99F;             // the usual value is above eight ninths of the values
constexpr float same_pattern = 0.12F;                 // of the variance: the fit of a light that is not even
constexpr float glare = 245;                          // mean of a block without a pattern
constexpr float light_ratio = 0.08F, light_step = 3;  // of the mean of most blocks
constexpr int seen_before_motion = 3, blocks_before_motion = 16;  // of a track, in all its samples
constexpr int near = 2;                                           // blocks
constexpr float clutter_part = 0.1F, usual_clutter = 8, clutter_share = 4;

enum BlockState : std::uint8_t { watched = 1, differs = 2, moves = 4, grouped = 8 };

/// What a fit of gain and offset leaves of two blocks, per sample and squared. Symmetric, so that a plain thing before
/// a pattern counts like a pattern before a plain wall.
struct Sums {
  std::uint32_t a = 0, b = 0, aa = 0, bb = 0, ab = 0;

  [[nodiscard]] bool other_light(float count) const noexcept {
    const auto from = static_cast<float>(b), to = static_cast<float>(a);
    return std::abs(to - from) > std::max(light_ratio * from, light_step * count);
  }
  [[nodiscard]] float rest(float count) const noexcept {
    const float scale = 1 / count;
    const float mean_a = static_cast<float>(a) * scale, mean_b = static_cast<float>(b) * scale;
    const float var_a = std::max(static_cast<float>(aa) * scale - mean_a * mean_a, 0.01F);
    const float var_b = std::max(static_cast<float>(bb) * scale - mean_b * mean_b, 0.01F);
    const float both = std::max(static_cast<float>(ab) * scale - mean_a * mean_b, 0.0F);
    if (mean_a > glare || mean_b > glare) return 0;
    return (var_a + var_b) * std::max(1 - both * both / (var_a * var_b) - same_pattern, 0.0F);
  }
};

}  // namespace

MotionDetector::MotionDetector()
    : sums_(hal::max_side),
      pictures_(std::size_t{history} * max_side * max_side),
      background_(std::size_t{max_side} * max_side),
      usual_background_(max_blocks),
      usual_change_(max_blocks),
      state_(max_blocks),
      stack_(max_blocks) {}

void MotionDetector::configure(unsigned sensitivity, std::span<const PictureArea> zones) {
  sensitivity_ = std::min(sensitivity, max_sensitivity);
  zones_ = FewAreas(zones);
  reset();
}

void MotionDetector::reset() noexcept {
  size_ = {};
  sampled_.reset();
  motion_ = false;
}

std::uint8_t* MotionDetector::picture(int age) noexcept {
  return pictures_.data() + static_cast<std::ptrdiff_t>((newest_ + history - age) % history) * max_side * max_side;
}

/// Whether the middle of the block is in a zone.
bool MotionDetector::in_zone(int column, int row) const noexcept {
  if (zones_.empty()) return true;
  const int x = (column * block + block / 2) * PictureArea::scale / width_;
  const int y = (row * block + block / 2) * PictureArea::scale / height_;
  return std::ranges::any_of(zones_.list(), [&](const PictureArea& zone) {
    return x >= zone.left && x < zone.left + zone.width && y >= zone.top && y < zone.top + zone.height;
  });
}

/// Returns false if the reduced picture has the same size as before. The background then remains valid, for example
/// when the network needs pictures of half the size.
bool MotionDetector::resize(const hal::Luma& luma) {
  const bool first = size_.width == 0;
  const int width = width_, height = height_;
  size_ = luma.size;
  factor_ = (std::max(size_.width, size_.height) + max_side - 1) / max_side;
  width_ = size_.width / factor_;
  height_ = size_.height / factor_;
  if (!first && width == width_ && height == height_) return false;
  columns_ = width_ / block;
  rows_ = height_ / block;
  samples_ = 0;
  clutter_ = 0;
  tracks_.fill({});
  std::ranges::fill(usual_background_, usual_floor);
  std::ranges::fill(usual_change_, usual_floor);
  for (int row = 0; row < rows_; ++row)
    for (int column = 0; column < columns_; ++column) {
      state_[offset(row * columns_ + column)] = static_cast<std::uint8_t>(in_zone(column, row) ? watched : 0);
    }
  return true;
}

/// The mean of factor_ x factor_ samples; of large pictures, of every second row.
void MotionDetector::reduce(const hal::Luma& luma) noexcept {
  constexpr int chunk = 32;
  const int used = width_ * factor_;
  const int step = factor_ < 4 ? 1 : 2;
  const auto samples = static_cast<std::uint32_t>(factor_ * ((factor_ + step - 1) / step));
  const std::uint32_t scale = (1U << 16) / samples, half = 1U << 15;
  std::uint8_t* out = picture(0);
  for (int row = 0; row < height_; ++row, out += width_) {
    std::fill_n(sums_.begin(), used, std::uint16_t{0});
    for (int line = 0; line < factor_; line += step) {
      const auto* in = reinterpret_cast<const std::uint8_t*>(luma.data) +
                       static_cast<std::size_t>(row * factor_ + line) * luma.stride;
      std::uint16_t* sum = sums_.data();
      int x = 0;
      for (; x + chunk <= used; x += chunk) {
        // Copies, because the compiler uses vectors only if it knows that the two do not overlap.
        std::array<std::uint8_t, chunk> from;
        std::array<std::uint16_t, chunk> to;
        std::memcpy(from.data(), in + x, sizeof from);
        std::memcpy(to.data(), sum + x, sizeof to);
        for (std::size_t i = 0; i < chunk; ++i) to[i] = static_cast<std::uint16_t>(to[i] + from[i]);
        std::memcpy(sum + x, to.data(), sizeof to);
      }
      for (; x < used; ++x) sum[x] = static_cast<std::uint16_t>(sum[x] + in[x]);
    }
    const std::uint16_t* sum = sums_.data();
    for (int x = 0; x < width_; ++x) {
      std::uint32_t total = 0;
      for (int i = 0; i < factor_; ++i) total += *sum++;
      out[x] = static_cast<std::uint8_t>(std::min((total * scale + half) >> 16, 255U));
    }
  }
}

/// Marks the blocks that changed, and follows what is usual.
void MotionDetector::compare() noexcept {
  const std::uint8_t *now = picture(0), *before = picture(history - 1);
  const float floor = 24 * std::exp2((static_cast<float>(usual_sensitivity) - static_cast<float>(sensitivity_)) / 16);
  const bool settling = samples_ < settled;
  const float up = settling ? first_usual_up : usual_up, down = settling ? first_usual_down : usual_down;
  const auto follow_usual = [up, down](float& usual, float rest) {
    usual = std::max(usual * (rest > usual ? up : down), usual_floor);
  };
  changed_ = relit_ = 0;
  for (int row = 0; row < rows_; ++row)
    for (int column = 0; column < columns_; ++column) {
      const auto index = offset(row * columns_ + column);
      std::uint8_t& state = state_[index];
      state &= watched;
      Sums background, change;
      const int first = row * block * width_ + column * block;
      for (int y = 0; y < block; ++y)
        for (int x = 0; x < block; ++x) {
          const int at = first + y * width_ + x;
          const std::uint32_t v = now[at], b = background_[static_cast<std::size_t>(at)] >> 8, p = before[at];
          background.a += v;
          background.aa += v * v;
          background.b += b;
          background.bb += b * b;
          background.ab += v * b;
          change.b += p;
          change.bb += p * p;
          change.ab += v * p;
        }
      change.a = background.a;
      change.aa = background.aa;
      const float from_background = background.rest(block * block), from_before = change.rest(block * block);
      float &usual_b = usual_background_[index], &usual_c = usual_change_[index];
      if (from_background > std::max(floor, above_usual * usual_b)) {
        state |= differs;
        ++changed_;
        if ((state & watched) != 0 && from_before > std::max(floor / 2, above_usual * usual_c)) state |= moves;
      }
      if (change.other_light(block * block)) ++relit_;
      follow_usual(usual_b, from_background);
      follow_usual(usual_c, from_before);
    }
}

void MotionDetector::update_background(bool at_once) noexcept {
  const std::uint8_t* now = picture(0);
  for (int row = 0; row < rows_; ++row)
    for (int column = 0; column < columns_; ++column) {
      const bool differing = (state_[offset(row * columns_ + column)] & differs) != 0;
      const int shift = at_once ? 0 : samples_ < first_samples ? 1 : differing ? 8 : 4;
      const int first = row * block * width_ + column * block;
      for (int y = 0; y < block; ++y)
        for (int x = 0; x < block; ++x) {
          std::uint16_t& b = background_[offset(first + y * width_ + x)];
          const int difference = (now[first + y * width_ + x] << 8) - b;
          b = static_cast<std::uint16_t>(b + (difference >> shift));
        }
    }
}

/// Collects the group of moving blocks around the block `seed`.
void MotionDetector::grow(int seed) noexcept {
  Group group{.box = {columns_, rows_, 0, 0}};
  std::size_t depth = 0;
  const auto push = [&](int index) {
    state_[static_cast<std::size_t>(index)] |= grouped;
    stack_[depth++] = static_cast<std::uint16_t>(index);
  };
  push(seed);
  while (depth > 0) {
    const int index = stack_[--depth], column = index % columns_, row = index / columns_;
    ++group.blocks;
    group.x += static_cast<float>(column);
    group.y += static_cast<float>(row);
    group.box = {std::min(group.box.left, column), std::min(group.box.top, row), std::max(group.box.right, column),
                 std::max(group.box.bottom, row)};
    for (int r = std::max(row - 1, 0); r <= std::min(row + 1, rows_ - 1); ++r)
      for (int c = std::max(column - 1, 0); c <= std::min(column + 1, columns_ - 1); ++c)
        if ((state_[offset(r * columns_ + c)] & (moves | grouped)) == moves) push(r * columns_ + c);
  }
  if (group.blocks < min_blocks()) small_ += group.blocks;
  if (group.blocks < min_blocks() || group_count_ == groups_.size()) return;
  group.x /= static_cast<float>(group.blocks);
  group.y /= static_cast<float>(group.blocks);
  groups_[group_count_++] = group;
}

void MotionDetector::find_groups() noexcept {
  group_count_ = 0;
  small_ = 0;
  for (int index = 0; index < rows_ * columns_; ++index)
    if ((state_[static_cast<std::size_t>(index)] & (moves | grouped)) == moves) grow(index);
}

void MotionDetector::follow(const Group& group, MonotonicTime captured) noexcept {
  const auto is_near = [&](const Track& track) {
    const Box &a = track.group.box, &b = group.box;
    return track.seen > 0 && b.left <= a.right + near && a.left <= b.right + near && b.top <= a.bottom + near &&
           a.top <= b.bottom + near;
  };
  auto track = std::ranges::find_if(tracks_, is_near);
  if (track == tracks_.end()) {
    track =
        std::ranges::min_element(tracks_, {}, [](const Track& t) { return t.seen == 0 ? MonotonicTime{} : t.last; });
    *track = {.group = group, .x = group.x, .y = group.y, .seen = 0, .blocks = 0, .moved = false, .last = captured};
  }
  const float distance = std::hypot(group.x - track->x, group.y - track->y);
  const float needed = 3 * static_cast<float>(max_sensitivity - sensitivity_) / max_sensitivity;
  track->group = group;
  track->last = captured;
  ++track->seen;
  track->blocks += group.blocks;
  if (track->seen >= seen_before_motion && track->blocks >= blocks_before_motion && distance >= needed)
    track->moved = true;
  if (!track->moved) return;
  last_moving_ = captured;
  motion_ = true;
}

bool MotionDetector::update(const hal::Luma& luma, MonotonicTime captured) {
  if (sensitivity_ == 0 || luma.data == nullptr) return motion_ = false;
  if (sampled_ && captured - *sampled_ + time_tolerance < interval) return motion_;
  if (sampled_ && captured - *sampled_ > pause) reset();
  sampled_ = captured;
  const bool first = luma.size != size_ && resize(luma);
  newest_ = (newest_ + 1) % history;
  reduce(luma);
  if (first) {
    for (int age = 1; age < history; ++age) std::copy_n(picture(0), max_side * max_side, picture(age));
    update_background(true);
  }
  compare();
  const int blocks = rows_ * columns_;
  const bool new_scene = changed_ * new_scene_divisor > blocks || relit_ * 2 > blocks;
  update_background(new_scene);
  if (new_scene) {
    samples_ = std::min(samples_, settled - new_scene_samples);
    tracks_.fill({});
  }
  find_groups();
  clutter_ += (static_cast<float>(small_) - clutter_) * clutter_part;
  if (++samples_ > settled) {
    // Rain makes many small groups, and sometimes larger ones of them.
    const int needed = min_blocks() + static_cast<int>(std::max(clutter_ - usual_clutter, 0.0F) / clutter_share);
    for (const Group& group : std::span(groups_).first(group_count_))
      if (group.blocks >= needed) follow(group, captured);
  }
  for (Track& track : tracks_)
    if (track.seen > 0 && captured - track.last > lost_after) track = {};
  if (motion_ && captured - last_moving_ > end_after) motion_ = false;
  return motion_;
}

}  // namespace sealcam::stream
