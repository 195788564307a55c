// SPDX-License-Identifier: Apache-2.0
/// The choice of the sensor with "backend": "auto".
#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <map>

#include "base/format.hpp"
#include "base/testing/fakes.hpp"
#include "camera/capture_factory.hpp"
#include "hal/fake/fake_source.hpp"
#include "hal/modules/modules.hpp"
#include "support/fake_v4l2.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::camera;
using namespace sealcam::hal;
using namespace sealcam::test;
using namespace std::chrono_literals;

namespace {

constexpr Size vga{640, 480};

/// One camera, no camera, or an error.
struct FakeLibcamera final : libcamera::LibcameraBackend {
  explicit FakeLibcamera(const Clock& c) : clock(c) {}

  Result<std::unique_ptr<FrameSource>> do_open(const libcamera::LibcameraConfig& config, const Clock&,
                                               Log& log) override {
    ++opens;
    requested = config;
    source_log = &log;
    log.info("version of libcamera");
    if (meanwhile) meanwhile();
    if (there) return fake::FakeSource::open({.size = config.size, .realtime = false}, clock);
    if (!text.empty()) log.error("{}", text);
    return std::unexpected(error);
  }
  Result<std::vector<libcamera::CameraEntry>> do_list(Log&) override { return {}; }

  const Clock& clock;
  bool there = false;
  Error error{Errc::not_found, 0, "libcamera finds no camera"};
  std::string text = "libcamera finds no camera: check that it is plugged in";
  std::function<void()> meanwhile;
  int opens = 0;
  libcamera::LibcameraConfig requested;
  Log* source_log = nullptr;
};

struct Board {
  FakeClock clock;
  MemoryLog log;
  TemporaryFolder dev;
  FakeV4l2 sensor{clock}, chain{clock}, codec{clock};
  std::map<std::string, FakeV4l2*> nodes;
  std::map<std::string, Error> rejects;
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
        if (const auto error = rejects.find(name); error != rejects.end()) return std::unexpected(error->second);
        return nodes.at(name)->open();
      };
      factory = std::make_unique<ConfiguredCapture>(config, std::nullopt, clock, log,
                                                    SensorOpeners{dev.path(), opener, &libcamera});
    }
    return factory->open_source();
  }
  /// The backend that was opened, or the error.
  std::string takes() {
    const auto source = open();
    if (!source) return sealcam::format("{}: {}", name(source.error().code), source.error().what);
    return (*source)->describe().starts_with("V4L2") ? "v4l2" : "libcamera";
  }
  [[nodiscard]] std::vector<std::string> errors() const {
    auto lines = log.lines();
    std::erase_if(lines, [](const auto& line) { return !line.starts_with("error: "); });
    return lines;
  }
};

constexpr const char* neither =
    "not found: neither V4L2 nor libcamera has a sensor: connect a camera, or start with --source fake for a test "
    "picture";

}  // namespace

TEST_CASE("auto takes a V4L2 sensor and does not open libcamera") {
  Board board;
  board.libcamera.there = true;
  board.plug("video0", board.chain);
  board.plug("video10", board.codec);
  board.plug("video20", board.sensor);
  CHECK(board.takes() == "v4l2");
  CHECK(board.libcamera.opens == 0);
}

TEST_CASE("auto opens libcamera with all settings if no node is a sensor") {
  Board board;
  board.libcamera.there = true;
  board.plug("video0", board.chain);  // like the nodes of unicam and rp1-cfe
  board.plug("video10", board.codec);
  board.config.source.rate = 25;
  board.config.source.format = "YUYV";
  board.config.source.controls = {{Control::hflip, {.value = 1}}};
  CHECK(board.takes() == "libcamera");
  const auto& requested = board.libcamera.requested;
  CHECK(requested.camera == "auto");
  CHECK(requested.size == vga);
  CHECK(requested.rate == 25);
  CHECK(requested.format == "YUYV");
  REQUIRE(requested.controls.size() == 1);
  CHECK(requested.controls[0].control == Control::hflip);
  CHECK(board.errors().empty());
  CHECK(board.log.contains("version of libcamera"));
  board.libcamera.source_log->error("while it runs");  // later errors are not held back
  CHECK(board.log.contains("while it runs"));
}

