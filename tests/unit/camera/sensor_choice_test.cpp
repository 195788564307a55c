// SPDX-License-Identifier: Apache-2.0
/// "backend": "auto", through the factory that the capture thread asks again and again.
#include "camera/sensor_choice.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <cstdlib>
#include <format>
#include <fstream>
#include <map>

#include "camera/capture_factory.hpp"
#include "hal/fake/fake_source.hpp"
#include "hal/libcamera/load.hpp"
#include "support/fake_v4l2.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::camera;
using namespace sealcam::hal;
using namespace sealcam::test;
using namespace std::chrono_literals;

namespace {

constexpr Size vga{640, 480};

/// One camera, or none, or trouble.
struct FakeLibcamera final : libcamera::LibcameraBackend {
  explicit FakeLibcamera(const Clock& c) : clock(c) {}

  Result<std::unique_ptr<FrameSource>> do_open(const libcamera::LibcameraConfig& config, const Clock&,
                                               Log& log) override {
    ++asked;
    wanted = config;
    kept = &log;
    log.info("what libcamera is");
    if (meanwhile) meanwhile();
    if (there) return fake::FakeSource::open({.size = config.size, .realtime = false}, clock);
    if (!words.empty()) log.error("{}", words);
    return std::unexpected(error);
  }
  Result<std::vector<libcamera::CameraEntry>> do_list(Log&) override { return {}; }

  const Clock& clock;
  bool there = false;
  Error error{Errc::not_found, 0, "libcamera finds no camera"};
  std::string words = "libcamera finds no camera: is it plugged in?";
  std::function<void()> meanwhile;
  int asked = 0;
  libcamera::LibcameraConfig wanted;
  Log* kept = nullptr;
};

struct Board {
  FakeClock clock;
  MemoryLog log;
  TemporaryFolder dev;
  FakeV4l2 sensor{clock}, chain{clock}, codec{clock};
  std::map<std::string, FakeV4l2*> nodes;
  std::map<std::string, Error> refuses;
  int opened = 0;  // V4L2 nodes
  FakeLibcamera libcamera{clock};
  CameraConfig config;
  std::unique_ptr<ConfiguredCapture> factory;

  explicit Board(const char* backend = "auto") {
    sensor.offers = {{"YUYV", PixelFormat::yuyv, {{vga, vga, {1, 1}, {{30, 30}}}}}};
    chain.offers = sensor.offers;
    chain.has_input = false;
    codec.capabilities = V4L2_CAP_VIDEO_M2M_MPLANE | V4L2_CAP_STREAMING;
    config.source.backend = backend;
    config.source.size = vga;
  }
  void plug(const std::string& name, FakeV4l2& fake) {
    std::ofstream(dev.path() / name) << "";
    nodes[name] = &fake;
  }
  void unplug(const std::string& name) { std::filesystem::remove(dev.path() / name); }
  Result<std::unique_ptr<FrameSource>> open() {
    if (!factory) {
      const v4l2::DeviceOpener opener = [this](const std::string& path) -> Result<std::unique_ptr<v4l2::V4l2Device>> {
        ++opened;
        const auto name = std::filesystem::path(path).filename().string();
        if (const auto error = refuses.find(name); error != refuses.end()) return std::unexpected(error->second);
        return nodes.at(name)->open();
      };
      factory = std::make_unique<ConfiguredCapture>(config, std::nullopt, clock, log,
                                                    SensorDoors{dev.path(), opener, &libcamera});
    }
    return factory->open_source(0);
  }
  /// What is opened, or the error.
  std::string takes() {
    const auto source = open();
    if (!source) return std::format("{}: {}", name(source.error().code), source.error().what);
    return (*source)->describe().starts_with("V4L2") ? "v4l2" : "libcamera";
  }
  [[nodiscard]] std::vector<std::string> errors() const {
    auto lines = log.lines();
    std::erase_if(lines, [](const auto& line) { return !line.starts_with("error: "); });
    return lines;
  }
};

constexpr const char* neither = "not found: neither V4L2 nor libcamera has a sensor";

}  // namespace

