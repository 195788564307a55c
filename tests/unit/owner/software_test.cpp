// SPDX-License-Identifier: Apache-2.0
#include "owner/sync/software.hpp"

#include <catch2/catch_test_macros.hpp>

#include "owner/account/membership.hpp"
#include "protocol/envelope.hpp"
#include "sample_account.hpp"
#include "support/temporary_folder.hpp"

namespace sealcam::owner {
namespace {

using protocol::SoftwareReport;
using protocol::UpdateState;
using test::must;

/// The machine of an owner, and the camera 'door' of the sample account, which the tablet may watch.
struct Machine {
  test::SampleAccount sample;
  test::TemporaryFolder folder;
  AccountFiles files{folder.path()};
  CameraRecord& door = sample.file.cameras[0];
  protocol::Route route{sample.owner.account(), sample.door.id()};

  /// The camera publishes the grants of an epoch with this counter, and the owner's program receives them.
  void receive(std::uint64_t counter, const SoftwareReport* software) { receive(counter, software, {&sample.tablet}); }
  void receive(std::uint64_t counter, const SoftwareReport* software, const std::vector<const test::Actor*>& hubs) {
    auto roster = test::roster_of(sample.door, 3, {});
    for (const auto* hub : hubs) roster.hubs.push_back(hub->as_hub());
    std::ranges::sort(roster.hubs, {}, [](const auto& hub) { return hub.identity.id(); });
    const protocol::GrantContent content{crypto::sframe::BaseKey(), "door"};
    const auto message = must(protocol::encode_grants({.roster = roster,
                                                       .content = content,
                                                       .epoch = protocol::Epoch(counter << 32 | 5),
                                                       .created = {std::chrono::seconds(1'790'000'000)},
                                                       .software = software},
                                                      route, sample.door.keys().identity));
    auto state = must(ObservedState::open(sample.file, sample.owner.identity()));
    const auto topic = protocol::topic(route, protocol::Leaf::grants);
    state.observe({.topic = topic, .payload = message, .retained = true});
    REQUIRE(store_grants(files, sample.file, state));
  }
  [[nodiscard]] ObservedSoftware read(const test::Actor& hub) const {
    return observed_software(files, sample.owner.account(), door, &hub.keys());
  }
  [[nodiscard]] bool reports() const { return reports_software(files, sample.owner.account(), door); }
};

SoftwareReport version(std::string text) {
  return {std::move(text), protocol::UpdateStatus{.version = "", .state = UpdateState::offered, .offer = "0.2.0"}};
}

TEST_CASE("the owner reads version and updates of a camera from its newest grants") {
  Machine machine;
  CHECK(machine.read(machine.sample.tablet).why.contains("sealcam sync"));
  const auto report = version("0.1.0");
  machine.receive(4, &report);
  const auto observed = machine.read(machine.sample.tablet);
  CHECK(observed.report == report);
  CHECK(observed.created.since_epoch == std::chrono::seconds(1'790'000'000));
  CHECK(software_text(observed) == "version 0.1.0, update 0.2.0 is offered");
  // A hub that may not watch the camera cannot open the report.
  CHECK(machine.read(machine.sample.display).why.contains("sealcam hub list"));
}

TEST_CASE("a broker that sends old grants again brings no older report back") {
  Machine machine;
  const auto before = version("0.1.0"), after = version("0.2.0");
  machine.receive(5, &after);
  machine.receive(4, &before);
  CHECK(machine.read(machine.sample.tablet).report == after);
  // Control: grants of a later epoch replace it.
  machine.receive(6, &before);
  CHECK(machine.read(machine.sample.tablet).report == before);
}

TEST_CASE("an older camera reports no version, and its commands contain no decision about updates") {
  Machine machine;
  CHECK_FALSE(machine.reports());
  machine.receive(4, nullptr);
  CHECK_FALSE(machine.reports());
  CHECK(machine.read(machine.sample.tablet).why.contains("older"));
  const auto report = version("0.1.0");
  machine.receive(5, &report);
  CHECK(machine.reports());
  machine.receive(6, nullptr);  // the owner installed the older program again
  CHECK_FALSE(machine.reports());
}

TEST_CASE("a camera that 64 hubs may watch has no space for its report, and the owner learns the reason") {
  Machine machine;
  std::vector<test::Actor> hubs(protocol::Roster::max_hubs - 1);
  std::vector<const test::Actor*> all{&machine.sample.tablet};
  const auto publish = [&](std::uint64_t counter) {
    const auto report = version("0.1.0");
    machine.receive(counter, &report, all);
  };
  for (std::size_t i = 0; i + 1 < hubs.size(); ++i) all.push_back(&hubs[i]);
  publish(4);
  CHECK(machine.reports());
  all.push_back(&hubs.back());
  publish(5);
  CHECK_FALSE(machine.reports());
  CHECK(machine.read(machine.sample.tablet).why.contains("with 64 hubs"));
  CHECK(why_no_software(machine.files, machine.sample.owner.account(), machine.door).contains("sealcam hub unlink"));
}

TEST_CASE("grants of a camera that left the account are deleted") {
  Machine machine;
  const auto report = version("0.1.0");
  machine.receive(4, &report);
  const auto file = machine.files.grants(machine.door.id);
  REQUIRE(std::filesystem::exists(file));
  forget_camera(machine.sample.file, machine.door.id);
  const auto state = must(ObservedState::open(machine.sample.file, machine.sample.owner.identity()));
  REQUIRE(store_grants(machine.files, machine.sample.file, state));
  CHECK_FALSE(std::filesystem::exists(file));
}

}  // namespace
}  // namespace sealcam::owner