TEST_CASE("auto waits for a V4L2 sensor with an error and does not take a camera of libcamera instead") {
  Board board;
  board.libcamera.there = true;
  board.plug("video0", board.sensor);
  SECTION("in use by another program") {
    board.sensor.errors[VIDIOC_S_FMT] = {EBUSY, EBUSY, EBUSY};
    CHECK(board.takes().starts_with("input/output error: "));
  }
  SECTION("the node is in use by another program") {
    board.rejects["video0"] = {Errc::io, EBUSY, "opening a V4L2 device"};
    CHECK(board.takes().starts_with("input/output error: opening a V4L2 device"));
    CHECK(board.log.contains("another program uses the only V4L2 device"));
  }
  SECTION("without permission") {
    board.rejects["video0"] = {Errc::permission, EACCES, "opening a V4L2 device"};
    CHECK(board.takes().starts_with("permission denied: "));
    CHECK(board.log.contains("add this user to the group"));
  }
  SECTION("without a configured control, which is also not_found") {
    board.config.source.controls = {{Control::focus, {.value = 3}}};
    CHECK(board.takes().starts_with("not found: "));
  }
  SECTION("without the configured format") {
    board.config.source.format = "NV12";
    CHECK(board.takes().starts_with("unsupported: "));
  }
  CHECK(board.libcamera.opens == 0);
  board.rejects.clear();
  board.sensor.errors.clear();
  board.sensor.controls[V4L2_CID_FOCUS_ABSOLUTE] = {.max = 10};
  board.sensor.offers.push_back({"NV12", PixelFormat::nv12, {{vga, vga, {1, 1}, {{30, 30}}}}});
  CHECK(board.takes() == "v4l2");  // control: the sensor has no other problem
}

TEST_CASE("auto logs one line if there is no sensor, however often it tries") {
  Board board;
  for (int i = 0; i < 200; ++i) {
    CHECK(board.takes() == neither);
    board.clock.advance(5s);
  }
  CHECK(board.errors() ==
        std::vector<std::string>{
            "error: there is no V4L2 sensor; libcamera finds no camera: check that it is plugged in"});
  board.libcamera.error = {Errc::unsupported, 0, "sealcam-libcamera.so"};
  board.libcamera.text = "libcamera: the module does not load";
  board.clock.advance(1min);
  CHECK(board.takes() == "unsupported: sealcam-libcamera.so");
  board.libcamera.error = {Errc::io, 0, "libcamera does not start"};
  board.libcamera.text = "";
  board.clock.advance(1min);
  for (int i = 0; i < 3; ++i) CHECK(board.takes() == "input/output error: libcamera does not start");
  CHECK(board.errors().size() == 3);
  CHECK(board.errors().at(1) == "error: there is no V4L2 sensor; libcamera: the module does not load");
  CHECK(board.errors().at(2) ==
        "error: there is no V4L2 sensor; libcamera: libcamera does not start: input/output error");
}

TEST_CASE("without a camera auto tries V4L2 each time and libcamera less often") {
  Board board;
  board.plug("video10", board.codec);
  const auto opens_in = [&](std::chrono::seconds time) {
    const int before = board.libcamera.opens;
    for (auto t = 0s; t < time; t += 1s) {
      CHECK(board.takes() == neither);
      board.clock.advance(1s);
    }
    return board.libcamera.opens - before;
  };
  CHECK(opens_in(16s) == 5);  // at 0, 1, 3, 7, 15 s, because drivers may load late
  CHECK(opens_in(104s) == 6);
  CHECK(opens_in(600s) == 40);
  CHECK(board.opened == 720);
  CHECK(opens_in(1s) == 1);
  // auto takes a new V4L2 sensor at once and a new camera of libcamera within 15 s.
  board.libcamera.there = true;
  CHECK(board.takes() == neither);
  board.plug("video0", board.sensor);
  CHECK(board.takes() == "v4l2");
  board.unplug("video0");
  CHECK(board.takes() == "libcamera");
  board.libcamera.there = false;
  CHECK(opens_in(16s) == 5);
  board.libcamera.there = true;
  board.clock.advance(14s);
  CHECK(board.takes() == "libcamera");
}

