// SPDX-License-Identifier: Apache-2.0
#include "hal/v4l2/v4l2_source.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <new>

#include "support/temporary_folder.hpp"
#include "unit/hal/v4l2/source_scene.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace sealcam::hal::v4l2;
using namespace sealcam::test;
using namespace std::chrono_literals;
using Wait = V4l2Device::Wait;

using Scene = SourceScene;

namespace {

int brightness(const Plane& plane, std::size_t offset = 0) { return std::to_integer<int>(plane.data[offset]); }

}  // namespace

TEST_CASE("V4L2: pictures lease buffers, and the end of the source returns all of them") {
  Scene s;
  {
    const auto source = s.open();
    CHECK(s.fake.streaming);
    CHECK(s.fake.queued.size() == 4);
    CHECK(source->format() == PixelFormat::yuyv);
    CHECK(source->size() == vga);
    CHECK(source->rate() == 30);
    CHECK(source->describe().contains("Fake camera"));
    s.fake.add_pictures(3);
    auto one = get(*source);
    const auto two = get(*source);
    CHECK(s.fake.queued.size() == 2);
    CHECK(one.planes[0].data != two.planes[0].data);
    CHECK(one.planes[0].stride == 1280);
    one = {};
    CHECK(s.fake.queued.size() == 3);
    CHECK(get(*source).number == FrameNumber(2));
    CHECK(s.fake.queued.size() == 3);
    CHECK(error_of(*source) == Errc::timeout);
  }
  CHECK_FALSE(s.fake.streaming);
  CHECK(s.fake.mapped == 0);
  CHECK(s.fake.open_now == 0);
}

TEST_CASE("V4L2: while all buffers are leased next() returns timeout, and after a return a picture") {
  Scene s;
  const auto source = s.open();
  s.fake.add_pictures(5);
  std::vector<Picture> held;
  for (int i = 0; i < 4; ++i) held.push_back(get(*source));
  CHECK(error_of(*source) == Errc::timeout);
  held.pop_back();
  CHECK(get(*source).number == FrameNumber(4));
}

TEST_CASE("V4L2: the end of a source stops the driver and unmaps all buffers, also while a picture is leased") {
  Scene s;
  auto source = s.open();
  s.fake.add_pictures(1);
  // Never destroyed, because this picture would outlive its source.
  alignas(Picture) std::array<std::byte, sizeof(Picture)> leased;
  ::new (leased.data()) Picture(get(*source));
  source.reset();
  CHECK_FALSE(s.fake.streaming);
  CHECK(s.fake.mapped == 0);
  CHECK(s.fake.open_now == 0);
}

TEST_CASE("V4L2: no buffer is queued after device_lost") {
  Scene s;
  const auto source = s.open();
  s.fake.add_pictures(1);
  {
    const auto picture = get(*source);
    s.fake.script.push_back(V4l2Event::fails(ENODEV, Wait::fault));
    CHECK(error_of(*source) == Errc::device_lost);
  }
  CHECK(s.fake.queued.size() == 3);
}

TEST_CASE("V4L2: auto uses any present sensor, and a path uses only its own node") {
  Scene first, second;
  const TemporaryFolder folder;
  for (const char* name : {"video0", "video1"}) std::ofstream(folder.path() / name);
  const DeviceOpener opener = [&](const std::string& path) -> Result<std::unique_ptr<V4l2Device>> {
    if (!std::filesystem::exists(path)) return fail(Errc::not_found, "opening a V4L2 device", ENOENT);
    return (path.ends_with("video0") ? first : second).fake.open();
  };
  const auto used = [&](const std::string& device) -> std::string {
    const V4l2Config config{.device = device, .folder = folder.path(), .size = vga};
    const auto source = V4l2Source::open(config, first.clock, first.log, opener);
    if (!source) return std::string(name(source.error().code));
    return first.fake.streaming ? "first" : "second";
  };
  const std::string path = (folder.path() / "video0").string();
  CHECK(used("auto") == "first");
  CHECK(used(path) == "first");
  std::filesystem::remove(path);  // unplugged
  CHECK(used("auto") == "second");
  CHECK(used(path) == "not found");
  std::ofstream{path};  // plugged in again
  CHECK(used("auto") == "first");
  CHECK(used(path) == "first");
}

