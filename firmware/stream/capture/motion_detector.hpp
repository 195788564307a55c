// SPDX-License-Identifier: Apache-2.0
/// Detects motion in the pictures that are encoded.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.hpp"
#include "base/picture_area.hpp"
#include "hal/media.hpp"

namespace sealcam::stream {

/// Compares blocks of 8x8 samples with a running background and with the picture 0.4 s earlier, five times a second.
/// The luma is first reduced to at most 320 samples per side.
///
/// A comparison fits gain and offset of the block, so that light alone changes little. A block is changed if the rest
/// is above three times the usual rest of this block: noise, rain and a swaying tree raise their own threshold. Motion
/// begins with a group of connected blocks, changed against both pictures, that exists for three samples, moves, and
/// sums up to 16 blocks. Many small groups, as of rain, raise the size of a group that counts. Motion ends 2.5 s after
/// the last such group. If a third of the blocks changes at once, or half of them become lighter or darker, the
/// detector takes the background again and begins no motion for a second. It begins none in its first ten seconds
/// either, in which it measures what is usual.
///
/// Allocates on construction only. Thread-bound.
class MotionDetector {
 public:
  static constexpr unsigned max_sensitivity = 100, usual_sensitivity = 50;
  static constexpr std::chrono::milliseconds interval{200};

  MotionDetector();

  /// `sensitivity`: 0 is off, 100 reports the smallest changes. `zones`: motion counts only here; empty: everywhere.
  void configure(unsigned sensitivity, std::span<const PictureArea> zones);
  /// Forgets the background and the motion, for example because the masks changed or the sensor was closed.
  void reset() noexcept;
  /// Call this with each picture; it skips those that follow too early. A pause of more than 5 s is a reset(). So is a
  /// change of the size, but it continues the motion, and it changes nothing if the reduced luma has the same size.
  /// Returns whether there is motion.
  bool update(const hal::Luma& luma, MonotonicTime captured);
  [[nodiscard]] bool motion() const noexcept { return motion_; }

 private:
  static constexpr int max_side = 320, block = 8, max_blocks = max_side / block * max_side / block;
  static constexpr int history = 3;  // pictures, with the newest

  struct Box {
    int left = 0, top = 0, right = 0, bottom = 0;  // blocks, inclusive
  };
  struct Group {
    Box box;
    int blocks = 0;
    float x = 0, y = 0;  // center
  };
  struct Track {
    Group group;
    float x = 0, y = 0;  // center when it began
    int seen = 0;        // samples; 0: free
    int blocks = 0;      // in all samples
    bool moved = false;
    MonotonicTime last;
  };

  [[nodiscard]] bool resize(const hal::Luma& luma);
  void reduce(const hal::Luma& luma) noexcept;
  void compare() noexcept;
  void update_background(bool at_once) noexcept;
  void find_groups() noexcept;
  void grow(int seed) noexcept;
  void follow(const Group& group, MonotonicTime captured) noexcept;
  [[nodiscard]] std::uint8_t* picture(int age) noexcept;
  [[nodiscard]] int min_blocks() const noexcept { return 2 + static_cast<int>(max_sensitivity - sensitivity_) / 34; }
  [[nodiscard]] bool in_zone(int column, int row) const noexcept;

  unsigned sensitivity_ = usual_sensitivity;
  FewAreas zones_;
  hal::Size size_;                                      // of the pictures
  int factor_ = 1;                                      // of the reduction
  int width_ = 0, height_ = 0;                          // reduced
  int columns_ = 0, rows_ = 0;                          // blocks
  std::vector<std::uint16_t> sums_;                     // of a row
  std::vector<std::uint8_t> pictures_;                  // reduced, a ring
  std::vector<std::uint16_t> background_;               // reduced, with 8 fractional bits
  std::vector<float> usual_background_, usual_change_;  // by block: what the comparisons usually leave
  std::vector<std::uint8_t> state_;                     // by block
  std::vector<std::uint16_t> stack_;
  std::array<Group, 16> groups_{};
  std::size_t group_count_ = 0;
  std::array<Track, 8> tracks_{};
  int newest_ = 0;
  unsigned samples_ = 0;  // since the background began
  int changed_ = 0;       // blocks that differ from the background
  int small_ = 0;         // blocks of groups that are too small
  float clutter_ = 0;     // the same, of the last seconds
  int relit_ = 0;         // blocks that are lighter or darker than before
  std::optional<MonotonicTime> sampled_;
  MonotonicTime last_moving_;
  bool motion_ = false;
};

}  // namespace sealcam::stream
