// SPDX-License-Identifier: Apache-2.0
#include "camera/doctor.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "camera/activity_light.hpp"
#include "hal/board/catalogue.hpp"
#include "unit/camera/fake_board_tree.hpp"

using namespace sealcam;
using namespace sealcam::camera;
using sealcam::test::FakeBoardTree;
namespace fs = std::filesystem;

namespace {

const std::string debian = "6.12.117+deb13-arm64", raspberry = "6.12.47+rpt-rpi-v8";
using Words = std::string_view;
constexpr Words pi3("raspberrypi,3-model-b\0brcm,bcm2837", 34), pi4("raspberrypi,4-model-b\0brcm,bcm2711", 34),
    pi5("raspberrypi,5-model-b\0brcm,bcm2712", 34), zero2("raspberrypi,model-zero-2-w\0brcm,bcm2837", 39);

/// A state folder as the first start leaves it, but for the keys' content, which the doctor does not read.
struct State {
  test::TemporaryFolder folder;
  State() {
    fs::permissions(folder.path(), fs::perms::owner_all);
    fs::create_directory(folder.path() / "keys");
    for (const char* name : {"tls.key", "tls.csr", "device.card"}) std::ofstream(folder.path() / name) << "x";
    fs::permissions(folder.path() / "tls.key", fs::perms::owner_read | fs::perms::owner_write);
  }
};

struct Patient {
  const FakeBoardTree& tree;
  State state;
  CameraConfig config;
  bool configured = true;
  std::vector<std::string> encoders{"h264_v4l2m2m", "libx264"};
  hal::board::SystemView::Permitted permitted;
  std::string libcamera_problem;
  CaptureTime now{std::chrono::sys_days(std::chrono::year(2027) / 3 / 1).time_since_epoch()};

  explicit Patient(const FakeBoardTree& t, const char* backend = "v4l2") : tree(t) {
    config.source.backend = backend;
    config.source.size = {1280, 720};
  }
  [[nodiscard]] DoctorSubject subject() const {
    return {.system = hal::board::SystemView(tree.root(), permitted),
            .catalogue = hal::board::read_catalogue(fs::path(SEALCAM_SOURCE_DIR) / "board"),
            .config = config,
            .config_file = "/etc/sealcam/camera.json",
            .configured = configured,
            .state = state.folder.path(),
            .encoders = encoders,
            .libcamera_problem = [this] { return libcamera_problem; },
            .now = now,
            .build_year = 2026};
  }
  [[nodiscard]] Diagnosis diagnosis() const { return examine(subject()); }
};

/// The worst finding of a check.
Finding find(const Diagnosis& diagnosis, std::string_view check) {
  const Finding* worst = nullptr;
  for (const auto& finding : diagnosis.findings)
    if (finding.check == check && (worst == nullptr || finding.severity > worst->severity)) worst = &finding;
  if (worst == nullptr) throw std::runtime_error("no finding: " + std::string(check));
  return *worst;
}

Finding find(const Patient& patient, std::string_view check) { return find(patient.diagnosis(), check); }

bool is(const Finding& finding, Severity severity, std::string_view what, std::string_view next = "") {
  UNSCOPED_INFO(finding.check << ": " << finding.what << " -> " << finding.next);
  return finding.severity == severity && finding.what.contains(what) && finding.next.contains(next) &&
         finding.next.empty() == (severity == Severity::ok);
}

std::set<std::string> unwell(const Diagnosis& diagnosis) {
  std::set<std::string> checks;
  for (const auto& finding : diagnosis.findings)
    if (finding.severity != Severity::ok) checks.insert(finding.check);
  return checks;
}

}  // namespace

using enum Severity;

