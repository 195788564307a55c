// SPDX-License-Identifier: Apache-2.0
#include "update/camera.hpp"

#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <fstream>

#include "base/format.hpp"
#include "base/testing/fakes.hpp"
#include "support/temporary_folder.hpp"
#include "update/decision.hpp"

using namespace sealcam;

namespace {

constexpr auto* header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n";
constexpr auto* pairing = "   0: 00000000:20E5 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0\n";
constexpr auto* connection = "   0: 0100007F:20E5 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0\n";

struct Scene {
  Scene() {
    for (const auto* name : {"state", "run", "net"}) std::filesystem::create_directory(folder.path() / name);
  }
  void put(const std::string& name, std::string_view text) { std::ofstream(folder.path() / name) << text; }
  void status(int pid, int uptime, int captured, std::string_view rest = R"("fault":"")") {
    put("run/status.json", sealcam::format(R"({{"pid":{},"uptime_ms":{},"captured":{},"connected":true,"epoch":"00",)"
                                           R"("epoch_open":true,"epoch_fault":"",{}}})",
                                           pid, uptime, captured, rest));
  }
  void pair() { put("state/enrollment.json", "{}"); }

  test::TemporaryFolder folder;
  MemoryLog log;
  update::CameraFiles camera{{.state = folder.path() / "state",
                              .status = folder.path() / "run/status.json",
                              .request = folder.path() / "run/request.json",
                              .data = folder.path(),
                              .sockets = folder.path() / "net"},
                             log};
};

}  // namespace

TEST_CASE("only a listening socket of the port counts") {
  CHECK(update::listens(std::string(header) + pairing, 8421));
  CHECK_FALSE(update::listens(std::string(header) + pairing, 8422));
  CHECK_FALSE(update::listens(std::string(header) + connection, 8421));
  CHECK(update::listens(
      std::string(header) + "  12: 00000000000000000000000000000000:20E5 00000000000000000000000000000000:0000 0A\n",
      8421));
  CHECK_FALSE(update::listens("", 8421));
  CHECK_FALSE(update::listens(":\n: :\n0: 20E5 x 0A\n", 8421));
}

TEST_CASE("an unpaired camera runs if its pairing port is open") {
  Scene scene;
  CHECK_FALSE(scene.camera.observe().runs);
  scene.put("net/tcp6", std::string(header) + pairing);
  const auto state = scene.camera.observe();
  CHECK(state.runs);
  CHECK_FALSE(state.paired);
  CHECK(state.free_space.value_or(0) > 0);
}

TEST_CASE("a paired camera runs if its status file changes, and its sensor delivers if pictures arrive") {
  Scene scene;
  scene.pair();
  CHECK_FALSE(scene.camera.observe().runs);
  scene.status(7, 1000, 10);
  CHECK_FALSE(scene.camera.observe().runs);  // perhaps of a program that ended
  scene.status(7, 2000, 20);
  auto state = scene.camera.observe();
  CHECK(state.runs);
  CHECK(state.process == 7);
  CHECK(state.works == update::Works{true, true, true});
  CHECK_FALSE(scene.camera.observe().runs);  // the same file again
  scene.status(7, 3000, 20);
  state = scene.camera.observe();
  CHECK(state.runs);
  CHECK_FALSE(state.works.sensor);
  scene.status(8, 4000, 30);  // another process
  CHECK_FALSE(scene.camera.observe().runs);
}

TEST_CASE("a fault means that the sensor does not deliver, and privacy that it need not") {
  Scene scene;
  scene.pair();
  scene.status(7, 1000, 10);
  (void)scene.camera.observe();
  scene.status(7, 2000, 20, R"("fault":"encoder")");
  auto state = scene.camera.observe();
  CHECK_FALSE(state.works.sensor);
  CHECK(state.fault == "encoder");
  scene.put("state/privacy", "on\n");
  scene.status(7, 3000, 20);
  state = scene.camera.observe();
  CHECK(state.privacy);
  CHECK(state.works.sensor);
}

TEST_CASE("the broker works if it acknowledged the grants") {
  const auto works = [](std::string_view connected, std::string_view open, std::string_view fault,
                        std::string_view epoch) {
    const auto status = update::parse_camera_status(sealcam::format(
        R"({{"pid":1,"uptime_ms":2,"captured":3,"fault":"","connected":{},"epoch_open":{},"epoch_fault":"{}","epoch":{}}})",
        connected, open, fault, epoch));
    return std::pair(status.value().epoch, status->broker);
  };
  CHECK(works("true", "true", "", "\"1\"") == std::pair(true, true));
  CHECK(works("true", "false", "", "\"1\"") == std::pair(true, false));  // a broker that rejects the grants
  CHECK(works("false", "true", "", "\"1\"") == std::pair(true, false));
  CHECK(works("true", "false", "", "null") == std::pair(false, false));
  CHECK_FALSE(works("true", "true", "no numbers", "\"1\"").first);
}

