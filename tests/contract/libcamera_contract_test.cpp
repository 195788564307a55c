// SPDX-License-Identifier: Apache-2.0
/// Runs the source contract on libcamera's virtual cameras, with and without the module. The program restarts itself
/// with the files that these cameras need (support/fake_udmabuf.cpp). In a guest that has them, it does not restart.
#include <unistd.h>

#include <catch2/catch_session.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "base/log.hpp"
#include "base/testing/fakes.hpp"
#include "contract/source_contract.hpp"
#include "hal/libcamera/module/libcamera_source.hpp"
#include "hal/module_backends.hpp"
#include "hal/modules/modules.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace sealcam::hal::libcamera;
using namespace sealcam::test;
using namespace std::chrono_literals;

namespace {

const SystemClock wall;
constexpr hal::Size small{640, 360};

bool has_virtual(LibcameraBackend& backend) {
  MemoryLog log;
  const auto cameras = backend.list(log);
  return cameras && !cameras->empty() && cameras->front().id == "Virtual0";
}

constexpr const char* no_virtual =
    "libcamera has no virtual camera: the library was built without it, or virtual.yaml is missing";

void check_contract(LibcameraBackend& backend, const LibcameraConfig& config) {
  MemoryLog log;
  check_source_contract(
      {.open = [&](const Clock& clock) { return backend.open(config, clock, log); }, .may_lose = true});
}

/// One source with its manager, without the back-end.
struct Direct {
  Manager manager = start_manager().value_or(nullptr);
  MemoryLog log;

  Direct() {
    if (!manager || manager->cameras().empty()) SKIP(no_virtual);
  }
  auto open(const LibcameraConfig& config) { return LibcameraSource::open(manager, config, wall, log); }
};

}  // namespace

TEST_CASE("libcamera's virtual camera fulfills the contract") {
  const auto backend = make_backend();
  if (!has_virtual(*backend)) SKIP(no_virtual);
  SECTION("moving lines at 30/s") { check_contract(*backend, {.camera = "Virtual0", .size = small, .rate = 30}); }
  SECTION("bars at 15/s, by the sensor's model") {
    check_contract(*backend, {.camera = "Sealcam test bars", .size = small, .rate = 15});
  }
}

TEST_CASE("a program opens a camera through the module") {
  modules::LibcameraModule backend;
  if (!has_virtual(backend)) SKIP(no_virtual);
  check_contract(backend, {.camera = "auto", .size = small});
}

TEST_CASE("the list has the cameras with formats and controls") {
  const auto backend = make_backend();
  if (!has_virtual(*backend)) SKIP(no_virtual);
  MemoryLog log;
  const auto cameras = backend->list(log);
  REQUIRE(cameras);
  REQUIRE(cameras->size() == 2);
  const CameraEntry& first = cameras->front();
  CHECK(first.model == "Sealcam test lines");
  CHECK(first.location == "front");
  REQUIRE(first.formats.size() == 1);
  CHECK(first.formats[0].fourcc == "NV12");
  CHECK(first.formats[0].usable);
  CHECK(first.formats[0].max == hal::Size{1280, 720});
  const auto rate = std::ranges::find(first.controls, Control::frame_rate, &ControlInfo::control);
  REQUIRE(rate != first.controls.end());
  CHECK(std::lround(rate->min) == 30);
  CHECK(std::lround(rate->max) == 60);
}