TEST_CASE("a Pi 3 on Debian's kernel: the sensor encodes") {
  FakeBoardTree tree(pi3, "Raspberry Pi 3 Model B Rev 1.2", debian, 905);
  tree.pi_parts().video("video0", "camera0");
  Patient patient(tree);
  const auto diagnosis = patient.diagnosis();
  CHECK(diagnosis.board == "Raspberry Pi 3");
  CHECK(diagnosis.healthy());
  CHECK(is(find(diagnosis, "board"), ok, "Raspberry Pi 3 Model B Rev 1.2"));
  CHECK(is(find(diagnosis, "sensor"), ok, "/dev/video0, camera0"));
  CHECK(is(find(diagnosis, "encoder"), ok, "the sensor delivers H.264"));
  CHECK(is(find(diagnosis, "temperature"), ok, "48.3 °C, slower from 80 °C on"));
  CHECK(unwell(diagnosis) == std::set<std::string>{"kernel", "enrolment"});  // no kernel was tried on a board yet

  // Another source on the same board: no node for the encoder in this kernel, and what to do about it.
  patient.config.source.backend = "fake";
  CHECK(is(find(patient, "encoder"), warning, "Debian's kernel has no driver for /dev/video11: the cores encode",
           "and run modprobe bcm2835-v4l2, and set /source/backend to auto; or install Raspberry Pi's kernel"));
  patient.config.encoder.codec = "h264_v4l2m2m";
  CHECK(is(find(patient, "encoder"), fault, "no driver for /dev/video11"));
  CHECK_FALSE(patient.diagnosis().healthy());
}

TEST_CASE("a Pi 4 on Raspberry Pi's kernel: libcamera and the encoder's node") {
  FakeBoardTree tree(pi4, "Raspberry Pi 4 Model B Rev 1.4", raspberry, 3794);
  tree.pi_parts()
      .video("video0", "unicam-image")
      .video("video1", "unicam-embedded")
      .video("video10", "bcm2835-codec-decode");
  tree.video("video11", "bcm2835-codec-encode").video("video13", "bcm2835-isp0-output0");
  Patient patient(tree, "libcamera");
  patient.config.source.size = {1920, 1080};
  CHECK(patient.diagnosis().healthy());
  CHECK(is(find(patient, "encoder"), ok, "h264_v4l2m2m (/dev/video11)"));
  CHECK(is(find(patient, "source"), ok, "libcamera: Camera Module 1, 2 or 3"));
  patient.config.source.device = "imx708";  // a camera by its sensor's model is no node
  CHECK(is(find(patient, "source"), ok, "libcamera: Camera Module 1, 2 or 3"));
  patient.config.source.device = "auto";
  CHECK(is(find(patient, "sensor"), ok, "/dev/video0"));  // the codec's and the ISP's nodes are no sensors
  CHECK(is(find(patient, "picture"), ok, "1920x1080 at 30/s"));

  patient.config.source.size = {2560, 1440};
  CHECK(is(find(patient, "encoder"), warning, "takes 32 to 1920 pixels on each axis, not 2560x1440: the cores",
           "1920x1080"));
  CHECK(is(find(patient, "picture"), warning, "more than the 1920x1080"));
  patient.config.source.size = {1280, 720};
  patient.encoders = {"libx264"};
  CHECK(is(find(patient, "encoder"), warning, "h264_v4l2m2m is not in this FFmpeg, which has: libx264"));
  patient.encoders = {};
  CHECK(is(find(patient, "encoder"), fault, "which has: none"));
  patient.encoders = {"h264_v4l2m2m", "libx264"};
  tree.remove("/dev/video11");
  CHECK(is(find(patient, "encoder"), warning, "/dev/video11 is missing: the cores encode", "dmesg"));
  patient.config.source.backend = "v4l2";  // unicam delivers raw Bayer, which that backend does not take
  const auto source = find(patient, "source");
  CHECK(is(source, fault, "no sensor for the backend v4l2", "+raspberrypi), and set /source/backend to auto"));
  CHECK(source.next.ends_with("USB camera: plug it in"));  // that is v4l2's
}