TEST_CASE("auto: a V4L2 sensor is taken, and libcamera not touched") {
  Board board;
  board.libcamera.there = true;
  board.plug("video0", board.chain);
  board.plug("video10", board.codec);
  board.plug("video20", board.sensor);
  CHECK(board.takes() == "v4l2");
  CHECK(board.libcamera.asked == 0);
}

TEST_CASE("auto: nodes that are no sensors leave it to libcamera, with all that is configured") {
  Board board;
  board.libcamera.there = true;
  board.plug("video0", board.chain);  // as unicam and rp1-cfe show themselves
  board.plug("video10", board.codec);
  board.config.source.rate = 25;
  board.config.source.format = "YUYV";
  board.config.source.controls = {{Control::hflip, {.value = 1}}};
  CHECK(board.takes() == "libcamera");
  const auto& wanted = board.libcamera.wanted;
  CHECK(wanted.camera == "auto");
  CHECK(wanted.size == vga);
  CHECK(wanted.rate == 25);
  CHECK(wanted.format == "YUYV");
  REQUIRE(wanted.controls.size() == 1);
  CHECK(wanted.controls[0].control == Control::hflip);
  CHECK(board.errors().empty());
  CHECK(board.log.contains("what libcamera is"));
  board.libcamera.kept->error("while it runs");  // what is said later is not held back
  CHECK(board.log.contains("while it runs"));
}

TEST_CASE("auto: a V4L2 sensor in trouble is waited for; libcamera's camera is not taken in its stead") {
  Board board;
  board.libcamera.there = true;
  board.plug("video0", board.sensor);
  SECTION("in use by another program") {
    board.sensor.errors[VIDIOC_S_FMT] = {EBUSY, EBUSY, EBUSY};
    CHECK(board.takes().starts_with("input/output error: "));
  }
  SECTION("of which another program has the node") {
    board.refuses["video0"] = {Errc::io, EBUSY, "opening a V4L2 device"};
    CHECK(board.takes().starts_with("input/output error: opening a V4L2 device"));
    CHECK(board.log.contains("in use by another program"));
  }
  SECTION("that may not be opened") {
    board.refuses["video0"] = {Errc::permission, EACCES, "opening a V4L2 device"};
    CHECK(board.takes().starts_with("permission denied: "));
    CHECK(board.log.contains("must be in the group"));
  }
  SECTION("without a control that is wanted, which is not found, too") {
    board.config.source.controls = {{Control::focus, {.value = 3}}};
    CHECK(board.takes().starts_with("not found: "));
  }
  SECTION("without the format that is wanted") {
    board.config.source.format = "NV12";
    CHECK(board.takes().starts_with("unsupported: "));
  }
  CHECK(board.libcamera.asked == 0);
  board.refuses.clear();
  board.sensor.errors.clear();
  board.sensor.controls[V4L2_CID_FOCUS_ABSOLUTE] = {.max = 10};
  board.sensor.offers.push_back({"NV12", PixelFormat::nv12, {{vga, vga, {1, 1}, {{30, 30}}}}});
  CHECK(board.takes() == "v4l2");  // control: nothing else was in its way
}

TEST_CASE("auto: neither is said once, in one line, however often it is tried") {
  Board board;
  for (int i = 0; i < 200; ++i) {
    CHECK(board.takes() == neither);
    board.clock.advance(5s);
  }
  CHECK(board.errors() ==
        std::vector<std::string>{"error: no V4L2 sensor is there; libcamera finds no camera: is it plugged in?"});
  board.libcamera.error = {Errc::unsupported, 0, "sealcam-libcamera.so"};
  board.libcamera.words = "libcamera: the module does not load";
  board.clock.advance(1min);
  CHECK(board.takes() == "unsupported: sealcam-libcamera.so");
  board.libcamera.error = {Errc::io, 0, "libcamera does not start"};
  board.libcamera.words = "";
  board.clock.advance(1min);
  for (int i = 0; i < 3; ++i) CHECK(board.takes() == "input/output error: libcamera does not start");
  CHECK(board.errors().size() == 3);
  CHECK(board.errors().at(1) == "error: no V4L2 sensor is there; libcamera: the module does not load");
  CHECK(board.errors().at(2) ==
        "error: no V4L2 sensor is there; libcamera: libcamera does not start: input/output error");
}