TEST_CASE("auto tries a camera of libcamera that is in use each time") {
  Board board;
  board.libcamera.error = {Errc::permission, EBUSY, "the camera is in use by another program"};
  board.libcamera.text = "imx708 is in use: end that program";
  for (int i = 0; i < 5; ++i) CHECK(board.takes().starts_with("permission denied: the camera is in use"));
  CHECK(board.libcamera.opens == 5);
  CHECK(board.errors() ==
        std::vector<std::string>{"error: there is no V4L2 sensor; imx708 is in use: end that program"});
  board.libcamera.there = true;
  CHECK(board.takes() == "libcamera");
}

TEST_CASE("auto opens a USB camera that appears in the meantime with V4L2") {
  Board board;
  board.libcamera.there = true;
  board.libcamera.meanwhile = [&] { board.plug("video0", board.sensor); };
  CHECK(board.takes() == "v4l2");
  CHECK(board.libcamera.opens == 1);
  CHECK(board.takes() == "v4l2");
  CHECK(board.libcamera.opens == 1);
}

TEST_CASE("a configured backend is the only one that is opened") {
  Board v4l2("v4l2"), libcamera("libcamera");
  v4l2.libcamera.there = true;
  CHECK(v4l2.takes() == "not found: no V4L2 sensor found");
  CHECK(v4l2.libcamera.opens == 0);
  libcamera.plug("video0", libcamera.sensor);
  libcamera.config.source.device = "imx708";
  for (int i = 0; i < 5; ++i) CHECK(libcamera.takes() == "not found: libcamera finds no camera");
  CHECK(libcamera.opened == 0);
  CHECK(libcamera.libcamera.requested.camera == "imx708");
  CHECK(libcamera.libcamera.opens == 5);
  CHECK(libcamera.errors() ==
        std::vector<std::string>{"error: libcamera finds no camera: check that it is plugged in"});
}

TEST_CASE("each attempt logs why the module of libcamera does not load") {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "sealcam-libcamera.so") << "no library";
  ::setenv("SEALCAM_MODULE_PATH", folder.path().c_str(), 1);
  FakeClock clock;
  MemoryLog log;
  modules::LibcameraModule module_libcamera;
  for (std::size_t tries = 1; tries <= 2; ++tries) {
    CHECK(module_libcamera.open({}, clock, log).error().code == Errc::unsupported);
    CHECK(log.lines().size() == tries);
  }
  CHECK(modules::libcamera_problem().starts_with("libcamera: " + (folder.path() / "sealcam-libcamera.so").string() +
                                                 " does not load: "));
  ::unsetenv("SEALCAM_MODULE_PATH");
}

TEST_CASE("a sensor whose H.264 could not be sent is opened with its next format, and then with each again") {
  Board b;
  b.sensor.offers.clear();
  for (const auto& [fourcc, format] : {std::pair{"H264", PixelFormat::h264}, {"MJPG", PixelFormat::mjpeg}})
    b.sensor.offers.push_back({fourcc, format, {{vga, vga, {1, 1}, {{30, 30}}}}});
  b.plug("video0", b.sensor);
  std::string opened;
  for (int i = 0; i < 4; ++i) {
    const auto source = b.open();
    REQUIRE(source);
    opened += (*source)->describe().contains("H264") ? "H264 " : "MJPG ";
    b.factory->format_failed(**source);
  }
  CHECK(opened == "H264 MJPG H264 MJPG ");
}
