// SPDX-License-Identifier: Apache-2.0
#include "update/decision.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sealcam;
using namespace std::chrono_literals;
using update::Consent, update::decide, update::Decision, update::Version;

namespace {

constexpr std::int64_t day = 1'800'057'600;  // 2027-01-16 00:00 UTC

CaptureTime at(std::chrono::seconds time_of_day) { return {std::chrono::seconds(day) + time_of_day}; }

const update::Release offered{.compatible = "sealcam-testboard",
                              .version = {0, 2, 0},
                              .minimum = {0, 1, 0},
                              .share = update::everyone,
                              .hash = {}};

/// At noon, with a camera that works.
update::Circumstances noon() {
  return {.board = "testboard", .running = {0, 1, 0}, .minimum = {0, 1, 0}, .clock = at(12h), .works = true};
}

Decision at_noon(const Consent& consent) {
  auto now = noon();
  now.consent = consent;
  return decide(offered, now).decision;
}

}  // namespace

TEST_CASE("a release waits for the night") {
  auto now = noon();
  CHECK(decide(offered, now).decision == Decision::wait);
  now.clock = at(2h);
  CHECK(decide(offered, now).decision == Decision::install);
  now.clock = at(5h);
  CHECK(decide(offered, now).decision == Decision::wait);
  now.night_hour = 23;
  now.clock = at(1h);
  CHECK(decide(offered, now).decision == Decision::install);
}

TEST_CASE("the devices begin one after the other in the first half of the night") {
  CHECK(update::is_night(at(2h), 2, 0));
  CHECK_FALSE(update::is_night(at(2h), 2, 9999));
  CHECK_FALSE(update::is_night(at(2h + 44min), 2, 5000));
  CHECK(update::is_night(at(2h + 45min), 2, 5000));
  CHECK(update::is_night(at(3h + 30min), 2, 9999));
  CHECK_FALSE(update::is_night(at(5h), 2, 0));
}

TEST_CASE("without a clock, a release waits until the board ran for 24 h") {
  auto now = noon();
  now.clock = {3h};  // 1970
  CHECK(decide(offered, now).decision == Decision::wait);
  now.waited = 24h - 1s;
  CHECK(decide(offered, now).decision == Decision::wait);
  now.waited = 24h;
  CHECK(decide(offered, now).decision == Decision::install);
}

TEST_CASE("a camera that does not work delays an update by a day and does not prevent it") {
  auto now = noon();
  now.clock = at(3h);
  now.works = false;
  CHECK(decide(offered, now).decision == Decision::wait);
  now.waited = 48h;
  CHECK(decide(offered, now).decision == Decision::install);
}

TEST_CASE("a release for another board is rejected") {
  auto now = noon();
  now.board = "otherboard";
  const auto decided = decide(offered, now);
  CHECK(decided.decision == Decision::rejected);
  CHECK(decided.reason == "the release is for 'sealcam-testboard', and this board is 'sealcam-otherboard'");
}

TEST_CASE("an older release is rejected, and the running one is no release") {
  auto now = noon();
  now.running = {0, 2, 1};
  CHECK(decide(offered, now).reason == "version 0.2.0 is older than 0.2.1, which runs");
  now.running = {0, 2, 0};
  CHECK(decide(offered, now).decision == Decision::none);
}

TEST_CASE("a release below the oldest permitted version is rejected") {
  auto now = noon();
  now.minimum = {0, 3, 0};
  CHECK(decide(offered, now).reason == "version 0.2.0 is older than 0.3.0, the oldest that this board may run");
}

TEST_CASE("a release that needs an intermediate version is rejected") {
  auto release = offered;
  release.minimum = {0, 1, 5};
  CHECK(decide(release, noon()).reason == "version 0.2.0 needs version 0.1.5 first, and 0.1.0 runs");
}

TEST_CASE("a release is for the devices whose bucket is less than the share") {
  auto release = offered;
  auto now = noon();
  now.clock = at(3h);
  now.bucket = 99;
  release.share = update::Share(99);
  CHECK(decide(release, now).decision == Decision::none);
  release.share = update::Share(100);
  CHECK(decide(release, now).decision == Decision::install);
  now.bucket = 0;
  release.share = update::Share(0);
  CHECK(decide(release, now).decision == Decision::none);
}

TEST_CASE("the owner starts, defers or rejects a release") {
  using enum Consent::Action;
  CHECK(at_noon({}) == Decision::wait);
  CHECK(at_noon({start, {}, 0, 1}) == Decision::install);
  CHECK(at_noon({start, Version{0, 2, 0}, 0, 1}) == Decision::install);
  CHECK(at_noon({start, Version{0, 1, 9}, 0, 1}) == Decision::wait);
  CHECK(at_noon({reject, Version{0, 2, 0}, 0, 1}) == Decision::denied);
  CHECK(at_noon({reject, Version{0, 1, 9}, 0, 1}) == Decision::wait);
  CHECK(at_noon({defer, {}, day + 86'400, 1}) == Decision::deferred);
  CHECK(at_noon({defer, {}, day, 1}) == Decision::wait);
}

TEST_CASE("a start counts once") {
  auto now = noon();
  now.consent = {Consent::Action::start, {}, 0, 7};
  now.started = 7;
  CHECK(decide(offered, now).decision == Decision::wait);
  now.consent.number = 8;
  CHECK(decide(offered, now).decision == Decision::install);
}

TEST_CASE("a deferral ends after 90 days of running time if the clock is not set") {
  auto now = noon();
  now.consent = {Consent::Action::defer, {}, day, 1};
  now.clock = {};
  now.waited = 30 * 24h;
  CHECK(decide(offered, now).decision == Decision::deferred);
  now.waited = 90 * 24h;
  CHECK(decide(offered, now).decision == Decision::install);
}

TEST_CASE("a version that failed is tried again after a day, or not again") {
  auto now = noon();
  now.clock = at(3h);
  now.failed = update::Failed{.version = {0, 2, 0}, .tries = 1, .final = false};
  CHECK(decide(offered, now).decision == Decision::wait);
  now.waited = 24h;
  CHECK(decide(offered, now).decision == Decision::install);
  now.failed->final = true;
  CHECK(decide(offered, now).decision == Decision::none);
  now.consent = {Consent::Action::start, {}, 0, 1};
  CHECK(decide(offered, now).decision == Decision::install);
}

TEST_CASE("with a clock, a release waits for the night also after a day, and seven days at most") {
  auto now = noon();
  now.waited = 7 * 24h - 1s;
  CHECK(decide(offered, now).decision == Decision::wait);
  now.waited = 7 * 24h;  // a board that is off at night
  CHECK(decide(offered, now).decision == Decision::install);
}

TEST_CASE("a request at the console starts its version only, also one that the owner rejects") {
  auto now = noon();
  now.consent = {Consent::Action::reject, Version{0, 2, 0}, 0, 1};
  now.requested = Version{0, 1, 9};
  CHECK(decide(offered, now).decision == Decision::denied);
  now.requested = Version{0, 2, 0};
  CHECK(decide(offered, now).decision == Decision::install);
  now.running = {0, 3, 0};
  CHECK(decide(offered, now).decision == Decision::rejected);
}

TEST_CASE("the owner cannot start a rejected release") {
  auto now = noon();
  now.consent = {Consent::Action::start, {}, 0, 1};
  now.running = {0, 3, 0};
  CHECK(decide(offered, now).decision == Decision::rejected);
}
