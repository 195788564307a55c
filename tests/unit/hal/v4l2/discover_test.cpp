// SPDX-License-Identifier: Apache-2.0
#include "hal/v4l2/negotiate.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <fstream>

#include "base/testing/fakes.hpp"
#include "support/fake_v4l2.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace sealcam::hal::v4l2;
using namespace sealcam::test;

namespace fs = std::filesystem;

TEST_CASE("nodes: those with a stable name first, then by number") {
  const TemporaryFolder folder;
  const fs::path dev = folder.path();
  CHECK(nodes(dev).empty());
  CHECK(nodes(dev / "missing").empty());
  for (const char* name : {"video0", "video10", "video2", "video2x", "vbi0", "videox"}) std::ofstream(dev / name);
  fs::create_directories(dev / "v4l" / "by-id");
  fs::create_symlink("../../video10", dev / "v4l" / "by-id" / "usb-b-index0");
  fs::create_symlink("../../video10", dev / "v4l" / "by-id" / "usb-a-index0");
  fs::create_symlink("../../video77", dev / "v4l" / "by-id" / "usb-gone");
  std::vector<std::string> paths;
  for (const Node& n : nodes(dev)) paths.push_back(fs::path(n.path).lexically_relative(dev).string());
  CHECK(paths == std::vector<std::string>{"v4l/by-id/usb-a-index0", "video0", "video2"});
  CHECK(nodes(dev)[0].device == dev / "video10");
}

TEST_CASE("a survey lists sensors with their formats, and the reason why other nodes are not sensors") {
  FakeClock clock;
  FakeV4l2 camera(clock), encoder(clock), chain(clock), raw(clock);
  camera.offers = {{"YUYV", PixelFormat::yuyv, {{{640, 480}, {640, 480}, {1, 1}, {{30, 30}, {15, 15}}}}}};
  camera.controls[V4L2_CID_HFLIP] = {.type = V4L2_CTRL_TYPE_BOOLEAN};
  chain.offers = raw.offers = camera.offers;
  encoder.capabilities = V4L2_CAP_VIDEO_M2M_MPLANE | V4L2_CAP_STREAMING;
  chain.has_input = false;
  raw.offers.clear();
  const DeviceOpener open = [&](const std::string& path) -> Result<std::unique_ptr<V4l2Device>> {
    if (path == "locked") return fail(Errc::permission, "opening a V4L2 device", 13);
    return (path == "camera" ? camera : path == "encoder" ? encoder : path == "chain" ? chain : raw).open();
  };
  const std::vector<Node> all = {{"locked", ""}, {"encoder", ""}, {"chain", ""}, {"raw", ""}, {"camera", ""}};
  const auto result = survey(all, open);
  REQUIRE(result.sensors.size() == 1);
  const Sensor& s = result.sensors[0];
  CHECK(s.identity.card == "Fake camera");
  REQUIRE(s.offers.size() == 1);
  CHECK(s.offers[0].sizes.at(0).rates.size() == 2);
  CHECK(s.controls.size() == 1);
  REQUIRE(result.left_out.size() == 4);
  CHECK(result.left_out[0].permission);
  CHECK(result.left_out[1].why.contains("encoder"));
  CHECK(result.left_out[2].why.contains("libcamera"));
  CHECK(result.left_out[3].why.contains("none of the supported formats"));

  const auto first = open_first(all, open);
  REQUIRE(first);
  CHECK(first->node.path == "camera");
  CHECK(open_first(std::span(all).first(4), open).error().code == Errc::permission);
  CHECK(open_first(std::span(all).subspan(1, 3), open).error().code == Errc::not_found);
}

TEST_CASE("a node that may be a sensor prevents not_found") {
  FakeClock clock;
  FakeV4l2 encoder(clock);
  encoder.capabilities = V4L2_CAP_VIDEO_M2M_MPLANE | V4L2_CAP_STREAMING;
  const std::vector<Node> all = {{"encoder", ""}, {"other", ""}, {"encoder", ""}};
  const auto first = [&](Errc code, int native) {
    return open_first(all, [&](const std::string& path) -> Result<std::unique_ptr<V4l2Device>> {
      if (path == "other") return fail(code, "opening a V4L2 device", native);
      return encoder.open();
    });
  };
  CHECK(first(Errc::permission, EACCES).error().code == Errc::permission);
  CHECK(first(Errc::io, EBUSY).error().code == Errc::io);
  // Unplugged, broken, or not a V4L2 device: this node is not a sensor.
  CHECK(first(Errc::device_lost, ENODEV).error().code == Errc::not_found);
  CHECK(first(Errc::device_lost, EIO).error().code == Errc::not_found);
  CHECK(first(Errc::unsupported, ENOTTY).error().code == Errc::not_found);
}

TEST_CASE("a path that is not a V4L2 device is rejected") {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "video0") << "no device";
  CHECK(open_device((folder.path() / "video0").string()).error().code == Errc::unsupported);
  CHECK(open_device((folder.path() / "video1").string()).error().code == Errc::not_found);
}
