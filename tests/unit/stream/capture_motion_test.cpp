// SPDX-License-Identifier: Apache-2.0
/// The motion detector with drawn pictures. tests/motion has real clips.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "protocol/command.hpp"
#include "unit/stream/capture_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;

namespace {

/// A wall with a pattern, and perhaps a striped square before it. Pixels of the large size; a smaller picture is
/// scaled.
struct Drawing {
  hal::Size large{640, 480};
  int left = -1, top = 200, side = 96;  // of the square; -1: there is none
  Bytes samples;

  hal::Luma picture(hal::Size size) {
    samples.resize(static_cast<std::size_t>(size.width) * static_cast<std::size_t>(size.height));
    const int step = large.width / size.width;
    auto* out = samples.data();
    for (int y = 0; y < size.height; ++y)
      for (int x = 0; x < size.width; ++x) {
        int sum = 0;
        for (int i = 0; i < step * step; ++i) sum += at(x * step + i % step, y * step + i / step);
        *out++ = static_cast<std::byte>(sum / (step * step));
      }
    return {samples.data(), static_cast<std::size_t>(size.width), size};
  }

 private:
  [[nodiscard]] int at(int x, int y) const {
    const bool inside = left >= 0 && y >= top && y < top + side && x >= left && x < left + side;
    return inside ? 60 + (x / 4 % 2) * 120 : 100 + ((x / 16 + y / 16) % 2) * 20;
  }
};

/// A detector that sees a drawing five times a second.
struct Watch {
  MotionDetector detector;
  Drawing drawing;
  hal::Size size{640, 480};
  MonotonicTime now;

  /// Whether any of the pictures has motion. `speed`: of the square, in pixels.
  bool see(int pictures, int speed = 0) {
    bool any = false;
    for (int i = 0; i < pictures; ++i) {
      if (drawing.left >= 0) drawing.left += speed;
      any |= detector.update(drawing.picture(size), now = now + MotionDetector::interval);
    }
    return any;
  }
};

/// A capture loop whose encoder shows a drawing of 320x240.
struct MotionScene : CaptureScene {
  Drawing drawing{.large = {320, 240}, .top = 100, .side = 48, .samples = {}};

  MotionScene() {
    control.set_active(true);
    factory.source_size = {320, 240};
    factory.luma = [this] { return drawing.picture({320, 240}); };
  }
  /// Whether any of the units has the flag of motion.
  bool see(int pictures) {
    bool any = false;
    for (int i = 0; i < pictures; ++i) {
      steps(1);
      if (drawing.left >= 0) ++drawing.left;
      while (const auto unit = queue.take()) {
        any |= unit->info.motion;
        queue.release();
      }
    }
    return any;
  }
};

}  // namespace

TEST_CASE("the motion detector sees the encoder's pictures, and marks the units while there is motion") {
  MotionScene s;
  CHECK_FALSE(s.see(400));  // the detector measures for ten seconds
  s.drawing.left = 0;
  CHECK(s.see(120));
  CHECK(s.loop.counters().motions == 1);
  s.drawing.left = -1;
  (void)s.see(150);
  CHECK_FALSE(s.see(100));
  AreaSettings off;
  off.sensitivity = 0;
  s.control.set_areas(off);
  CHECK_FALSE(s.control.detects_motion());
  s.drawing.left = 0;
  CHECK_FALSE(s.see(120));
}

TEST_CASE("after the sensor was closed, the detector begins again: its first pictures are no motion") {
  MotionScene s;
  (void)s.see(400);
  s.drawing.left = 0;
  REQUIRE(s.see(120));
  CHECK(s.loop.counters().motion);
  const bool privacy = GENERATE(true, false);
  if (privacy) s.control.set_closed(true);
  else s.control.request_reopen();
  s.steps(1);
  CHECK_FALSE(s.loop.counters().motion);
  s.control.set_closed(false);
  s.clock.advance(1s);
  CHECK_FALSE(s.see(200));  // the square moves on meanwhile
}

TEST_CASE("a pause in the pictures begins the measurement again, also while something moves") {
  const auto pause = GENERATE(std::chrono::milliseconds(4000), std::chrono::milliseconds(60'000));
  Watch watch;
  (void)watch.see(60);
  watch.drawing.left = 0;
  REQUIRE(watch.see(20, 12));
  watch.now = watch.now + pause;
  watch.drawing.left += 30;
  const bool first = watch.see(1);
  CHECK(first == (pause == 4s));  // control: a slow network makes shorter pauses
  if (!first) CHECK_FALSE(watch.see(30, 4));
}

TEST_CASE("pictures of half the size continue the measurement; after another change of the size it begins again") {
  Watch watch;
  (void)watch.see(60);
  const bool half = GENERATE(true, false);
  watch.size = half ? hal::Size{320, 240} : hal::Size{160, 120};
  CHECK_FALSE(watch.see(15));
  watch.drawing.left = 0;
  CHECK(watch.see(20, 12) == half);
}

TEST_CASE("a zone of the smallest size that the owner's command accepts reports motion, and a thin one does not") {
  constexpr auto width = static_cast<std::uint16_t>(protocol::CameraSettings::min_zone_width);
  constexpr auto height = static_cast<std::uint16_t>(protocol::CameraSettings::min_zone_height);
  const auto finds = [](hal::Size size, unsigned sensitivity, const PictureArea& zone) {
    Watch watch;
    watch.size = watch.drawing.large = size;
    watch.drawing.side = 48;
    watch.drawing.top = size.height * 2 / 5 + 10;
    watch.detector.configure(sensitivity, PictureAreas{zone});
    (void)watch.see(60);
    watch.drawing.left = 0;
    return watch.see(size.width / 12, 12);
  };
  const PictureArea least{400, 400, width, height};
  for (const hal::Size size : {hal::Size{640, 360}, hal::Size{640, 480}, hal::Size{360, 640}})
    for (const unsigned sensitivity : {50U, 90U}) {
      CAPTURE(size.width, size.height, sensitivity);
      CHECK(finds(size, sensitivity, least));
    }
  CHECK(finds({640, 360}, 30, least));
  CHECK_FALSE(finds({640, 360}, 50, {400, 0, 30, 1000}));
  CHECK_FALSE(finds({640, 360}, 50, {400, 400, 40, 60}));
}
