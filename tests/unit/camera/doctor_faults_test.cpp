// SPDX-License-Identifier: Apache-2.0
// Problems, and the two forms of a diagnosis.
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "camera/capture_factory.hpp"
#include "camera/reports.hpp"
#include "device/program.hpp"
#include "unit/camera/doctor_scene.hpp"

using namespace sealcam;
using namespace sealcam::test::doctor;
using sealcam::test::FakeBoardTree;

TEST_CASE("each check of an empty board reports the problem and the next step") {
  const FakeBoardTree tree(zero2, "Raspberry Pi Zero 2 W Rev 1.0", "6.6.31-v8+", 419);
  Scene scene(tree, "v4l2");
  scene.config.source.size = {1920, 1080};
  scene.config.encoder.codec = "libopenh264";
  scene.now = {};
  fs::remove_all(scene.state.folder.path());
  const auto diagnosis = scene.diagnosis();
  CHECK_FALSE(diagnosis.healthy());
  CHECK(
      is(find(diagnosis, "kernel"), warning, "6.6.31-v8+ is not a known kernel of this board (Debian, Raspberry Pi)"));
  CHECK(is(find(diagnosis, "sensor"), fault, "there is no sensor", "start_x=1"));
  CHECK(is(find(diagnosis, "source"), fault, "no sensor for the backend v4l2"));
  CHECK(is(find(diagnosis, "encoder"), fault, "this FFmpeg does not have libopenh264", "auto"));
  CHECK(is(find(diagnosis, "picture"), warning, "more than the 1280x720 at 30/s"));
  CHECK(is(find(diagnosis, "light"), warning, "/sys/class/leds/ACT is missing", "leds_gpio"));
  CHECK(is(find(diagnosis, "watchdog"), warning, "/dev/watchdog0 is missing", "modprobe bcm2835_wdt"));
  CHECK(is(find(diagnosis, "temperature"), warning, "cannot be read"));
  CHECK(is(find(diagnosis, "serial"), warning, "a copied card"));
  CHECK(is(find(diagnosis, "state"), warning, "does not exist yet", "keys"));
  CHECK(is(find(diagnosis, "enrollment"), warning, "is unpaired", "sealcam camera enroll"));
  CHECK(is(find(diagnosis, "memory"), warning, "419 MiB of memory may not be enough for 1920x1080", "1280x720"));
  CHECK(is(find(diagnosis, "clock"), warning, "1970-01-01 is before the build of this program", "set-ntp"));
  CHECK(is(find(diagnosis, "support"), ok, "gets security fixes at least until"));  // the clock is not set
  scene.config.source.size = {1280, 720};
  CHECK(is(find(scene, "memory"), ok, "419 MiB"));
}

TEST_CASE("the doctor warns when the promise of security fixes is over") {
  const FakeBoardTree tree("linux,dummy-virt", "v", debian, 2000);
  Scene scene(tree);
  CHECK(is(find(scene, "support"), ok, "at least until " + std::string(device::support_until())));
  const auto later = std::chrono::days(365 * 30);
  scene.now.since_epoch += later;
  const auto diagnosis = scene.diagnosis();
  CHECK(
      is(find(diagnosis, "support"), warning, "promised until " + std::string(device::support_until()), "SECURITY.md"));
  scene.now.since_epoch -= later;
  CHECK(problems(scene.diagnosis()).contains("support") == false);
}

TEST_CASE("nodes without permission for this user") {
  FakeBoardTree tree(pi4, "Raspberry Pi 4", raspberry, 3794);
  tree.pi_parts("81500\n").video("video0", "HD Cam", "uvcvideo").video("video11", "bcm2835-codec-encode");
  Scene scene(tree);
  CHECK(scene.diagnosis().healthy());  // control
  scene.permitted = [](const fs::path&, int) { return false; };
  CHECK(is(find(scene, "sensor"), fault, "/dev/video0 may not be opened by this user", "usermod -aG video"));
  CHECK(is(find(scene, "encoder"), warning, "/dev/video11 may not be opened", "usermod -aG video"));
  CHECK(is(find(scene, "light"), warning, "may not be written by this user", "udev"));
  CHECK(is(find(scene, "temperature"), warning, "81.5 °C; the processor is slower from 80 °C", "heat sink"));
  scene.config.source.device = "/dev/video7";
  CHECK(is(find(scene, "source"), fault, "/dev/video7 is missing"));
  CHECK(find(scene, "sensor").severity == warning);  // the camera takes another one
}

