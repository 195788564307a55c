// SPDX-License-Identifier: Apache-2.0
/// Runs the source contract on V4L2 devices: the kernel's vivid if it is loaded, or the device in
/// $SEALCAM_V4L2_DEVICE. Needs no files of the build tree, so that it runs in a guest.
#include <algorithm>
#include <catch2/catch_session.hpp>
#include <catch2/catch_test_macros.hpp>

#include "base/log.hpp"
#include "base/testing/fakes.hpp"
#include "contract/source_contract.hpp"
#include "contract/vivid.hpp"
#include "hal/v4l2/v4l2_source.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace sealcam::test;

namespace {

/// Small, because an emulated processor also draws the pictures.
constexpr Size small{320, 180};

/// Runs on every device that offers the format, with its single-planar or multi-planar API.
void check_format(const char* fourcc) {
  const auto devices = test_devices();
  if (devices.empty()) SKIP(no_vivid);
  bool tried = false;
  for (const TestDevice& device : devices) {
    if (!std::ranges::contains(device.fourccs, fourcc)) continue;
    tried = true;
    DYNAMIC_SECTION(fourcc << " on " << device.path << (device.multi_planar ? ", multi-planar" : ", single-planar")) {
      MemoryLog log;
      const v4l2::V4l2Config config{.device = device.path, .size = small, .rate = 30, .format = fourcc};
      const auto open = [&](const Clock& clock) -> Result<std::unique_ptr<FrameSource>> {
        auto source = v4l2::V4l2Source::open(config, clock, log);
        if (!source) return std::unexpected(source.error());
        return std::move(*source);
      };
      check_source_contract({.open = open, .may_lose = true});
    }
  }
  if (!tried) SKIP("no device of this machine offers " << fourcc);
}

}  // namespace

TEST_CASE("V4L2 device fulfills the contract: YUYV") { check_format("YUYV"); }
TEST_CASE("V4L2 device fulfills the contract: NV12") { check_format("NV12"); }
TEST_CASE("V4L2 device fulfills the contract: YU12") { check_format("YU12"); }
TEST_CASE("V4L2 device fulfills the contract: NM12, one buffer per plane") { check_format("NM12"); }
TEST_CASE("V4L2 device fulfills the contract: YM12, one buffer per plane") { check_format("YM12"); }
TEST_CASE("V4L2 device fulfills the contract: MJPG") { check_format("MJPG"); }
TEST_CASE("V4L2 device fulfills the contract: H264") { check_format("H264"); }

int main(int argc, char** argv) {
  Catch::Session session;
  // Without arguments, prints short lines for serial consoles. With arguments, behaves like every other test program.
  std::vector<const char*> arguments(argv, argv + argc);
  if (argc == 1) arguments.insert(arguments.end(), {"--reporter", "compact", "--durations", "yes"});
  const int rc = session.applyCommandLine(static_cast<int>(arguments.size()), arguments.data());
  return rc != 0 ? rc : session.run();
}
