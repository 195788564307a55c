// SPDX-License-Identifier: Apache-2.0
#include "hal/v4l2/v4l2_source.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <new>

#include "support/fake_v4l2.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace sealcam::hal::v4l2;
using namespace sealcam::test;
using namespace std::chrono_literals;
using Wait = V4l2Device::Wait;

namespace {

constexpr Size vga{640, 480};

Offer offer(std::string fourcc) {
  const auto format = *known_format(fourcc_number(fourcc));
  return {std::move(fourcc), format.format, {{vga, vga, {1, 1}, {{30, 30}}}}};
}

struct Scene {
  FakeClock clock;
  MemoryLog log;
  FakeV4l2 fake{clock};

  explicit Scene(std::initializer_list<const char*> fourccs = {"YUYV"}) {
    for (const char* f : fourccs) fake.offers.push_back(offer(f));
  }
  Result<std::unique_ptr<V4l2Source>> try_open(V4l2Config config = {}) {
    config.device = "/dev/test";
    config.size = vga;
    return V4l2Source::open(config, clock, log, fake.opener());
  }
  std::unique_ptr<V4l2Source> open(const V4l2Config& config = {}) {
    auto source = try_open(config);
    INFO((source ? std::string() : to_string(source.error())));
    REQUIRE(source);
    return std::move(*source);
  }
};

Errc error_of(FrameSource& source) {
  const auto picture = source.next(10ms);
  REQUIRE_FALSE(picture);
  return picture.error().code;
}

Picture get(FrameSource& source) {
  auto picture = source.next(10ms);
  INFO((picture ? std::string() : to_string(picture.error())));
  REQUIRE(picture);
  return std::move(*picture);
}

int brightness(const Plane& plane, std::size_t offset = 0) { return std::to_integer<int>(plane.data[offset]); }

}  // namespace