TEST_CASE("auto: while there is no camera V4L2 is looked at each time, libcamera less and less often") {
  Board board;
  board.plug("video10", board.codec);
  const auto asked_in = [&](std::chrono::seconds time) {
    const int before = board.libcamera.asked;
    for (auto t = 0s; t < time; t += 1s) {
      CHECK(board.takes() == neither);
      board.clock.advance(1s);
    }
    return board.libcamera.asked - before;
  };
  CHECK(asked_in(16s) == 5);  // at 0, 1, 3, 7, 15 s: drivers that come late are seen soon
  CHECK(asked_in(104s) == 6);
  CHECK(asked_in(600s) == 40);
  CHECK(board.opened == 720);
  CHECK(asked_in(1s) == 1);
  // Whichever comes is taken: V4L2's at once, libcamera's within 15 s.
  board.libcamera.there = true;
  CHECK(board.takes() == neither);
  board.plug("video0", board.sensor);
  CHECK(board.takes() == "v4l2");
  board.unplug("video0");
  CHECK(board.takes() == "libcamera");
  board.libcamera.there = false;
  CHECK(asked_in(16s) == 5);
  board.libcamera.there = true;
  board.clock.advance(14s);
  CHECK(board.takes() == "libcamera");
}

TEST_CASE("auto: a camera of libcamera's that is in use is asked for each time") {
  Board board;
  board.libcamera.error = {Errc::permission, EBUSY, "the camera is in use by another program"};
  board.libcamera.words = "imx708 is in use: end that program";
  for (int i = 0; i < 5; ++i) CHECK(board.takes().starts_with("permission denied: the camera is in use"));
  CHECK(board.libcamera.asked == 5);
  CHECK(board.errors() ==
        std::vector<std::string>{"error: no V4L2 sensor is there; imx708 is in use: end that program"});
  board.libcamera.there = true;
  CHECK(board.takes() == "libcamera");
}

TEST_CASE("auto: a USB camera that comes while libcamera looks is V4L2's") {
  Board board;
  board.libcamera.there = true;
  board.libcamera.meanwhile = [&] { board.plug("video0", board.sensor); };
  CHECK(board.takes() == "v4l2");
  CHECK(board.libcamera.asked == 1);
  CHECK(board.takes() == "v4l2");
  CHECK(board.libcamera.asked == 1);
}

TEST_CASE("a backend that is named is the only one that is asked") {
  Board v4l2("v4l2"), libcamera("libcamera");
  v4l2.libcamera.there = true;
  CHECK(v4l2.takes() == "not found: there is no V4L2 sensor");
  CHECK(v4l2.libcamera.asked == 0);
  libcamera.plug("video0", libcamera.sensor);
  libcamera.config.source.device = "imx708";
  for (int i = 0; i < 5; ++i) CHECK(libcamera.takes() == "not found: libcamera finds no camera");
  CHECK(libcamera.opened == 0);
  CHECK(libcamera.libcamera.wanted.camera == "imx708");
  CHECK(libcamera.libcamera.asked == 5);
  CHECK(libcamera.errors() == std::vector<std::string>{"error: libcamera finds no camera: is it plugged in?"});
}

TEST_CASE("libcamera's module: each try says why it does not load, so that the one line stays the same") {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "sealcam-libcamera.so") << "no library";
  ::setenv("SEALCAM_MODULE_PATH", folder.path().c_str(), 1);
  FakeClock clock;
  MemoryLog log;
  libcamera::ModuleLibcamera module_libcamera;
  for (std::size_t tries = 1; tries <= 2; ++tries) {
    CHECK(module_libcamera.open({}, clock, log).error().code == Errc::unsupported);
    CHECK(log.lines().size() == tries);
  }
  CHECK(libcamera::module_problem().starts_with("libcamera: " + (folder.path() / "sealcam-libcamera.so").string() +
                                                " does not load: "));
  ::unsetenv("SEALCAM_MODULE_PATH");
}