TEST_CASE("the log explains the chosen mode, and an error names the existing cameras and controls") {
  Direct direct;
  SECTION("nearest size and rate") {
    const auto source = direct.open({.camera = "Virtual0", .size = {1920, 1080}, .rate = 10});
    REQUIRE(source);
    CHECK((*source)->size() == hal::Size{1280, 720});
    CHECK((*source)->format() == hal::PixelFormat::nv12);
    CHECK(std::lround((*source)->rate()) == 30);
    CHECK(direct.log.contains("NV12 1280x720: needs no conversion; nearest to the requested 1920x1080"));
    CHECK(direct.log.contains("YUYV: not offered"));
    CHECK(direct.log.contains("nearest to the requested 10/s"));
    CHECK((*source)->describe().contains("Virtual0 (Sealcam test lines), NV12 1280x720"));
  }
  SECTION("camera") {
    const auto source = direct.open({.camera = "imx219"});
    REQUIRE_FALSE(source);
    CHECK(source.error().code == Errc::not_found);
    CHECK(direct.log.contains("no camera imx219; choose one of: Virtual0 (Sealcam test lines), Virtual1"));
  }
  SECTION("format") {
    const auto source = direct.open({.format = "MJPG"});
    REQUIRE_FALSE(source);
    CHECK(source.error().code == Errc::unsupported);
    CHECK(direct.log.contains("no usable format (MJPG)"));
  }
  SECTION("control") {
    const auto source = direct.open({.size = small, .controls = {{Control::exposure, {.value = 1000}}}});
    REQUIRE_FALSE(source);
    CHECK(source.error().code == Errc::not_found);
    CHECK(direct.log.contains("control exposure 1000 us: this sensor has no such control; there are"));
    CHECK(direct.log.contains("frame_rate"));
  }
}

TEST_CASE("a camera in use is rejected, and the log has the next step") {
  Direct direct;
  {
    const auto first = direct.open({.size = small});
    REQUIRE(first);
    const auto second = direct.open({.size = small});
    REQUIRE_FALSE(second);
    CHECK(second.error().code == Errc::permission);
    CHECK(direct.log.contains("fuser"));
  }
  CHECK(direct.open({.size = small}));  // the camera was released
}

TEST_CASE("after a camera disconnects, each call returns device_lost") {
  Direct direct;
  const auto camera = direct.manager->get("Virtual0");
  const auto source = direct.open({.camera = "Virtual0", .size = small});
  REQUIRE(source);
  {
    const auto held = (*source)->next(2s);
    REQUIRE(held);
    camera->disconnected.emit();  // normally emitted by a thread of the library
    const auto begin = wall.monotonic();
    const auto next = (*source)->next(2s);
    REQUIRE_FALSE(next);
    CHECK(next.error().code == Errc::device_lost);
    CHECK(wall.monotonic() - begin < 1s);
  }
  const auto again = (*source)->next(50ms);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == Errc::device_lost);
}

TEST_CASE("while all buffers are leased next() returns timeout, and later a picture") {
  Direct direct;
  const auto source = direct.open({.size = small});
  REQUIRE(source);
  std::vector<Picture> held;
  for (int i = 0; i < 20; ++i) {
    auto picture = (*source)->next(200ms);
    if (!picture) {
      CHECK(picture.error().code == Errc::timeout);
      break;
    }
    held.push_back(std::move(*picture));
  }
  CHECK(held.size() >= 3);
  CHECK(held.size() < 20);
  held.clear();
  CHECK((*source)->next(2s));
}

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  const fs::path self = fs::read_symlink("/proc/self/exe");
  const fs::path stand_in = self.parent_path() / "sealcam-fake-udmabuf.so";
  if (::getenv("SEALCAM_VIRTUAL_YAML") == nullptr && fs::exists(stand_in)) {
    ::setenv("SEALCAM_VIRTUAL_YAML", (self.parent_path() / "virtual-cameras.yaml").c_str(), 1);
    ::setenv("LD_PRELOAD", stand_in.c_str(), 1);
    const char* const asan = ::getenv("ASAN_OPTIONS");  // the address sanitizer rejects preloads otherwise
    ::setenv("ASAN_OPTIONS", (std::string(asan == nullptr ? "" : asan) + ":verify_asan_link_order=0").c_str(), 1);
    ::execv(self.c_str(), argv);
    return 1;
  }
  Catch::Session session;
  // Without arguments, prints short lines for serial consoles. With arguments, behaves like every other test program.
  std::vector<const char*> arguments(argv, argv + argc);
  if (argc == 1) arguments.insert(arguments.end(), {"--reporter", "compact", "--durations", "yes"});
  const int rc = session.applyCommandLine(static_cast<int>(arguments.size()), arguments.data());
  return rc != 0 ? rc : session.run();
}