TEST_CASE("sources that are files, the test picture, or invalid") {
  const FakeBoardTree tree("linux,dummy-virt", "v", debian, 2000);
  Scene scene(tree, "replay");
  scene.config.source.file = "/nowhere/clip.avi";
  CHECK(is(find(scene, "source"), fault, "/nowhere/clip.avi is missing"));
  scene.config.source.file = "/dev/null";
  CHECK(is(find(scene, "source"), ok, "/dev/null"));
  scene.config.source.backend = "fake";
  CHECK(is(find(scene, "source"), ok, "the test picture"));
  CHECK(is(find(scene, "sensor"), warning, "there is no sensor",
           "modprobe vivid"));  // not a fault, because the source needs no sensor
  auto subject = scene.subject();
  subject.config = std::unexpected("/etc/sealcam/camera.json: /source/sise: unknown setting");
  const auto diagnosis = examine(subject);
  CHECK(is(find(diagnosis, "source"), fault, "/source/sise", "--check-config"));
  CHECK(is(find(diagnosis, "source"), fault, "/source/sise", R"({"source": {"backend": "auto"}} is enough)"));
  CHECK(diagnosis.findings.size() > 10);  // the other checks run
  subject.catalog = std::unexpected("no board data");
  CHECK(is(find(examine(subject), "boards"), fault, "no board data", "SEALCAM_BOARDS"));
}

TEST_CASE("a missing camera.json is not a problem, because the camera uses auto without it") {
  FakeBoardTree tree(pi3, "Raspberry Pi 3", debian, 905);
  tree.pi_parts().video("video0", "camera0");
  Scene scene(tree, "auto");
  scene.configured = false;
  CHECK(is(find(scene, "source"), ok, "camera.json is missing; the camera uses the defaults"));
  CHECK(std::ranges::any_of(scene.diagnosis().findings,
                            [](const auto& f) { return f.check == "source" && f.what.starts_with("auto: v4l2: "); }));
  tree.remove("/sys/class/video4linux/video0");
  CHECK(is(find(scene, "source"), fault, "there is no sensor for the backend auto"));
}

TEST_CASE("the doctor examines the source of --source") {
  const FakeBoardTree tree("linux,dummy-virt", "v", debian, 2000);
  const Scene scene(tree);
  auto subject = scene.subject();
  const auto source_of = [&](const DoctorOptions& options) {
    read_configuration(options, subject);
    return find(examine(subject), "source");
  };
  const fs::path missing = scene.state.folder.path() / "camera.json";
  CHECK(is(source_of({.config_file = missing, .optional = true}), fault, "no sensor for the backend auto"));  // control
  CHECK(source_of({.config_file = missing, .optional = true, .source = "fake"}).severity == ok);
  CHECK(is(source_of({.config_file = missing, .source = "fake"}), fault, "camera.json"));
  std::ofstream(missing) << R"({"source": {"backend": "replay", "file": "/nowhere/clip.avi"}})";
  CHECK(is(source_of({.config_file = missing}), fault, "/nowhere/clip.avi is missing"));
  CHECK(is(source_of({.config_file = missing, .source = "fake"}), ok, "the test picture, as configured"));
}

TEST_CASE("a state folder that other users may read, or with a missing part") {
  const FakeBoardTree tree("linux,dummy-virt", "v", debian, 2000);
  const Scene scene(tree, "fake");
  const auto& folder = scene.state.folder.path();
  CHECK(is(find(scene, "state"), ok, folder.string()));  // control
  fs::permissions(folder, fs::perms::group_read | fs::perms::group_exec, fs::perm_options::add);
  CHECK(
      is(find(scene, "state"), fault, "has mode 0750; other users may read the keys", "chmod 700 " + folder.string()));
  fs::permissions(folder, fs::perms::owner_all);
  fs::permissions(folder / "tls.key", fs::perms::others_read, fs::perm_options::add);
  CHECK(is(find(scene, "state"), fault, "tls.key has mode 0604", "chmod 600"));
  fs::remove(folder / "tls.key");
  CHECK(is(find(scene, "state"), fault, "tls.key is missing", "enroll"));
  std::ofstream(folder / "unfinished") << "";
  CHECK(is(find(scene, "state"), warning, "did not finish", "keys"));
  std::ofstream(folder / "enrollment.json") << "{";
  CHECK(is(find(scene, "enrollment"), fault, "enrollment.json", "sealcam camera enroll"));
}

TEST_CASE("an empty state folder") {
  const FakeBoardTree tree("linux,dummy-virt", "v", debian, 2000);
  const Scene scene(tree, "fake");
  const auto& folder = scene.state.folder.path();
  for (const auto& entry : fs::directory_iterator(folder)) fs::remove_all(entry);
  CHECK(is(find(scene, "state"), warning, "is empty; the camera has no keys yet", "keys"));
  fs::permissions(folder, fs::perms::others_read, fs::perm_options::add);
  CHECK(is(find(scene, "state"), fault, "other users may read the keys"));
}

TEST_CASE("the diagnosis as JSON and as text") {
  const FakeBoardTree tree(zero2, "Pi \xff", debian, 400);  // invalid UTF-8
  const auto diagnosis = Scene(tree).diagnosis();
  const auto json = nlohmann::json::parse(to_json(diagnosis));
  CHECK(json.at("board") == "Raspberry Pi Zero 2 W");
  CHECK(json.at("kernel") == debian);
  CHECK(json.at("healthy") == false);
  CHECK(json.at("findings").size() == diagnosis.findings.size());
  CHECK(json.at("findings").at(2).at("severity") == "fault");
  const auto text = to_text(diagnosis);
  CHECK(text.contains("fault    sensor       there is no sensor\n"));
  CHECK(text.contains(" -> "));
  CHECK(text.contains("faults: 2, warnings: "));
}
