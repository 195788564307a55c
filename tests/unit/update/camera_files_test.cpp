// SPDX-License-Identifier: Apache-2.0
// The updater with the files of a camera, as the camera's program writes them.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <fstream>

#include "crypto/psa.hpp"
#include "device.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace std::chrono_literals;

namespace {

/// Writes the files of a camera's program before each observation.
class CameraProgram final : public update::Camera {
 public:
  CameraProgram(const FakeClock& clock, const int& starts, Log& log)
      : clock_(clock), starts_(starts), files_(paths(), log) {
    for (const auto* name : {"state", "run", "net"}) std::filesystem::create_directory(folder_.path() / name);
  }
  bool paired = true, privacy = false, broker = true;

 private:
  [[nodiscard]] update::CameraPaths paths() const {
    const auto& folder = folder_.path();
    return {folder / "state", folder / "run/status.json", folder / "run/request.json", folder, folder / "net"};
  }
  void put(const std::string& name, std::string_view text) const { std::ofstream(folder_.path() / name) << text; }
  update::CameraState do_observe() override {
    // The board starts, and then the camera.
    if (std::exchange(seen_, starts_) != starts_) begun_ = clock_.boot() + 1min;
    const auto uptime = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.boot() - begun_).count();
    const bool runs = uptime > 0;
    put("net/tcp6", sealcam::format("  sl  local_address remote_address st\n{}",
                                    runs && !paired ? "   0: 00000000000000000000000000000000:20E5 0:0000 0A\n" : ""));
    std::filesystem::remove(folder_.path() / "state/enrollment.json");
    if (paired) put("state/enrollment.json", "{}");
    put("state/privacy", privacy ? "on\n" : "off\n");
    if (!privacy && runs) captured_ += 300;
    if (runs && paired)
      put("run/status.json",
          sealcam::format(R"({{"pid":{},"uptime_ms":{},"captured":{},"fault":"","connected":{},"epoch_open":{},)"
                          R"("epoch_fault":"","epoch":"1"}})",
                          100 + starts_, uptime, captured_, broker, broker));
    return files_.observe();
  }
  void do_finish_request() override { files_.finish_request(); }

  test::TemporaryFolder folder_;
  const FakeClock& clock_;
  const int& starts_;
  update::CameraFiles files_;
  int seen_ = 0;
  BootTime begun_;
  std::int64_t captured_ = 0;
};

enum class Kind : std::uint8_t { unpaired, records, privacy, privacy_for_a_day, no_broker_for_a_day };

}  // namespace

TEST_CASE("a camera that is unpaired, records day and night, has privacy or no broker for a day updates in the end") {
  REQUIRE(crypto::init());
  const auto kind =
      GENERATE(Kind::unpaired, Kind::records, Kind::privacy, Kind::privacy_for_a_day, Kind::no_broker_for_a_day);
  unsigned rolled_back = 0;
  // Minutes from 01:00 UTC until privacy or the broker's absence begins. The trial is after minute 60.
  for (const int from : {0, 60, 62, 64, 66, 120}) {
    INFO("kind " << static_cast<int>(kind) << ", from minute " << from);
    test::Device device;
    CameraProgram camera(device.clock, device.starts, device.log);
    device.use(camera);
    device.board.channel = test::Bundle();
    device.clock.set_wall({std::chrono::seconds(1'800'057'600) + 1h});
    camera.paired = kind != Kind::unpaired;
    bool was_rolled_back = false;
    for (int minute = 0; minute < 5 * 24 * 60 && device.last() != "0.2.0 installed"; minute += 2) {
      const bool day = minute >= from && minute < from + 24 * 60;
      camera.privacy = kind == Kind::privacy || (kind == Kind::privacy_for_a_day && day);
      camera.broker = kind != Kind::no_broker_for_a_day || !day;
      device.run(2min, 2min);
      if (device.last() != "0.2.0 rolled_back") continue;
      CHECK(kind == Kind::no_broker_for_a_day);
      CHECK(device.status.last->reason == "the broker does not acknowledge the camera's grants");
      was_rolled_back = true;
    }
    CHECK(device.last() == "0.2.0 installed");
    CHECK(device.version() == "0.2.0");
    CHECK(device.board.selected == "b");
    rolled_back += was_rolled_back ? 1 : 0;
  }
  // Control: the broker of some goes away in their trial.
  CHECK((rolled_back > 0) == (kind == Kind::no_broker_for_a_day));
}
