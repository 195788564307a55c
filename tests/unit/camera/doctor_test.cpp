// SPDX-License-Identifier: Apache-2.0
// Boards and their sensors.
#include <catch2/catch_test_macros.hpp>

#include "camera/capture_factory.hpp"
#include "camera/reports.hpp"
#include "unit/camera/doctor_scene.hpp"

using namespace sealcam;
using namespace sealcam::test::doctor;
using sealcam::test::FakeBoardTree;

TEST_CASE("a Pi 3 on Debian's kernel has a sensor that encodes") {
  FakeBoardTree tree(pi3, "Raspberry Pi 3 Model B Rev 1.2", debian, 905);
  tree.pi_parts().video("video0", "camera0");
  Scene scene(tree);
  const auto diagnosis = scene.diagnosis();
  CHECK(diagnosis.board == "Raspberry Pi 3");
  CHECK(diagnosis.healthy());
  CHECK(is(find(diagnosis, "board"), ok, "Raspberry Pi 3 Model B Rev 1.2"));
  CHECK(is(find(diagnosis, "sensor"), ok, "/dev/video0, camera0"));
  CHECK(is(find(diagnosis, "encoder"), ok, "the sensor delivers H.264"));
  CHECK(is(find(diagnosis, "temperature"), ok, "48.3 °C; the processor is slower from 80 °C"));
  CHECK(problems(diagnosis) == std::set<std::string>{"kernel", "enrollment"});  // no kernel was tested on a board yet

  // Another source on the same board: this kernel has no node for the encoder.
  scene.config.source.backend = "fake";
  CHECK(is(find(scene, "encoder"), warning,
           "Debian's kernel has no driver for /dev/video11; the camera encodes in software",
           "and run modprobe bcm2835-v4l2, and set /source/backend to auto; or install Raspberry Pi's kernel"));
  scene.config.encoder.codec = "h264_v4l2m2m";
  CHECK(is(find(scene, "encoder"), fault, "no driver for /dev/video11"));
  std::ofstream(scene.state.folder.path() / "fault") << "no key frame\n";  // of the running camera
  CHECK(is(find(scene, "source"), fault, "sends no pictures: no key frame", "/source/format"));
  CHECK_FALSE(scene.diagnosis().healthy());
}

TEST_CASE("with privacy masks, a sensor that encodes needs an encoder; without them, it has no motion detector") {
  FakeBoardTree tree(pi3, "Raspberry Pi 3 Model B Rev 1.2", debian, 905);
  tree.pi_parts().video("video0", "camera0");
  Scene scene(tree);
  scene.config.encoder.codec = "libx264";
  const auto settings = [&](const char* text) { std::ofstream(scene.state.folder.path() / "settings.json") << text; };
  CHECK(is(find(scene, "motion"), ok, "the sensor delivers H.264"));
  settings(R"({"version": 1, "motion": 40})");
  CHECK(is(find(scene, "motion"), warning, "although the owner set a sensitivity", "/source/format"));
  settings(R"({"version": 1, "motion": 0})");
  CHECK(is(find(scene, "motion"), ok, "the detector is off"));
  CHECK(is(find(scene, "encoder"), ok, "not needed"));
  settings(R"({"version": 1, "masks": ["0,0,500,1000"], "motion": 40})");
  CHECK(is(find(scene, "masks"), ok, "1 privacy masks; the camera encodes"));
  CHECK(is(find(scene, "encoder"), ok, "libx264, as configured"));
  CHECK(is(find(scene, "motion"), ok, "sensitivity 40"));
  scene.config.source.format = "H264";
  CHECK(is(find(scene, "masks"), fault, "sends no pictures", "remove /source/format"));
  scene.config.source.format = "YU12";
  settings(R"({"version": 1})");
  CHECK(is(find(scene, "encoder"), ok, "libx264, as configured"));
  CHECK(is(find(scene, "motion"), ok, "sensitivity 50, in the whole picture; none in the first 10 s"));
}

