// SPDX-License-Identifier: Apache-2.0
// Epochs with a smaller counter than one that was in use: an old copy of the camera's card, or a broker's old messages.
#include <catch2/catch_test_macros.hpp>

#include "support/hub_scene.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;
using watch::Reason;

namespace {

struct MaxEpochScene : HubScene {
  MaxEpochScene() { deliver_roster(roster()); }
  [[nodiscard]] TestEpoch begin(std::uint32_t counter) {
    auto epoch = builder.make_epoch((std::uint64_t{counter} << 32) | 0xc0ffee);
    deliver(Leaf::grants, builder.grants(epoch, roster()));
    return epoch;
  }
  void answer(TestEpoch& epoch) { video(builder.gop(epoch, "I", challenge(epoch))); }
  [[nodiscard]] auto requests_of(const TestEpoch& epoch) const {
    return std::ranges::count(requests(), epoch.epoch, &protocol::ViewRequest::epoch);
  }
};

}  // namespace

TEST_CASE("the hub stores the highest epoch counter once for each epoch that was in use") {
  MaxEpochScene s;
  auto seven = s.begin(7);
  CHECK(s.max_epochs.writes == 0);  // grants alone prove nothing
  s.answer(seven);
  CHECK(s.max_epochs.counters.at(s.camera.id()) == 7);
  for (int i = 0; i < 5; ++i) {
    s.advance(1s);
    s.answer(seven);
  }
  CHECK(s.max_epochs.writes == 1);
  auto nine = s.begin(9);
  s.answer(nine);
  CHECK(s.max_epochs.counters.at(s.camera.id()) == 9);
  CHECK(s.max_epochs.writes == 2);
}

TEST_CASE(
    "after a restart, the hub rejects epochs below the highest one, and continues with the same and higher ones") {
  MaxEpochScene s;
  auto seven = s.begin(7);
  s.answer(seven);
  s.restart();
  auto six = s.begin(6);
  CHECK(s.status().counters.rejected_control[RejectReason::closed_epoch] == 1);
  s.video(s.builder.gop(six, "IP"));
  CHECK(s.rejected(RejectReason::closed_epoch) == 2);
  CHECK(s.sink.shown.empty());
  SECTION("the same epoch") {
    s.deliver(Leaf::grants, s.builder.grants(seven, s.roster()));
    s.answer(seven);
    CHECK(s.status().state == CameraState::live);
  }
  SECTION("a higher epoch") {
    auto eight = s.begin(8);
    s.answer(eight);
    CHECK(s.status().state == CameraState::live);
  }
  SECTION("control: without the stored counter, the hub shows the old pictures as STALE") {
    s.max_epochs.counters.clear();
    s.restart();
    s.deliver(Leaf::grants, s.builder.grants(six, s.roster()));
    s.video(s.builder.gop(six, "IP"));
    CHECK(s.sink.shown.size() == 2);
  }
}

TEST_CASE("a broker's old grants and frames do not look like an old copy of the camera's card") {
  MaxEpochScene s;
  auto six = s.begin(6);
  s.answer(six);
  const auto old = s.builder.gop(six, "IPP", s.challenge(six));
  auto seven = s.begin(7);
  s.answer(seven);
  s.restart();
  s.deliver(Leaf::grants, s.builder.grants(six, s.roster()), true);
  s.video(old);
  for (int i = 0; i < 100; ++i) s.advance(100ms);
  CHECK(s.status().reason != Reason::restored);
  CHECK(s.requests_of(six) <= 7);  // of three runs
}

TEST_CASE("a camera with an old copy of its card is reported, and none of its pictures is shown") {
  MaxEpochScene s;
  auto nine = s.begin(9);
  s.answer(nine);
  const bool restarted = GENERATE(false, true);
  if (restarted) s.restart();
  const auto shown = s.sink.shown.size();
  auto four = s.begin(4);
  REQUIRE(s.requests_of(four) == 1);  // one request finds out whether the camera uses this epoch
  s.answer(four);
  CHECK(s.status().reason == Reason::restored);
  CHECK(s.log.contains("old copy of its card"));
  CHECK(s.sink.shown.size() == shown);
  SECTION("it is not reported as two devices") {
    s.advance(10s);
    s.answer(four);
    CHECK(s.status().reason == Reason::restored);
    CHECK(s.status().state != CameraState::live);
  }
  SECTION("an epoch above the highest one ends it") {
    auto ten = s.begin(10);
    s.answer(ten);
    CHECK(s.status().reason == Reason::none);
    CHECK(s.status().state == CameraState::live);
  }
}

TEST_CASE("an old copy of the card beside the original is a clone") {
  MaxEpochScene s;
  auto nine = s.begin(9);
  s.answer(nine);
  const auto held = s.builder.gop(nine, "P", s.challenge(nine));
  auto four = s.begin(4);
  s.answer(four);
  REQUIRE(s.status().reason == Reason::restored);
  s.video(held);  // the broker held it back, so it proves nothing
  CHECK(s.status().reason == Reason::restored);
  s.advance(1s);
  s.answer(nine);
  CHECK(s.status().reason == Reason::cloned);
  CHECK(s.log.contains("is in use, although a device uses an old copy of the camera's card"));
}

TEST_CASE("a camera that left its old epochs is not a clone because of a frame that the broker held back") {
  MaxEpochScene s;
  auto nine = s.begin(9);
  s.answer(nine);
  auto four = s.begin(4);
  s.answer(four);
  const auto held = s.builder.gop(four, "I", s.challenge(four));
  auto ten = s.begin(10);
  s.answer(ten);
  REQUIRE(s.status().reason == Reason::none);
  s.video(held);
  CHECK(s.status().reason == Reason::none);
  s.advance(1s);
  s.answer(ten);
  CHECK(s.status().state == CameraState::live);
  SECTION("control: another device that uses the old epoch now") {
    s.advance(3s);
    s.answer(four);
    CHECK(s.status().reason == Reason::restored);
    s.advance(1s);
    s.answer(ten);
    CHECK(s.status().reason == Reason::cloned);
  }
}

TEST_CASE("a hub that cannot store the highest epoch continues, and logs it") {
  MaxEpochScene s;
  s.max_epochs.broken = true;
  auto seven = s.begin(7);
  s.answer(seven);
  CHECK(s.status().state == CameraState::live);
  CHECK(s.log.contains("cannot store the newest epoch"));
  auto six = s.begin(6);
  CHECK(s.status().counters.rejected_control[RejectReason::closed_epoch] == 1);
}
