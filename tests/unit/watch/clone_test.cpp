// SPDX-License-Identifier: Apache-2.0
// P9 at a hub: two devices with one identity, and cases that must not be taken for it.
#include <catch2/catch_test_macros.hpp>

#include "support/hub_scene.hpp"
#include "watch/epochs.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;
using watch::Reason;

namespace {

/// Epoch A was live, and B is live now. Both devices use one StreamBuilder, like two devices with a copied SD card.
struct Replaced : HubScene {
  TestEpoch a = join(100);
  Stream held;  ///< frames of A that the broker holds back
  TestEpoch b;

  Replaced() : b(replace()) {}
  TestEpoch replace() {
    video(builder.gop(a, "IPP", challenge(a)));
    held = builder.gop(a, "IPPP", challenge(a));
    auto next = join(200);
    video(builder.gop(next, "IP", challenge(next)));
    return next;
  }
  [[nodiscard]] std::size_t requests_of(const TestEpoch& epoch) const {
    return static_cast<std::size_t>(std::ranges::count(requests(), epoch.epoch, &protocol::ViewRequest::epoch));
  }
  /// The device with epoch A sends a frame, receives a request and answers it.
  void answer_in_a() {
    video(builder.gop(a, "P", challenge(a)));
    advance(watch::ViewRequester::replaced_interval);
    video(builder.gop(a, "P", challenge(a)));
  }
};

}  // namespace

TEST_CASE("echoes in the order A, B, A prove two devices, and the hub shows neither of them") {
  Replaced s;
  REQUIRE(s.status().state == CameraState::live);
  REQUIRE(s.sink.shown.size() == 5);
  const auto requested = s.requests_of(s.a);
  s.deliver(Leaf::video, s.held.messages[0]);
  CHECK(s.status().reason == Reason::none);      // old frames prove nothing
  REQUIRE(s.requests_of(s.a) == requested + 1);  // but the hub sends a request
  s.video(s.builder.gop(s.a, "P", s.challenge(s.a)));
  CHECK(s.status().reason == Reason::cloned);
  CHECK(s.status().state == CameraState::offline);
  CHECK(s.sink.states.back().reason == Reason::cloned);
  CHECK(s.watcher->newest(s.camera.id()) == nullptr);
  CHECK(s.rejected(RejectReason::closed_epoch) == 2);

  s.advance(1s);
  const auto sent = s.client.sent.size();
  s.video(s.builder.gop(s.b, "I", s.challenge(s.b)));
  s.video(s.builder.gop(s.a, "I", s.challenge(s.a)));
  const auto third = s.builder.make_epoch(300);
  s.deliver(Leaf::grants, s.builder.grants(third, s.roster()));
  s.deliver(Leaf::status, s.builder.status(true));
  s.advance(10s);
  CHECK(s.sink.shown.size() == 5);
  CHECK(s.rejected(RejectReason::cloned) == 2);
  CHECK(s.status().counters.rejected_control[RejectReason::cloned] == 2);
  CHECK(s.client.sent.size() == sent);  // the hub sends no more requests
  CHECK(s.status().reason == Reason::cloned);

  SECTION("a new roster does not end the block") {
    s.deliver_roster(s.roster(2));
    CHECK(s.status().reason == Reason::cloned);
    Actor other;
    s.deliver_roster(roster_of(s.camera, 3, {&other}));
    s.deliver_roster(s.roster(4));
    CHECK(s.status().reason == Reason::cloned);
  }
  SECTION("a restarted hub needs a new proof, and detects the clone again") {
    s.restart();
    s.deliver_roster(s.roster());
    CHECK(s.status().reason == Reason::waiting);
    s.deliver(Leaf::grants, s.builder.grants(s.a, s.roster()));
    s.video(s.builder.gop(s.a, "I", s.challenge(s.a)));
    s.deliver(Leaf::grants, s.builder.grants(s.b, s.roster()));
    s.video(s.builder.gop(s.b, "I", s.challenge(s.b)));
    CHECK(s.status().reason == Reason::none);
    s.answer_in_a();
    CHECK(s.status().reason == Reason::cloned);
  }
}

TEST_CASE("the hub logs a cloned camera once an hour, however many messages arrive") {
  Replaced s;
  s.answer_in_a();
  REQUIRE(s.status().reason == Reason::cloned);
  const auto lines = [&] {
    return std::ranges::count_if(s.log.lines(), [](const auto& line) { return line.find("two devices") != line.npos; });
  };
  CHECK(lines() == 1);
  for (int i = 0; i < 100; ++i) s.video(s.builder.gop(s.b, "P"));
  CHECK(lines() == 1);
  s.clock.advance(1h);
  s.video(s.builder.gop(s.b, "P"));
  CHECK(lines() == 2);
}