TEST_CASE("V4L2: damaged pictures are corrupt_frame, return their buffers and leave gaps in the numbers") {
  Scene s;
  const auto source = s.open();
  s.fake.script = {V4l2Event{},
                   V4l2Event{.flags = V4L2_BUF_FLAG_ERROR},
                   V4l2Event{.used = 100},
                   V4l2Event{.used = 0xffffffff},
                   V4l2Event{.step = 4},
                   V4l2Event{}};
  CHECK(get(*source).number == FrameNumber(0));
  CHECK(error_of(*source) == Errc::corrupt_frame);
  CHECK(error_of(*source) == Errc::corrupt_frame);  // too few bytes
  CHECK(error_of(*source) == Errc::corrupt_frame);  // more than the buffer has
  CHECK(s.fake.queued.size() == 4);
  CHECK(get(*source).number == FrameNumber(7));
  CHECK(get(*source).number == FrameNumber(8));
}

TEST_CASE("V4L2: the wait continues after signals and wakeups without a picture, until the timeout") {
  Scene s;
  const auto source = s.open();
  s.fake.script = {V4l2Event{.wait = Wait::interrupted}, V4l2Event::fails(EINTR), V4l2Event::fails(EAGAIN),
                   V4l2Event{}};
  CHECK(get(*source).number == FrameNumber(0));
  s.fake.script = {V4l2Event{.wait = Wait::timeout}};
  CHECK(error_of(*source) == Errc::timeout);
}

TEST_CASE("V4L2: after device_lost each call returns device_lost until the device is opened again") {
  const auto [error, wait] = GENERATE(values<std::pair<int, Wait>>(
      {{ENODEV, Wait::fault}, {EIO, Wait::ready}, {EINVAL, Wait::fault}, {EPIPE, Wait::ready}, {EAGAIN, Wait::fault}}));
  CAPTURE(error);
  Scene s;
  {
    const auto source = s.open();
    s.fake.script = {V4l2Event{}, V4l2Event::fails(error, wait), V4l2Event{}};
    (void)get(*source);
    CHECK(error_of(*source) == Errc::device_lost);
    CHECK(error_of(*source) == Errc::device_lost);
  }
  const auto again = s.open();
  CHECK(get(*again).number == FrameNumber(0));
}

TEST_CASE("V4L2: a buffer that the driver rejects is queued again") {
  Scene s;
  const auto source = s.open();
  s.fake.add_pictures(2);
  auto picture = get(*source);
  s.fake.errors[VIDIOC_QBUF] = {EINVAL};
  picture = {};
  CHECK(s.fake.queued.size() == 3);
  (void)get(*source);
  CHECK(s.fake.queued.size() == 4);
}

TEST_CASE("V4L2: times are the driver's if it uses the monotonic clock") {
  Scene s;
  const auto source = s.open();
  s.clock.advance(100ms);
  const auto now = s.clock.monotonic();
  s.fake.script = {V4l2Event{.flags = V4L2_BUF_FLAG_TSTAMP_SRC_SOE, .timestamp = now - 40ms},
                   V4l2Event{.monotonic = false, .timestamp = MonotonicTime{1s}}};
  CHECK(get(*source).captured == now - 40ms);
  CHECK(get(*source).captured == now - 40ms);  // its buffer was queued earlier, but no time decreases
  CHECK(s.log.lines().size() == 1);            // the chosen mode
  s.fake.script = {V4l2Event{.timestamp = now + 1h}, V4l2Event{.timestamp = now + 2h}};
  CHECK(get(*source).captured == now - 40ms);
  CHECK(get(*source).captured == now - 40ms);
  CHECK(s.log.contains("monotonic clock"));
  // A challenge that arrives now is too new for the next picture, whose buffer was queued when the first one was
  // returned.
  s.clock.advance(1s);
  s.fake.script = {V4l2Event{.monotonic = false}};
  const std::chrono::duration<double> before = now - get(*source).captured;
  CHECK(std::abs(before.count() - 1 / source->rate()) < 1e-6);
  CHECK(s.log.lines().size() == 2);
}