TEST_CASE("a Pi 4 on Raspberry Pi's kernel has libcamera and a hardware encoder") {
  FakeBoardTree tree(pi4, "Raspberry Pi 4 Model B Rev 1.4", raspberry, 3794);
  tree.pi_parts()
      .video("video0", "unicam-image")
      .video("video1", "unicam-embedded")
      .video("video10", "bcm2835-codec-decode");
  tree.video("video11", "bcm2835-codec-encode").video("video13", "bcm2835-isp0-output0");
  Scene scene(tree, "libcamera");
  scene.config.source.size = {1920, 1080};
  CHECK(scene.diagnosis().healthy());
  CHECK(is(find(scene, "encoder"), ok, "h264_v4l2m2m (/dev/video11)"));
  CHECK(is(find(scene, "source"), ok, "libcamera: Camera Module 1, 2 or 3"));
  scene.config.source.device = "imx708";  // the model of a camera is not a node
  CHECK(is(find(scene, "source"), ok, "libcamera: Camera Module 1, 2 or 3"));
  scene.config.source.device = "auto";
  CHECK(is(find(scene, "sensor"), ok, "/dev/video0"));  // the nodes of the codec and the ISP are not sensors
  CHECK(is(find(scene, "picture"), ok, "1920x1080 at 30/s"));

  scene.config.source.size = {2560, 1440};
  CHECK(is(find(scene, "encoder"), warning, "accepts 32 to 1920 pixels on each axis, not 2560x1440; the camera encodes",
           "1920x1080"));
  CHECK(is(find(scene, "picture"), warning, "more than the 1920x1080"));
  scene.config.source.size = {1280, 720};
  scene.encoders = {"libx264"};
  CHECK(is(find(scene, "encoder"), warning, "this FFmpeg does not have h264_v4l2m2m; it has: libx264"));
  scene.encoders = {};
  CHECK(is(find(scene, "encoder"), fault, "it has: none"));
  scene.encoders = {"h264_v4l2m2m", "libx264"};
  tree.remove("/dev/video11");
  CHECK(is(find(scene, "encoder"), warning, "/dev/video11 is missing; the camera encodes", "dmesg"));
  scene.config.source.backend = "v4l2";  // unicam delivers raw Bayer, which that backend does not take
  const auto source = find(scene, "source");
  CHECK(is(source, fault, "no sensor for the backend v4l2", "+raspberrypi), and set /source/backend to auto"));
  CHECK(source.next.ends_with("USB camera: plug it in"));  // the backend v4l2 opens it
}

TEST_CASE("an unknown sensor is a warning, a missing one is a fault") {
  FakeBoardTree tree(pi3, "Raspberry Pi 3", debian, 905);
  tree.pi_parts().video("video0", "bcm2835-isp0-capture0");
  Scene scene(tree);
  scene.config.source.device = "auto";
  CHECK(is(find(scene, "source"), fault, "no sensor for the backend v4l2"));  // control
  CHECK(is(find(scene, "sensor"), fault, "there is no sensor", "USB camera: plug it in"));
  tree.video("video1", "vivid-000-vid-cap", "vivid");
  CHECK(is(find(scene, "source"), warning, "perhaps /dev/video1"));
  CHECK(is(find(scene, "sensor"), warning, "/dev/video1 (vivid-000-vid-cap) is unknown on this board"));
  CHECK(scene.diagnosis().healthy());
  tree.video("video2", "HD Cam", "uvcvideo");  // known on every board
  CHECK(is(find(scene, "source"), ok, "USB camera"));
}

TEST_CASE("auto takes V4L2 before libcamera") {
  FakeBoardTree tree(pi4, "Raspberry Pi 4", raspberry, 3794);
  tree.pi_parts();
  Scene scene(tree, "auto");
  CHECK(is(find(scene, "sensor"), fault, "there is no sensor", "USB camera: plug it in"));
  CHECK(is(find(scene, "source"), fault, "no sensor for the backend auto", "check the ribbon cable"));
  CHECK_FALSE(find(scene, "source").next.contains("/source/backend"));  // the backend is already auto

  tree.video("video0", "unicam-image").video("video11", "bcm2835-codec-encode");
  CHECK(is(find(scene, "source"), ok, "auto: libcamera: Camera Module 1, 2 or 3"));
  CHECK(is(find(scene, "encoder"), ok, "h264_v4l2m2m (/dev/video11)"));
  scene.libcamera_problem = "libcamera: sealcam-libcamera.so is in none of: /usr/lib";
  CHECK(is(find(scene, "source"), fault, "auto: libcamera: Camera Module 1, 2 or 3: libcamera: sealcam-libcamera.so",
           "install"));
  scene.config.source.backend = "libcamera";
  CHECK(is(find(scene, "source"), fault, "is in none of"));
  scene.config.source.backend = "auto";

  tree.video("video5", "HD Cam", "uvcvideo");
  CHECK(is(find(scene, "source"), ok, "auto: v4l2: USB camera"));  // without libcamera
  CHECK(scene.diagnosis().healthy());
  // A sensor without permission is a fault only if the camera needs it.
  scene.permitted = [](const fs::path& path, int) { return path.filename() != "video5"; };
  CHECK(is(find(scene, "sensor"), fault, "/dev/video5 may not be opened", "usermod"));
  scene.permitted = [](const fs::path& path, int) { return path.filename() != "video0"; };
  CHECK(is(find(scene, "sensor"), warning, "/dev/video0 may not be opened", "usermod"));
  tree.video("video6", "HD Cam 2", "uvcvideo");
  scene.permitted = [](const fs::path& path, int) { return path.filename() != "video5"; };
  CHECK(find(scene, "sensor").severity == warning);  // the camera takes the other one
}