TEST_CASE("a status file of another form means that the camera does not run") {
  for (const auto* bad : {"", "[]", "{}", R"({"pid":1})", R"({"pid":"1","uptime_ms":2,"captured":3})"})
    CHECK_FALSE(update::parse_camera_status(bad).has_value());
}

TEST_CASE("a decision that cannot be read defers updates, and the log names the next step once") {
  Scene scene;
  scene.pair();
  CHECK(scene.camera.observe().consent == update::Consent{});  // control: no decision
  scene.put("state/update-consent.json", R"({"action":"reject","version":"0.2.0","number":1})");
  CHECK(scene.camera.observe().consent.action == update::Consent::Action::reject);
  for (const auto* damaged : {"", "secret", R"({"action":"sleep","number":1})"}) {
    scene.put("state/update-consent.json", damaged);
    const auto consent = scene.camera.observe().consent;
    CHECK(consent.action == update::Consent::Action::defer);
    CHECK_FALSE(consent.version.has_value());
    const update::Release release{.compatible = "sealcam-qemu-virt", .version = {0, 2, 0}, .share = update::everyone};
    update::Circumstances now{.board = "qemu-virt", .running = {0, 1, 0}, .minimum = {0, 1, 0}, .consent = consent};
    now.works = true;
    now.waited = update::max_deferral - std::chrono::hours(1);
    CHECK(update::decide(release, now).decision == update::Decision::deferred);
    now.waited = update::max_deferral;
    CHECK(update::decide(release, now).decision == update::Decision::install);
  }
  (void)scene.camera.observe();
  CHECK(scene.log.lines().size() == 2);  // not JSON, and damaged
  CHECK(scene.log.contains("updates are deferred; decide again with 'sealcam camera update'"));
  CHECK_FALSE(scene.log.contains("secret"));
  scene.put("state/update-consent.json", R"({"action":"automatic","number":2})");
  CHECK(scene.camera.observe().consent.action == update::Consent::Action::automatic);
}

TEST_CASE("the request of a person at the console has a version, and is removed") {
  Scene scene;
  CHECK_FALSE(scene.camera.observe().request.has_value());
  for (const auto* none : {R"({"action":"start"})", R"({"action":"automatic"})", "damaged"}) {
    scene.put("run/request.json", none);
    CHECK_FALSE(scene.camera.observe().request.has_value());
  }
  scene.put("run/request.json", R"({"action":"start","version":"0.2.0"})");
  CHECK(scene.camera.observe().request == update::Version{0, 2, 0});
  scene.camera.finish_request();
  CHECK_FALSE(scene.camera.observe().request.has_value());
  scene.camera.finish_request();
}

TEST_CASE("an unpaired camera has no owner, so its file with a decision does not count") {
  Scene scene;
  scene.put("state/update-consent.json", R"({"action":"reject","version":"0.2.0","number":1})");
  CHECK(scene.camera.observe().consent == update::Consent{});
  scene.pair();
  CHECK(scene.camera.observe().consent.action == update::Consent::Action::reject);
}

TEST_CASE("a FIFO, a link, a folder or a device instead of a file of the camera does not stop the updater") {
  Scene scene;
  scene.pair();
  const auto outside = scene.folder.path() / "outside";
  scene.put("outside", R"({"action":"reject","version":"0.2.0","number":1})");
  const auto kind = GENERATE(0, 1, 2, 3);
  for (const auto* name :
       {"run/status.json", "state/update-consent.json", "state/privacy", "state/device.descriptor"}) {
    const auto path = scene.folder.path() / name;
    if (kind == 0) REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    if (kind == 1) std::filesystem::create_symlink(outside, path);
    if (kind == 2) std::filesystem::create_directory(path);
    if (kind == 3) std::filesystem::create_symlink("/dev/zero", path);
    const auto content = update::read_regular_file(path, 1024);
    REQUIRE_FALSE(content.has_value());
    CHECK(content.error().code == Errc::unsupported);
  }
  const auto state = scene.camera.observe();  // without the check, this waits for ever
  CHECK_FALSE(state.runs);
  CHECK_FALSE(state.privacy);
  CHECK(state.consent.action == update::Consent::Action::defer);
}

TEST_CASE("a regular file of the camera is read up to its limit") {
  Scene scene;
  scene.put("file", "text");
  const auto path = scene.folder.path() / "file";
  CHECK(as_text(update::read_regular_file(path, 4).value()) == "text");
  CHECK(update::read_regular_file(path, 3).error().code == Errc::exhausted);
  CHECK(update::read_regular_file(scene.folder.path() / "none", 4).error().code == Errc::not_found);
}