TEST_CASE("V4L2: planes are found in one buffer and in separate buffers, with padding") {
  const auto [fourcc, multi] = GENERATE(values<std::pair<const char*, bool>>({{"NV12", false},
                                                                              {"YU12", false},
                                                                              {"YUYV", false},
                                                                              {"NV12", true},
                                                                              {"NM12", true},
                                                                              {"YU12", true},
                                                                              {"YM12", true},
                                                                              {"YUYV", true},
                                                                              {"UYVY", false},
                                                                              {"RGB3", false},
                                                                              {"BGR3", true},
                                                                              {"GREY", false}}));
  CAPTURE(fourcc, multi);
  Scene s{fourcc};
  if (multi) s.fake.capabilities = V4L2_CAP_VIDEO_CAPTURE_MPLANE | V4L2_CAP_STREAMING;
  s.fake.padding = 32;
  const auto source = s.open();
  CHECK(source->describe().contains("multi-planar") == multi);
  s.fake.add_pictures(1);
  const auto p = get(*source);
  const std::size_t bytes = std::max<std::size_t>(packed_bytes(p.format), 1);
  CHECK(p.planes[0].stride == (640 + 32) * bytes);
  CHECK(brightness(p.planes[0], p.planes[0].stride * 479) == 7);
  if (p.format == PixelFormat::yu12) {
    CHECK(p.planes[1].stride == 336);
    CHECK(brightness(p.planes[2], 336 * 239 + 319) == 7);
    if (std::string_view(fourcc) == "YU12") {
      CHECK(p.planes[1].data == p.planes[0].data + std::ptrdiff_t{672} * 480);
      CHECK(p.planes[2].data == p.planes[1].data + std::ptrdiff_t{336} * 240);
    }
  }
  if (p.format == PixelFormat::nv12) {
    CHECK(p.planes[1].stride == 672);
    CHECK(brightness(p.planes[1], 672 * 239 + 639) == 7);
  }
}

TEST_CASE("V4L2: the data offset of a plane is part of its used bytes") {
  Scene s{"MJPG"};
  s.fake.capabilities = V4L2_CAP_VIDEO_CAPTURE_MPLANE | V4L2_CAP_STREAMING;
  const auto source = s.open();
  const Bytes content = *from_hex("11223344" + jpeg_of(vga));
  const auto size = static_cast<std::uint32_t>(content.size());
  s.fake.script = {V4l2Event{.data_offset = 4, .content = content},
                   V4l2Event{.data_offset = size + 1, .content = content}, V4l2Event::unit(Bytes(20, std::byte{0xff}))};
  const auto p = get(*source);
  CHECK(p.planes[0].stride == size - 4);
  CHECK(error_of(*source) == Errc::corrupt_frame);
  CHECK(error_of(*source) == Errc::corrupt_frame);  // no start of image
}

TEST_CASE("V4L2: formats whose pictures could not be sent are avoided, if the device has another") {
  Scene s{"H264", "MJPG"};
  const std::string h264 = s.open()->format_id();
  CHECK(h264.contains("H264"));
  const auto second = s.open({.unusable = {h264}});
  CHECK(second->format() == PixelFormat::mjpeg);
  CHECK(s.log.contains("not H264: it did not work before"));
  CHECK(s.open({.unusable = {h264, second->format_id()}})->format() == PixelFormat::h264);
  CHECK(s.open({.format = "H264", .unusable = {h264}})->format() == PixelFormat::h264);
}

TEST_CASE("with privacy masks, a format that the sensor encodes is never used") {
  Scene s{"H264", "MJPG"};
  CHECK(s.open()->format() == PixelFormat::h264);  // control
  CHECK(s.open({.encoded = false})->format() == PixelFormat::mjpeg);
  CHECK(s.log.contains("not H264: the camera could not paint its privacy masks"));
  CHECK(s.try_open({.format = "H264", .encoded = false}).error().code == Errc::unsupported);
  CHECK(s.log.contains("privacy masks exclude H264"));
  Scene alone{"H264"};
  CHECK(alone.try_open({.encoded = false}).error().code == Errc::unsupported);
}

TEST_CASE("V4L2: the best format is chosen, the others are logged, and a rejected format is skipped") {
  Scene s{"MJPG", "YUYV", "NV12"};
  {
    const auto source = s.open();
    CHECK(source->format() == PixelFormat::nv12);
    CHECK(s.log.contains("not MJPG: must be decoded"));
    CHECK(s.log.contains("YUYV: must be converted"));
  }
  CHECK(s.open({.format = "YUYV"})->format() == PixelFormat::yuyv);
  CHECK(s.try_open({.format = "YU12"}).error().code == Errc::unsupported);
  s.fake.field = V4L2_FIELD_ALTERNATE;
  CHECK(s.try_open().error().code == Errc::unsupported);
  CHECK(s.log.contains("fields instead of pictures"));
  s.fake.field = V4L2_FIELD_INTERLACED;
  CHECK(s.try_open());
}

TEST_CASE("V4L2: a format for which the USB bus has no bandwidth left is skipped, and the error explains it") {
  Scene s{"YUYV", "MJPG"};
  s.fake.errors[VIDIOC_STREAMON] = {ENOSPC};
  {
    const auto source = s.open();
    CHECK(source->format() == PixelFormat::mjpeg);
    CHECK(s.log.contains("not YUYV: the USB bus has no bandwidth left for the camera"));
    CHECK(s.fake.streaming);
  }
  CHECK(s.open()->format() == PixelFormat::yuyv);  // control: the next time there is bandwidth
  s.fake.errors[VIDIOC_STREAMON] = {ENOSPC};
  CHECK(s.try_open({.format = "YUYV"}).error().code == Errc::exhausted);
  s.fake.errors[VIDIOC_STREAMON] = {ENOSPC, ENOSPC, ENOSPC, ENOSPC};
  const auto failed = s.try_open();
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == Errc::exhausted);
  CHECK_FALSE(to_string(failed.error()).contains("space"));
  CHECK(s.fake.open_now == 0);
  CHECK(s.fake.mapped == 0);
}

