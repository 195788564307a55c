// SPDX-License-Identifier: Apache-2.0
#include "protocol/software_report.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "support/actors.hpp"

using namespace sealcam;
using namespace sealcam::protocol;
using test::must;

namespace {

UpdateStatus max_status() {
  const std::string version(UpdateStatus::max_version, '9');
  return {.version = version,
          .state = UpdateState::other,
          .offer = version,
          .last = UpdateStatus::Last{.version = version,
                                     .result = UpdateResult::other,
                                     .reason = std::string(UpdateStatus::max_reason, 'x'),
                                     .at = {std::chrono::microseconds(std::int64_t{1} << 53)}}};
}

UpdateStatus idle() { return {.version = "", .state = UpdateState::idle, .offer = ""}; }

struct World {
  test::Actor owner, camera, hub, other;
  Route route = test::route_of(owner, camera);

  [[nodiscard]] Bytes encode(const SoftwareReport* software, std::initializer_list<const test::Actor*> hubs) const {
    auto roster = test::roster_of(camera, 1, hubs);
    std::ranges::sort(roster.hubs, {}, [](const RosterHub& listed) { return listed.identity.id(); });
    const GrantContent content{crypto::sframe::BaseKey(), "Yard"};
    return must(encode_grants({.roster = roster, .content = content, .epoch = Epoch(7), .software = software}, route,
                              camera.keys().identity));
  }
  [[nodiscard]] Result<SoftwareReport> open(const Grants& grants) const {
    const auto content = must(open_grant(grants, route, hub.id(), hub.keys().hpke));
    return open_software_report(grants, route, content);
  }
};

}  // namespace

TEST_CASE("a hub opens the software report of a camera") {
  const World w;
  for (const auto& report : {SoftwareReport{"0.1.0"}, SoftwareReport{"0.1.0", idle()},
                             SoftwareReport{std::string(UpdateStatus::max_version, '1'), max_status()}}) {
    const auto grants = must(decode_grants(w.encode(&report, {&w.hub, &w.other}), w.route, w.camera.verifier()));
    CHECK(must(w.open(grants)) == report);
    // The entry is no grant.
    CHECK(grants.grants.size() == 2);
    CHECK_FALSE(std::ranges::contains(grants.grants, w.camera.id(), &Grant::hub));
  }
}

TEST_CASE("the broker cannot read a software report, and its size shows nothing") {
  const World w;
  const SoftwareReport little{"0.1.0"}, much{"0.1.0", max_status()};
  const auto small = w.encode(&little, {&w.hub}), large = w.encode(&much, {&w.hub});
  CHECK(small.size() == large.size());
  CHECK(std::ranges::search(large, as_bytes(max_status().offer)).empty());
  // Control: without the report, the message is smaller.
  CHECK(w.encode(nullptr, {&w.hub}).size() < small.size());
}

TEST_CASE("grants without a software report are valid") {
  const World w;
  const auto grants = must(decode_grants(w.encode(nullptr, {&w.hub}), w.route, w.camera.verifier()));
  CHECK(w.open(grants).error().code == Errc::not_found);
  const SoftwareReport report{"0.1.0"};
  auto changed = must(decode_grants(w.encode(&report, {&w.hub}), w.route, w.camera.verifier()));
  changed.software.back() ^= std::byte{1};
  CHECK(w.open(changed).error().code == Errc::not_decryptable);
}

TEST_CASE("a roster with the maximum number of hubs leaves no room for a software report") {
  const World w;
  const SoftwareReport report{"0.1.0"};
  auto roster = test::roster_of(w.camera, 1, {});
  while (roster.hubs.size() < Roster::max_hubs) roster.hubs.push_back(test::Actor().as_hub());
  std::ranges::sort(roster.hubs, {}, [](const RosterHub& listed) { return listed.identity.id(); });
  const auto encode = [&] {
    const GrantContent content{crypto::sframe::BaseKey(), "Yard"};
    const auto message =
        must(encode_grants({.roster = roster, .content = content, .epoch = Epoch(7), .software = &report}, w.route,
                           w.camera.keys().identity));
    return must(decode_grants(message, w.route, w.camera.verifier()));
  };
  CHECK(encode().software.empty());
  roster.hubs.pop_back();
  CHECK_FALSE(encode().software.empty());
}

TEST_CASE("a text about an update names offer, result, day and reason, and is printable") {
  UpdateStatus update{.version = "0.1.0", .state = UpdateState::offered, .offer = "0.2.0"};
  CHECK(to_text(update) == "update 0.2.0 is offered");
  update.last = {.version = "0.1.9",
                 .result = UpdateResult::rolled_back,
                 .reason = "no broker\n\x1b[2J",
                 .at = {std::chrono::seconds(1'790'000'000)}};
  CHECK(to_text(update) ==
        "update 0.2.0 is offered; 0.1.9 failed its check and was rolled back on 2026-09-21: no broker??[2J");
  CHECK(to_text(idle()) == "no update is offered");
  CHECK(update_state_of("rejected") == UpdateState::rejected);
  CHECK(update_state_of("sleeping") == UpdateState::other);
  CHECK(update_result_of("failed") == UpdateResult::failed);
}