TEST_CASE("a sensor that nobody listed is no fault, an absent one is") {
  FakeBoardTree tree(pi3, "Raspberry Pi 3", debian, 905);
  tree.pi_parts().video("video0", "bcm2835-isp0-capture0");
  Patient patient(tree);
  patient.config.source.device = "auto";
  CHECK(is(find(patient, "source"), fault, "no sensor for the backend v4l2"));  // control
  CHECK(is(find(patient, "sensor"), fault, "no sensor was found", "USB camera: plug it in"));
  tree.video("video1", "vivid-000-vid-cap", "vivid");
  CHECK(is(find(patient, "source"), warning, "perhaps /dev/video1"));
  CHECK(is(find(patient, "sensor"), warning, "/dev/video1 (vivid-000-vid-cap) is not known for this board"));
  CHECK(patient.diagnosis().healthy());
  tree.video("video2", "HD Cam", "uvcvideo");  // listed for every board
  CHECK(is(find(patient, "source"), ok, "USB camera"));
}

TEST_CASE("auto: which of a board's sensors it will be") {
  FakeBoardTree tree(pi4, "Raspberry Pi 4", raspberry, 3794);
  tree.pi_parts();
  Patient patient(tree, "auto");
  CHECK(is(find(patient, "sensor"), fault, "no sensor was found", "USB camera: plug it in"));
  CHECK(is(find(patient, "source"), fault, "no sensor for the backend auto", "check the ribbon cable"));
  CHECK_FALSE(find(patient, "source").next.contains("/source/backend"));  // nothing is left to choose

  tree.video("video0", "unicam-image").video("video11", "bcm2835-codec-encode");
  CHECK(is(find(patient, "source"), ok, "auto: libcamera: Camera Module 1, 2 or 3"));
  CHECK(is(find(patient, "encoder"), ok, "h264_v4l2m2m (/dev/video11)"));
  patient.libcamera_problem = "libcamera: sealcam-libcamera.so is in none of: /usr/lib";
  CHECK(is(find(patient, "source"), fault, "auto: libcamera: Camera Module 1, 2 or 3: libcamera: sealcam-libcamera.so",
           "install"));
  patient.config.source.backend = "libcamera";
  CHECK(is(find(patient, "source"), fault, "is in none of"));
  patient.config.source.backend = "auto";

  tree.video("video5", "HD Cam", "uvcvideo");
  CHECK(is(find(patient, "source"), ok, "auto: v4l2: USB camera"));  // libcamera is not needed
  CHECK(patient.diagnosis().healthy());
  // What may not be opened is a fault where it keeps the camera from pictures.
  patient.permitted = [](const fs::path& path, int) { return path.filename() != "video5"; };
  CHECK(is(find(patient, "sensor"), fault, "/dev/video5 may not be opened", "usermod"));
  patient.permitted = [](const fs::path& path, int) { return path.filename() != "video0"; };
  CHECK(is(find(patient, "sensor"), warning, "/dev/video0 may not be opened", "usermod"));
  tree.video("video6", "HD Cam 2", "uvcvideo");
  patient.permitted = [](const fs::path& path, int) { return path.filename() != "video5"; };
  CHECK(find(patient, "sensor").severity == warning);  // the other one is taken
}

TEST_CASE("auto: the firmware's encoder on Debian's kernel, a USB camera before it, and nodes nobody knows") {
  FakeBoardTree tree(pi3, "Raspberry Pi 3", debian, 905);
  tree.pi_parts().video("video0", "camera0");
  Patient patient(tree, "auto");
  patient.libcamera_problem = "not installed";
  CHECK(is(find(patient, "source"), ok, "auto: v4l2: Camera Module 1 or 2, encoded by the firmware"));
  CHECK(is(find(patient, "encoder"), ok, "the sensor delivers H.264"));
  tree.video("video1", "HD Cam", "uvcvideo").link("/dev/v4l/by-id/usb-HD_Cam-video-index0", "../../video1");
  CHECK(is(find(patient, "source"), ok, "auto: v4l2: USB camera"));  // as hal/v4l2 orders them

  FakeBoardTree other(pi4, "Raspberry Pi 4", raspberry, 3794);
  other.pi_parts().video("video3", "acme-isp", "acme");
  Patient guess(other, "auto");
  CHECK(is(find(guess, "source"), warning, "auto: perhaps /dev/video3"));
  other.video("video0", "unicam-image");
  CHECK(is(find(guess, "source"), ok, "libcamera: Camera Module 1, 2 or 3, unless /dev/video3 is a V4L2 sensor"));
}