TEST_CASE("V4L2: if no format or size can be used, the error lists those of the device") {
  Scene s;
  s.fake.offers = {{"XYUV", PixelFormat::yuyv, {{vga, vga}, {{32, 24}, {64, 48}, {4, 4}}}},
                   {"MJPG", PixelFormat::mjpeg, {{{641, 481}, {641, 481}}, {{5120, 2880}, {5120, 2880}}}}};
  CHECK(s.try_open().error().code == Errc::unsupported);
  CHECK(
      s.log.contains("it offers XYUV 640x480, 32x24 to 64x48 in steps of 4x4; MJPG 641x481, 5120x2880; Sealcam uses "));
  CHECK(s.log.contains("even numbers from 32 to 4096"));
}

TEST_CASE("V4L2: the source reports size and rate as the driver set them") {
  Scene s;
  s.fake.forced_size = Size{320, 240};
  s.fake.interval = {1, 15};
  {
    const auto source = s.open({.rate = 29.97});
    CHECK(source->size() == Size{320, 240});
    CHECK(s.log.contains("changed the size to 320x240"));
    CHECK(std::pair(s.fake.interval.numerator, s.fake.interval.denominator) == std::pair(1U, 30U));
  }
  s.fake.forced_size = Size{321, 240};
  CHECK(s.try_open().error().code == Errc::unsupported);
  s.fake.forced_size.reset();
  s.fake.enumerates_sizes = false;
  s.fake.sets_rate = false;
  const auto source = s.open({.rate = 20});
  CHECK(source->size() == vga);
  CHECK(source->rate() == 30);
}

TEST_CASE("V4L2: open() logs the cause of a failure") {
  Scene s;
  s.fake.errors[VIDIOC_S_FMT] = {EBUSY};
  CHECK(std::string_view(s.try_open().error().what).contains("another program"));
  s.fake.errors[VIDIOC_REQBUFS] = {EBUSY};
  CHECK(s.try_open().error().code == Errc::io);
  s.fake.errors[VIDIOC_STREAMON] = {ENODEV};
  CHECK(s.try_open().error().code == Errc::device_lost);
  s.fake.errors[VIDIOC_REQBUFS] = {ENOMEM};
  CHECK(s.try_open().error().code == Errc::no_memory);
  s.fake.max_buffers = 2;
  CHECK(s.try_open().error().code == Errc::unsupported);
  s.fake.capabilities = V4L2_CAP_VIDEO_M2M | V4L2_CAP_STREAMING;
  CHECK(s.try_open().error().code == Errc::unsupported);
  CHECK(s.log.contains("not a sensor: an encoder"));
  CHECK(s.fake.open_now == 0);
  CHECK(s.fake.mapped == 0);
}

TEST_CASE("V4L2: a driver that keeps buffers gets more buffers") {
  Scene s;
  s.fake.controls[V4L2_CID_MIN_BUFFERS_FOR_CAPTURE] = {.max = 32, .value = 6};
  const auto source = s.open();
  CHECK(s.fake.queued.size() == 8);
}

TEST_CASE("V4L2: configured controls are set before the first picture, and an error is explained") {
  Scene s;
  s.fake.controls[V4L2_CID_HFLIP] = {.type = V4L2_CTRL_TYPE_BOOLEAN};
  s.fake.controls[V4L2_CID_GAIN] = {.max = 100};
  {
    const auto source = s.open({.controls = {{Control::hflip, {.value = 1}}}});
    CHECK(s.fake.controls[V4L2_CID_HFLIP].value == 1);
    REQUIRE(source->controls() != nullptr);
    CHECK(source->controls()->list().size() == 3);  // two settings and the rate
  }
  CHECK(s.try_open({.controls = {{Control::focus, {.automatic = true}}}}).error().code == Errc::not_found);
  CHECK(s.log.contains("control focus auto: this sensor has no such control; there are gain, hflip, frame_rate"));
  CHECK(s.try_open({.controls = {{Control::gain, {.value = 101}}}}).error().code == Errc::invalid_argument);
  CHECK(s.log.contains("control gain 101: value of this control, which is 0 to 100"));
}