TEST_CASE("auto takes a USB camera before the firmware's encoder, and unknown nodes are a warning") {
  FakeBoardTree tree(pi3, "Raspberry Pi 3", debian, 905);
  tree.pi_parts().video("video0", "camera0");
  Scene scene(tree, "auto");
  scene.libcamera_problem = "not installed";
  CHECK(is(find(scene, "source"), ok, "auto: v4l2: Camera Module 1 or 2, encoded by the firmware"));
  CHECK(is(find(scene, "encoder"), ok, "the sensor delivers H.264"));
  tree.video("video1", "HD Cam", "uvcvideo").link("/dev/v4l/by-id/usb-HD_Cam-video-index0", "../../video1");
  CHECK(is(find(scene, "source"), ok, "auto: v4l2: USB camera"));  // the order of hal/v4l2

  FakeBoardTree other(pi4, "Raspberry Pi 4", raspberry, 3794);
  other.pi_parts().video("video3", "acme-isp", "acme");
  Scene unknown(other, "auto");
  CHECK(is(find(unknown, "source"), warning, "auto: perhaps /dev/video3"));
  other.video("video0", "unicam-image");
  CHECK(is(find(unknown, "source"), ok, "libcamera: Camera Module 1, 2 or 3, unless /dev/video3 is a V4L2 sensor"));
}

TEST_CASE("a Pi 5 has no hardware encoder, and its sensors need Raspberry Pi's kernel") {
  FakeBoardTree tree(pi5, "Raspberry Pi 5 Model B Rev 1.0", debian, 8062);
  tree.pi_parts();
  Scene scene(tree, "libcamera");
  CHECK(is(find(scene, "sensor"), fault, "no sensor", "it needs Raspberry Pi's kernel; or USB camera: plug it in"));
  CHECK(is(find(scene, "encoder"), ok, "libx264: this processor has no H.264 encoder"));
  scene.config.encoder.codec = "h264_v4l2m2m";
  CHECK(is(find(scene, "encoder"), fault, "no H.264 encoder", "auto"));
}

TEST_CASE("QEMU virt with vivid has no problems") {
  FakeBoardTree tree("linux,dummy-virt", "linux,dummy-virt", debian, 480);
  tree.video("video0", "vivid-000-vid-cap", "vivid").put("/dev/watchdog0", "");
  const Scene scene(tree);
  const auto diagnosis = scene.diagnosis();
  CHECK(diagnosis.board == "QEMU virt");
  CHECK(problems(diagnosis) == std::set<std::string>{"enrollment"});
  CHECK(is(find(diagnosis, "light"), ok, "the camera logs when the sensor opens"));
  tree.remove("/dev/watchdog0");
  CHECK(is(find(scene, "watchdog"), warning, "/dev/watchdog0 is missing", "modprobe i6300esb"));
}

TEST_CASE("an unknown board uses the parts that the doctor finds") {
  FakeBoardTree tree("acme,doorbell", "ACME Doorbell", debian, 2000);
  // The first node has the pictures, the second one of the same driver has metadata.
  tree.video("video0", "HD Cam", "uvcvideo")
      .video("video1", "HD Cam", "uvcvideo", 1)
      .video("video2", "acme-isp", "acme");
  const Scene scene(tree);
  const auto diagnosis = scene.diagnosis();
  CHECK(diagnosis.healthy());
  CHECK(is(find(diagnosis, "board"), warning, "unknown board (acme,doorbell); the camera uses the parts that it finds",
           "board/README.md"));
  CHECK(is(find(diagnosis, "source"), ok, "v4l2: USB camera"));
  CHECK(is(find(diagnosis, "sensor"), warning, "/dev/video2 (acme-isp) is unknown", "--list-sensors"));
  CHECK(std::ranges::count(diagnosis.findings, "sensor", &Finding::check) == 2);
  const FakeBoardTree pc("", "", "6.18.2-other", 16'000);
  CHECK(is(find(Scene(pc), "board"), warning, "unknown board (no device tree)"));
  CHECK(is(find(Scene(pc), "kernel"), warning, "6.18.2-other is not a known kernel"));
}