TEST_CASE("a restarted camera is not a clone if messages of its old epoch arrive late, again or in another order") {
  Replaced s;
  const auto grants = s.builder.grants(s.a, s.roster());
  for (int round = 0; round < 3; ++round) {
    for (const auto& message : s.held.messages) s.deliver(Leaf::video, message);
    s.deliver(Leaf::grants, grants);
    s.deliver(Leaf::status, s.builder.status(true));
    s.advance(3s);
    s.video(s.builder.gop(s.b, "I", s.challenge(s.b)));
    s.video(s.held.swap(0, 3));
  }
  CHECK(s.status().reason == Reason::none);
  CHECK(s.status().state == CameraState::live);
  CHECK(s.rejected(RejectReason::closed_epoch) == 24);
  CHECK(s.watcher->rejected().total() == 24);

  SECTION("control: one frame of A with an echo of a new challenge completes the proof") {
    s.video(s.builder.gop(s.a, "P", s.challenge(s.a)));
    CHECK(s.status().reason == Reason::cloned);
  }
}

TEST_CASE("an echo of a challenge from before B's first live frame proves nothing") {
  HubScene s;
  auto a = s.join(100);
  s.video(s.builder.gop(a, "I", s.challenge(a)));
  auto b = s.join(200);
  s.advance(1s);
  // The hub sent requests for A and for the candidate B. The camera answered for A, was restarted, and answers for B.
  const auto last = s.builder.gop(a, "P", s.challenge(a));
  s.video(s.builder.gop(b, "I", s.challenge(b)));
  REQUIRE(s.status().epoch == b.epoch);
  s.video(last);
  CHECK(s.status().reason == Reason::none);
  CHECK(s.rejected(RejectReason::closed_epoch) == 1);
  SECTION("control: an echo of the next challenge completes the proof") {
    s.advance(2s);
    s.video(s.builder.gop(a, "P", s.challenge(a)));
    CHECK(s.status().reason == Reason::cloned);
  }
}

TEST_CASE("many restarts of one camera with late frames of each earlier epoch are not a clone") {
  HubScene s;
  auto before = s.join(1);
  s.video(s.builder.gop(before, "I", s.challenge(before)));
  for (std::uint64_t n = 2; n < 30; ++n) {
    s.advance(500ms);
    const auto late = s.builder.gop(before, "IP", s.challenge(before));
    auto epoch = s.join(n);
    s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
    s.video(late);
    s.advance(2s);
    s.video(late);
    s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
    CHECK(s.status().state == CameraState::live);
    before = std::move(epoch);
  }
  CHECK(s.status().reason != Reason::cloned);
}

TEST_CASE("a device that cannot sign as the camera cannot prove a clone") {
  Replaced s;
  s.deliver(Leaf::video, s.held.messages[0]);
  auto answer = s.builder.gop(s.a, "P", s.challenge(s.a));
  SECTION("a flipped bit") {
    answer.flip_bit(0);
    s.video(answer);
    CHECK(s.rejected(RejectReason::bad_signature) == 1);
  }
  SECTION("another device with the key of A") {
    Actor insider;
    StreamBuilder forger(s.route, insider);
    s.video(forger.gop(s.a, "P", s.challenge(s.a)));
    CHECK(s.rejected(RejectReason::wrong_account) == 1);
  }
  CHECK(s.status().reason == Reason::none);
  s.video(s.builder.gop(s.a, "P", s.challenge(s.a)));
  CHECK(s.status().reason == Reason::cloned);  // control
}

TEST_CASE("a replaced epoch receives requests only after activity, and rarely") {
  Replaced s;
  const auto requested = s.requests_of(s.a);
  s.advance(20s);
  CHECK(s.requests_of(s.a) == requested);
  for (int i = 0; i < 100; ++i) {
    s.deliver(Leaf::video, s.held.messages[static_cast<std::size_t>(i) % 4]);
    s.advance(100ms);
  }
  CHECK(s.requests_of(s.a) >= requested + 4);
  CHECK(s.requests_of(s.a) <= requested + 6);
}

TEST_CASE("the number of stored replaced epochs is bounded") {
  watch::CloneDetector clones;
  const auto key = watch::EpochState{.epoch = {}, .key = {}, .camera_name = {}};
  for (std::uint64_t n = 1; n < 100; ++n) {
    auto epoch = key;
    epoch.epoch = Epoch(n);
    clones.on_replaced(epoch, Epoch(n + 1), watch::ChallengeSerial(n), watch::ChallengeSerial(n));
    CHECK(clones.size() <= watch::CloneDetector::max_replaced);
  }
  CHECK(clones.find(Epoch(97)) == nullptr);
  CHECK(clones.find(Epoch(98)) != nullptr);
  CHECK_FALSE(clones.proves(Epoch(99), watch::ChallengeSerial(98)));
  CHECK(clones.proves(Epoch(99), watch::ChallengeSerial(99)));
  CHECK(clones.proves(Epoch(98), watch::ChallengeSerial(99)));  // also the last but one
}

TEST_CASE("an epoch whose grants arrived after the challenge that its successor echoed proves nothing") {
  watch::CloneDetector clones;
  const watch::EpochState a{.epoch = Epoch(1), .key = {}, .camera_name = {}, .known_since = watch::ChallengeSerial(8)};
  clones.on_replaced(a, Epoch(2), watch::ChallengeSerial(7), watch::ChallengeSerial(9));
  CHECK_FALSE(clones.proves(Epoch(1), watch::ChallengeSerial(9)));
  clones.on_replaced(a, Epoch(2), watch::ChallengeSerial(8), watch::ChallengeSerial(9));
  CHECK(clones.proves(Epoch(1), watch::ChallengeSerial(9)));  // control
}