TEST_CASE("a Pi 5 has no encoder, and its sensors need Raspberry Pi's kernel") {
  FakeBoardTree tree(pi5, "Raspberry Pi 5 Model B Rev 1.0", debian, 8062);
  tree.pi_parts();
  Patient patient(tree, "libcamera");
  CHECK(is(find(patient, "sensor"), fault, "no sensor", "it needs Raspberry Pi's kernel; or USB camera: plug it in"));
  CHECK(is(find(patient, "encoder"), ok, "libx264: this processor has no H.264 encoder"));
  patient.config.encoder.codec = "h264_v4l2m2m";
  CHECK(is(find(patient, "encoder"), fault, "no H.264 encoder", "auto"));
}

TEST_CASE("QEMU virt with vivid is well") {
  FakeBoardTree tree("linux,dummy-virt", "linux,dummy-virt", debian, 480);
  tree.video("video0", "vivid-000-vid-cap", "vivid").put("/dev/watchdog0", "");
  const Patient patient(tree);
  const auto diagnosis = patient.diagnosis();
  CHECK(diagnosis.board == "QEMU virt");
  CHECK(unwell(diagnosis) == std::set<std::string>{"enrolment"});
  CHECK(is(find(diagnosis, "light"), ok, "the log says when the sensor is on"));
  tree.remove("/dev/watchdog0");
  CHECK(is(find(patient, "watchdog"), warning, "/dev/watchdog0 is missing", "modprobe i6300esb"));
}