TEST_CASE("V4L2: pictures lease buffers, and everything is returned at the end, leased or not") {
  Scene s;
  {
    const auto source = s.open();
    CHECK(s.fake.streaming);
    CHECK(s.fake.queued.size() == 4);
    CHECK(source->format() == PixelFormat::yuyv);
    CHECK(source->size() == vga);
    CHECK(source->rate() == 30);
    CHECK(source->describe().contains("Fake camera"));
    s.fake.good(3);
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

TEST_CASE("V4L2: with every buffer leased there is no picture, and with one given back there is") {
  Scene s;
  const auto source = s.open();
  s.fake.good(5);
  std::vector<Picture> held;
  for (int i = 0; i < 4; ++i) held.push_back(get(*source));
  CHECK(error_of(*source) == Errc::timeout);
  held.pop_back();
  CHECK(get(*source).number == FrameNumber(4));
}

TEST_CASE("V4L2: the end of a source stops the driver and unmaps, also while a picture is leased") {
  Scene s;
  auto source = s.open();
  s.fake.good(1);
  // Never destroyed: a picture must not outlive its source, and this one would.
  alignas(Picture) std::array<std::byte, sizeof(Picture)> leased;
  ::new (leased.data()) Picture(get(*source));
  source.reset();
  CHECK_FALSE(s.fake.streaming);
  CHECK(s.fake.mapped == 0);
  CHECK(s.fake.open_now == 0);
}

TEST_CASE("V4L2: nothing is given back to a driver that is gone") {
  Scene s;
  const auto source = s.open();
  s.fake.good(1);
  {
    const auto picture = get(*source);
    s.fake.script.push_back(V4l2Event::fails(ENODEV, Wait::fault));
    CHECK(error_of(*source) == Errc::device_lost);
  }
  CHECK(s.fake.queued.size() == 3);
}

TEST_CASE("V4L2: auto takes the sensor that is there now, a path waits for its own") {
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

TEST_CASE("V4L2: damaged pictures are corrupt, their buffers return, and the numbers show the gap") {
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

TEST_CASE("V4L2: the wait goes on over signals and empty-handed drivers, and ends with the time") {
  Scene s;
  const auto source = s.open();
  s.fake.script = {V4l2Event{.wait = Wait::interrupted}, V4l2Event::fails(EINTR), V4l2Event::fails(EAGAIN),
                   V4l2Event{}};
  CHECK(get(*source).number == FrameNumber(0));
  s.fake.script = {V4l2Event{.wait = Wait::timeout}};
  CHECK(error_of(*source) == Errc::timeout);
}

TEST_CASE("V4L2: a device that is gone stays lost until it is opened again") {
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

TEST_CASE("V4L2: a buffer that the driver does not take back is offered again") {
  Scene s;
  const auto source = s.open();
  s.fake.good(2);
  auto picture = get(*source);
  s.fake.errors[VIDIOC_QBUF] = {EINVAL};
  picture = {};
  CHECK(s.fake.queued.size() == 3);
  (void)get(*source);
  CHECK(s.fake.queued.size() == 4);
}

TEST_CASE("V4L2: times are the driver's where it has the right clock") {
  Scene s;
  const auto source = s.open();
  s.clock.advance(100ms);
  const auto now = s.clock.monotonic();
  s.fake.script = {V4l2Event{.flags = V4L2_BUF_FLAG_TSTAMP_SRC_SOE, .stamp = now - 40ms},
                   V4l2Event{.monotonic = false, .stamp = MonotonicTime{1s}}};
  CHECK(get(*source).captured == now - 40ms);
  CHECK(get(*source).captured == now);
  CHECK(s.log.lines().size() == 1);  // what was chosen
  s.fake.script = {V4l2Event{.stamp = now + 1h}, V4l2Event{.stamp = now + 2h}};
  CHECK(get(*source).captured == now);
  CHECK(get(*source).captured == now);
  CHECK(s.log.contains("monotonic clock"));
  CHECK(s.log.lines().size() == 2);
}

TEST_CASE("V4L2: planes in one buffer and in buffers of their own, with padding") {
  const auto [fourcc, multi] = GENERATE(values<std::pair<const char*, bool>>({{"NV12", false},
                                                                              {"YU12", false},
                                                                              {"YUYV", false},
                                                                              {"NV12", true},
                                                                              {"NM12", true},
                                                                              {"YU12", true},
                                                                              {"YM12", true},
                                                                              {"YUYV", true}}));
  CAPTURE(fourcc, multi);
  Scene s{fourcc};
  if (multi) s.fake.capabilities = V4L2_CAP_VIDEO_CAPTURE_MPLANE | V4L2_CAP_STREAMING;
  s.fake.padding = 32;
  const auto source = s.open();
  CHECK(source->describe().contains("multi-planar") == multi);
  s.fake.good(1);
  const auto p = get(*source);
  const std::size_t bytes = p.format == PixelFormat::yuyv ? 2 : 1;
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

TEST_CASE("V4L2: what a plane skips at its begin is counted in what it uses") {
  Scene s{"MJPG"};
  s.fake.capabilities = V4L2_CAP_VIDEO_CAPTURE_MPLANE | V4L2_CAP_STREAMING;
  const auto source = s.open();
  Bytes jpeg(20, std::byte{0xff});
  jpeg[5] = std::byte{0xd8};
  s.fake.script = {V4l2Event{.data_offset = 4, .content = jpeg}, V4l2Event{.data_offset = 21, .content = jpeg},
                   V4l2Event::unit(jpeg)};
  const auto p = get(*source);
  CHECK(p.planes[0].stride == 16);
  CHECK(error_of(*source) == Errc::corrupt_frame);
  CHECK(error_of(*source) == Errc::corrupt_frame);  // no start of image
}

TEST_CASE("V4L2: H.264 gets the parameter sets that the device wrote once") {
  const auto bytes = [](std::string_view hex) { return *from_hex(hex); };
  const Bytes sets = bytes("00000001674200140000000168ce"), key = bytes("000000016588"), delta = bytes("000000014188");
  Scene s{"YUYV", "H264"};
  s.fake.controls[V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER] = {};
  const auto source = s.open();
  CHECK(source->format() == PixelFormat::h264);
  CHECK(s.fake.controls[V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER].value == 1);
  s.fake.script = {V4l2Event::unit(key),   V4l2Event::unit(sets),          V4l2Event::unit(key),
                   V4l2Event::unit(delta), V4l2Event::unit(bytes("7777")), V4l2Event{.used = 0}};
  CHECK(error_of(*source) == Errc::corrupt_frame);  // no sets yet
  const auto first = get(*source);                  // the buffer of the sets alone is no picture
  CHECK(first.keyframe);
  const ByteView unit(first.planes[0].data, first.planes[0].stride);
  CHECK(to_hex(unit) == "00000001674200140000000168ce000000016588");
  const auto second = get(*source);
  CHECK_FALSE(second.keyframe);
  CHECK(second.planes[0].stride == delta.size());
  CHECK(to_hex(unit) == "00000001674200140000000168ce000000016588");  // still leased, still there
  CHECK(error_of(*source) == Errc::corrupt_frame);
  CHECK(error_of(*source) == Errc::corrupt_frame);
}

TEST_CASE("V4L2: the best format is taken, the others named; what the driver refuses is passed over") {
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
  CHECK(s.log.contains("half pictures"));
  s.fake.field = V4L2_FIELD_INTERLACED;
  CHECK(s.try_open());
}

TEST_CASE("V4L2: size and rate are the driver's in the end") {
  Scene s;
  s.fake.makes_size = Size{320, 240};
  s.fake.interval = {1, 15};
  {
    const auto source = s.open({.rate = 29.97});
    CHECK(source->size() == Size{320, 240});
    CHECK(s.log.contains("made it 320x240"));
    CHECK(std::pair(s.fake.interval.numerator, s.fake.interval.denominator) == std::pair(1U, 30U));
  }
  s.fake.makes_size = Size{321, 240};
  CHECK(s.try_open().error().code == Errc::unsupported);
  s.fake.makes_size.reset();
  s.fake.enumerates_sizes = false;
  s.fake.sets_rate = false;
  const auto source = s.open({.rate = 20});
  CHECK(source->size() == vga);
  CHECK(source->rate() == 30);
}

TEST_CASE("V4L2: opening says what is wrong") {
  Scene s;
  s.fake.errors[VIDIOC_S_FMT] = {EBUSY};
  CHECK(std::string_view(s.try_open().error().what).contains("another program"));
  s.fake.errors[VIDIOC_REQBUFS] = {EBUSY};
  CHECK(s.try_open().error().code == Errc::io);
  s.fake.errors[VIDIOC_STREAMON] = {ENODEV};
  CHECK(s.try_open().error().code == Errc::device_lost);
  s.fake.errors[VIDIOC_REQBUFS] = {ENOMEM};
  CHECK(s.try_open().error().code == Errc::no_memory);
  s.fake.most_buffers = 2;
  CHECK(s.try_open().error().code == Errc::unsupported);
  s.fake.capabilities = V4L2_CAP_VIDEO_M2M | V4L2_CAP_STREAMING;
  CHECK(s.try_open().error().code == Errc::unsupported);
  CHECK(s.log.contains("no sensor: an encoder"));
  CHECK(s.fake.open_now == 0);
  CHECK(s.fake.mapped == 0);
}

TEST_CASE("V4L2: a driver that keeps buffers to itself is given more") {
  Scene s;
  s.fake.controls[V4L2_CID_MIN_BUFFERS_FOR_CAPTURE] = {.max = 32, .value = 6};
  const auto source = s.open();
  CHECK(s.fake.queued.size() == 8);
}

TEST_CASE("V4L2: configured controls are made before the first picture, and a wrong one is explained") {
  Scene s;
  s.fake.controls[V4L2_CID_HFLIP] = {.type = V4L2_CTRL_TYPE_BOOLEAN};
  s.fake.controls[V4L2_CID_GAIN] = {.max = 100};
  {
    const auto source = s.open({.controls = {{Control::hflip, {.value = 1}}}});
    CHECK(s.fake.controls[V4L2_CID_HFLIP].value == 1);
    REQUIRE(source->controls() != nullptr);
    CHECK(source->controls()->list().size() == 3);  // and the rate
  }
  CHECK(s.try_open({.controls = {{Control::focus, {.automatic = true}}}}).error().code == Errc::not_found);
  CHECK(s.log.contains("control focus auto: this sensor has no such control; there are gain, hflip, frame_rate"));
  CHECK(s.try_open({.controls = {{Control::gain, {.value = 101}}}}).error().code == Errc::invalid_argument);
  CHECK(s.log.contains("control gain 101: value of this control, which is 0 to 100"));
}
