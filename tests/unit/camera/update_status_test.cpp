// SPDX-License-Identifier: Apache-2.0
#include "camera/update_status.hpp"

#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>

#include "base/file.hpp"
#include "base/testing/fakes.hpp"
#include "device/program.hpp"
#include "support/actors.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::camera;
using namespace std::chrono_literals;
using protocol::UpdateState;
using protocol::UpdateStatus;

static constexpr std::string_view offered = R"({"version": "0.1.0", "slot": "a", "state": "offered", "offer": "0.2.0",
  "share": 10, "last": {"version": "0.1.9", "result": "rolled_back", "reason": "no sensor", "at": 1790000000}})";

namespace {

struct Files {
  test::TemporaryFolder folder;
  std::filesystem::path status = folder.path() / "status.json", consent = folder.path() / "update-consent.json";

  void write(std::string_view text) const { test::must(write_file_durably(status, as_bytes(text))); }
  [[nodiscard]] std::string stored() const {
    const auto content = read_file(consent, 4096);
    return content ? std::string(as_text(*content)) : "";
  }
};

protocol::CommandItem<protocol::UpdateConsent> decision(std::uint64_t number, protocol::UpdateConsent consent) {
  return {protocol::CommandSeq(number), std::move(consent)};
}

}  // namespace

TEST_CASE("the camera reads the state of its updater") {
  const auto status = parse_update_status(offered);
  CHECK(status.version == "0.1.0");
  CHECK(status.state == UpdateState::offered);
  CHECK(status.offer == "0.2.0");
  REQUIRE(status.last);
  CHECK(status.last->result == protocol::UpdateResult::rolled_back);
  CHECK(status.last->reason == "no sensor");
  CHECK(status.last->at.since_epoch == 1790000000s);
}

TEST_CASE("a damaged or hostile file of the updater gives an unknown state, and texts that fit") {
  const test::Actor owner, camera;
  const auto seals = [&](const UpdateStatus& status) {
    const protocol::SoftwareReport report{"0.1.0", status};
    return protocol::seal_software_report(report, test::route_of(owner, camera), protocol::Epoch(1),
                                          crypto::sframe::CipherSuite::aes_128_gcm_sha256_128, {})
        .has_value();
  };
  for (const std::string_view text : {"", "{", "[]", "7", "null", R"({"state": 1})", R"({"state": ["idle"]})",
                                      R"({"state": "asleep"})", R"({"state": "idle", "state": "idle"})"}) {
    const auto status = parse_update_status(text);
    CHECK(status.state == UpdateState::other);
    CHECK(seals(status));
  }
  const std::string many(3000, 'v');
  const auto status = parse_update_status(R"({"state": "idle", "version": ")" + many +
                                          R"(", "offer": "\u001b[2J", "last":
    {"version": 7, "reason": ")" + many + R"(", "at": 18446744073709551615}})");
  CHECK(status.state == UpdateState::idle);
  CHECK(status.version.size() == UpdateStatus::max_version);
  CHECK(status.offer == "?[2J");
  REQUIRE(status.last);
  CHECK(status.last->version.empty());
  CHECK(status.last->reason.size() == UpdateStatus::max_reason);
  CHECK(seals(status));
}

TEST_CASE("a missing file means that there is no updater, and every other file that there is one") {
  const Files files;
  CHECK_FALSE(read_update_status(files.status));
  files.write(std::string(5000, ' ') + "{}");
  CHECK(read_update_status(files.status)->state == UpdateState::other);
  std::filesystem::remove(files.status);
  REQUIRE(::mkfifo(files.status.c_str(), 0600) == 0);  // reading it would wait
  CHECK(read_update_status(files.status)->state == UpdateState::other);
}

TEST_CASE("a change is reported at most once a minute") {
  const Files files;
  FakeClock clock;
  SoftwareMonitor monitor(files.status, clock);
  CHECK(monitor.report().version == device::version());
  CHECK_FALSE(monitor.report().update);
  files.write(offered);
  clock.advance(9s);
  CHECK_FALSE(monitor.tick());
  clock.advance(1s);
  CHECK(monitor.tick());
  CHECK(monitor.report().update->offer == "0.2.0");
  files.write(R"({"version": "0.1.0", "state": "downloading", "offer": "0.2.0"})");
  clock.advance(59s);
  CHECK_FALSE(monitor.tick());
  clock.advance(1s);
  CHECK(monitor.tick());
  CHECK(monitor.report().update->state == UpdateState::downloading);
  clock.advance(10min);
  CHECK_FALSE(monitor.tick());
  std::filesystem::remove(files.status);
  clock.advance(10s);
  CHECK(monitor.tick());
  CHECK_FALSE(monitor.report().update);
}

TEST_CASE("the owner's decision is stored for the updater") {
  using protocol::UpdateAction;
  const Files files;
  const auto store = [&](std::uint64_t number, protocol::UpdateConsent consent) {
    return store_consent(files.consent, files.status, decision(number, std::move(consent))).has_value();
  };
  REQUIRE(store(3, {}));
  CHECK(files.stored() == "{\"action\":\"automatic\",\"number\":3}\n");
  REQUIRE(store(4, {.action = UpdateAction::defer, .until = {1790000000s}}));
  CHECK(files.stored() == "{\"action\":\"defer\",\"until\":1790000000,\"number\":4}\n");
  REQUIRE(store(5, {.action = UpdateAction::reject, .version = "0.2.0"}));
  CHECK(files.stored() == R"({"action":"reject","version":"0.2.0","number":5})"
                          "\n");
  REQUIRE(store(6, {.action = UpdateAction::start}));
  CHECK(files.stored() == "{\"action\":\"start\",\"number\":6}\n");
  // If there is an offer, a start is for this version.
  files.write(offered);
  REQUIRE(store(7, {.action = UpdateAction::start}));
  CHECK(files.stored() == "{\"action\":\"start\",\"version\":\"0.2.0\",\"number\":7}\n");
  REQUIRE(store(8, {.action = UpdateAction::start, .version = "0.3.0"}));
  CHECK(files.stored() == "{\"action\":\"start\",\"version\":\"0.3.0\",\"number\":8}\n");
}
