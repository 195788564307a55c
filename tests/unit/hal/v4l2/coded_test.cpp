// SPDX-License-Identifier: Apache-2.0
// Tests V4L2 sensors that deliver JPEG or H.264.
#include <catch2/catch_test_macros.hpp>

#include "unit/hal/v4l2/source_scene.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace sealcam::hal::v4l2;
using namespace sealcam::test;
using namespace std::chrono_literals;
using Scene = SourceScene;

TEST_CASE("V4L2: JPEG pictures have the size and the start of their own header") {
  Scene s{"MJPG"};
  const auto source = s.open();
  s.fake.script = {V4l2Event::unit(*from_hex(jpeg_of(vga))), V4l2Event::unit(*from_hex(jpeg_of({320, 240}))),
                   V4l2Event::unit(*from_hex("0000" + jpeg_of(vga)))};
  CHECK(get(*source).size == vga);
  CHECK(get(*source).size == Size{320, 240});
  CHECK(get(*source).planes[0].stride == jpeg_of(vga).size() / 2);
}

namespace {

constexpr std::string_view sets = "000000016742c01eda0280f6400000000168ce3880", key = "00000001658884",
                           delta = "00000001419a24";

V4l2Event coded(std::string_view a, std::string_view b = {}, std::string_view c = {}) {
  return V4l2Event::unit(*from_hex(std::string(a).append(b).append(c)));
}

std::string hex_of(const Picture& picture) {
  return to_hex(ByteView(picture.planes[0].data, picture.planes[0].stride));
}

}  // namespace

TEST_CASE("V4L2: key frames of H.264 get the parameter sets that the device wrote once") {
  Scene s{"YUYV", "H264"};
  s.fake.controls[V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER] = {};
  s.fake.controls[V4L2_CID_MPEG_VIDEO_B_FRAMES] = {.value = 2};
  const auto source = s.open();
  CHECK(source->format() == PixelFormat::h264);
  CHECK(s.fake.controls[V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER].value == 1);
  CHECK(s.fake.controls[V4L2_CID_MPEG_VIDEO_B_FRAMES].value == 0);
  s.fake.script = {coded(key), coded(sets), coded(key), coded(delta), coded("7777"), V4l2Event{.used = 0}};
  CHECK(error_of(*source) == Errc::corrupt_frame);  // no parameter sets yet
  const auto first = get(*source);                  // the buffer with only the parameter sets is not a picture
  CHECK(first.keyframe);
  const std::string whole = std::string(sets).append(key);
  CHECK(hex_of(first) == whole);
  const auto second = get(*source);
  CHECK_FALSE(second.keyframe);
  CHECK(hex_of(second) == delta);
  CHECK(hex_of(first) == whole);  // the picture is still leased
  CHECK(error_of(*source) == Errc::corrupt_frame);
  CHECK(error_of(*source) == Errc::corrupt_frame);
}

TEST_CASE("V4L2: several H.264 pictures in one buffer have their own numbers and times, and one lease") {
  Scene s{"H264"};
  const auto source = s.open();
  s.clock.advance(1s);
  const auto now = s.clock.monotonic();
  const auto interval = std::chrono::nanoseconds(1'000'000'000 / 30 + 1);
  s.fake.script = {coded(sets), coded(key, delta, delta), coded(delta), coded("000000010605")};
  s.fake.script[0].timestamp = now - 133ms;
  s.fake.script[1].timestamp = now - 100ms;
  s.fake.script[2].timestamp = now - 66ms;
  std::vector<Picture> pictures;
  for (int i = 0; i < 4; ++i) pictures.push_back(get(*source));
  for (std::uint32_t i = 0; i < 4; ++i) CHECK(pictures[i].number == FrameNumber(i));
  CHECK(pictures[0].keyframe);
  CHECK(pictures[2].captured == now - 100ms);
  CHECK(pictures[1].captured < pictures[2].captured);
  CHECK(pictures[0].captured < pictures[1].captured);
  CHECK(pictures[0].captured > now - 100ms - interval);
  CHECK(pictures[3].captured == now - 66ms);
  CHECK(s.fake.queued.size() == 2);  // two of four buffers are leased
  pictures[0] = {};
  pictures[2] = {};
  CHECK(s.fake.queued.size() == 2);
  pictures[1] = {};
  CHECK(s.fake.queued.size() == 3);
  CHECK(error_of(*source) == Errc::timeout);  // the last buffer has no picture
  s.fake.script = {coded(delta)};
  CHECK(get(*source).number == FrameNumber(4));  // it leaves no gap
}

TEST_CASE("V4L2: H.264 pictures have the size of their parameter set") {
  Scene s{"H264"};
  s.fake.forced_size = Size{640, 360};
  const auto source = s.open();
  s.fake.script = {coded(sets, key), coded(delta), coded("000000016742c01eda0507e40000000168ce3880", key)};
  CHECK(get(*source).size == vga);
  CHECK(get(*source).size == vga);
  CHECK(get(*source).size == Size{320, 240});
}

TEST_CASE("V4L2: H.264 with B-frames is unsupported") {
  Scene s{"H264"};
  const auto source = s.open();
  s.fake.script = {coded(sets, key), coded("00000001419f24")};
  (void)get(*source);
  CHECK(error_of(*source) == Errc::unsupported);
}