TEST_CASE("an unknown board works with what is found") {
  FakeBoardTree tree("acme,doorbell", "ACME Doorbell", debian, 2000);
  // The first node has the pictures; the second, of the same driver, has metadata.
  tree.video("video0", "HD Cam", "uvcvideo")
      .video("video1", "HD Cam", "uvcvideo", 1)
      .video("video2", "acme-isp", "acme");
  const Patient patient(tree);
  const auto diagnosis = patient.diagnosis();
  CHECK(diagnosis.healthy());
  CHECK(is(find(diagnosis, "board"), warning, "unknown board (acme,doorbell): works with what is found",
           "board/README.md"));
  CHECK(is(find(diagnosis, "source"), ok, "v4l2: USB camera"));
  CHECK(is(find(diagnosis, "sensor"), warning, "/dev/video2 (acme-isp) is not known", "--list-sensors"));
  CHECK(std::ranges::count(diagnosis.findings, "sensor", &Finding::check) == 2);
  const FakeBoardTree pc("", "", "6.18.2-other", 16'000);
  CHECK(is(find(Patient(pc), "board"), warning, "unknown board (no device tree)"));
  CHECK(is(find(Patient(pc), "kernel"), warning, "6.18.2-other is none of the kernels known"));
}

TEST_CASE("a board with everything missing: each check says so, and what to do") {
  const FakeBoardTree tree(zero2, "Raspberry Pi Zero 2 W Rev 1.0", "6.6.31-v8+", 419);
  Patient patient(tree, "v4l2");
  patient.config.source.size = {1920, 1080};
  patient.config.encoder.codec = "libopenh264";
  patient.now = {};
  fs::remove_all(patient.state.folder.path());
  const auto diagnosis = patient.diagnosis();
  CHECK_FALSE(diagnosis.healthy());
  CHECK(is(find(diagnosis, "kernel"), warning,
           "6.6.31-v8+ is none of the kernels known for this board (Debian, Raspberry Pi)"));
  CHECK(is(find(diagnosis, "sensor"), fault, "no sensor was found", "start_x=1"));
  CHECK(is(find(diagnosis, "source"), fault, "no sensor for the backend v4l2"));
  CHECK(is(find(diagnosis, "encoder"), fault, "libopenh264 is not in this FFmpeg", "auto"));
  CHECK(is(find(diagnosis, "picture"), warning, "more than the 1280x720 at 30/s"));
  CHECK(is(find(diagnosis, "light"), warning, "/sys/class/leds/ACT is missing", "leds_gpio"));
  CHECK(is(find(diagnosis, "watchdog"), warning, "/dev/watchdog0 is missing", "modprobe bcm2835_wdt"));
  CHECK(is(find(diagnosis, "temperature"), warning, "cannot be read"));
  CHECK(is(find(diagnosis, "serial"), warning, "a copied card"));
  CHECK(is(find(diagnosis, "state"), warning, "not there yet", "keys"));
  CHECK(is(find(diagnosis, "enrolment"), warning, "belongs to nobody", "sealcam camera enroll"));
  CHECK(is(find(diagnosis, "memory"), warning, "419 MiB is little for 1920x1080", "1280x720"));
  CHECK(is(find(diagnosis, "clock"), warning, "1970-01-01 is before this program was built", "set-ntp"));
  patient.config.source.size = {1280, 720};
  CHECK(is(find(patient, "memory"), ok, "419 MiB"));
}

TEST_CASE("nodes that this user may not open") {
  FakeBoardTree tree(pi4, "Raspberry Pi 4", raspberry, 3794);
  tree.pi_parts("81500\n").video("video0", "HD Cam", "uvcvideo").video("video11", "bcm2835-codec-encode");
  Patient patient(tree);
  CHECK(patient.diagnosis().healthy());  // control
  patient.permitted = [](const fs::path&, int) { return false; };
  CHECK(is(find(patient, "sensor"), fault, "/dev/video0 may not be opened by this user", "usermod -aG video"));
  CHECK(is(find(patient, "encoder"), warning, "/dev/video11 may not be opened", "usermod -aG video"));
  CHECK(is(find(patient, "light"), warning, "may not be written by this user", "udev"));
  CHECK(is(find(patient, "temperature"), warning, "81.5 °C, slower from 80 °C on", "heat sink"));
  patient.config.source.device = "/dev/video7";
  CHECK(is(find(patient, "source"), fault, "/dev/video7 is missing"));
  CHECK(find(patient, "sensor").severity == warning);  // it is another that the camera will take
}

TEST_CASE("sources that are files, nothing, or not understood") {
  const FakeBoardTree tree("linux,dummy-virt", "v", debian, 2000);
  Patient patient(tree, "replay");
  patient.config.source.file = "/nowhere/clip.avi";
  CHECK(is(find(patient, "source"), fault, "/nowhere/clip.avi is missing"));
  patient.config.source.file = "/dev/null";
  CHECK(is(find(patient, "source"), ok, "/dev/null"));
  patient.config.source.backend = "fake";
  CHECK(is(find(patient, "source"), ok, "the test picture"));
  CHECK(
      is(find(patient, "sensor"), warning, "no sensor was found", "modprobe vivid"));  // not a fault: it is not wanted
  patient.configured = false;
  CHECK(is(find(patient, "source"), warning, "camera.json is not there", R"({"source": {"backend": "auto"}})"));
  auto subject = patient.subject();
  subject.config = std::unexpected("/etc/sealcam/camera.json: /source/sise: unknown setting");
  const auto diagnosis = examine(subject);
  CHECK(is(find(diagnosis, "source"), fault, "/source/sise", "--check-config"));
  CHECK(is(find(diagnosis, "source"), fault, "/source/sise", R"({"source": {"backend": "auto"}} is enough)"));
  CHECK(diagnosis.findings.size() > 10);  // the rest is looked at all the same
  subject.catalogue = std::unexpected("no board data");
  CHECK(is(find(examine(subject), "boards"), fault, "no board data", "SEALCAM_BOARDS"));
}

TEST_CASE("a state folder that others may read, or that lost a part") {
  const FakeBoardTree tree("linux,dummy-virt", "v", debian, 2000);
  const Patient patient(tree, "fake");
  const auto& folder = patient.state.folder.path();
  CHECK(is(find(patient, "state"), ok, folder.string()));  // control
  fs::permissions(folder, fs::perms::group_read | fs::perms::group_exec, fs::perm_options::add);
  CHECK(
      is(find(patient, "state"), fault, "has mode 0750: others may look at the keys", "chmod 700 " + folder.string()));
  fs::permissions(folder, fs::perms::owner_all);
  fs::permissions(folder / "tls.key", fs::perms::others_read, fs::perm_options::add);
  CHECK(is(find(patient, "state"), fault, "tls.key has mode 0604", "chmod 600"));
  fs::remove(folder / "tls.key");
  CHECK(is(find(patient, "state"), fault, "tls.key is missing", "enrol"));
  std::ofstream(folder / "unfinished") << "";
  CHECK(is(find(patient, "state"), warning, "did not finish", "keys"));
  std::ofstream(folder / "enrolment.json") << "{";
  CHECK(is(find(patient, "enrolment"), fault, "enrolment.json", "sealcam camera enroll"));
}

TEST_CASE("a state folder that was made for a camera and is empty") {
  const FakeBoardTree tree("linux,dummy-virt", "v", debian, 2000);
  const Patient patient(tree, "fake");
  const auto& folder = patient.state.folder.path();
  for (const auto& entry : fs::directory_iterator(folder)) fs::remove_all(entry);
  CHECK(is(find(patient, "state"), warning, "is empty: there are no keys yet", "keys"));
  fs::permissions(folder, fs::perms::others_read, fs::perm_options::add);
  CHECK(is(find(patient, "state"), fault, "others may look at the keys"));
}

TEST_CASE("what is printed") {
  const FakeBoardTree tree(zero2, "Pi \xff", debian, 400);  // a name that is not UTF-8
  const auto diagnosis = Patient(tree).diagnosis();
  const auto json = nlohmann::json::parse(to_json(diagnosis));
  CHECK(json.at("board") == "Raspberry Pi Zero 2 W");
  CHECK(json.at("kernel") == debian);
  CHECK(json.at("healthy") == false);
  CHECK(json.at("findings").size() == diagnosis.findings.size());
  CHECK(json.at("findings").at(2).at("severity") == "fault");
  const auto text = to_text(diagnosis);
  CHECK(text.contains("fault    sensor       no sensor was found\n"));
  CHECK(text.contains(" -> "));
  CHECK(text.contains("faults: 2, warnings: "));
}

TEST_CASE("the camera takes the light that the board's data names, else the log") {
  ::setenv("SEALCAM_BOARDS", SEALCAM_SOURCE_DIR "/board", 1);
  FakeBoardTree tree(pi3, "Raspberry Pi 3", debian, 905);
  tree.pi_parts();
  const std::string brightness = "/sys/class/leds/ACT/brightness", trigger = "/sys/class/leds/ACT/trigger";
  MemoryLog log;
  {
    const auto light = open_activity_light(hal::board::SystemView(tree.root()), log);
    CHECK(light->set_activity(true));
    CHECK(tree.get(brightness) == "255");
  }
  CHECK(tree.get(brightness) == "0");
  CHECK(tree.get(trigger) == "heartbeat");
  tree.remove("/sys/class/leds");
  CHECK(open_activity_light(hal::board::SystemView(tree.root()), log)->set_activity(true));
  CHECK(log.contains("lines in the log; /sys/class/leds/ACT"));
  CHECK(log.contains("activity: the sensor is on"));
  ::setenv("SEALCAM_BOARDS", "/nowhere", 1);
  CHECK(open_activity_light(hal::board::SystemView(tree.root()), log)->set_activity(true));
  CHECK(log.contains("SEALCAM_BOARDS=/nowhere"));
  ::unsetenv("SEALCAM_BOARDS");
}
