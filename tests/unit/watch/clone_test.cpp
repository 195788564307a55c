// SPDX-License-Identifier: Apache-2.0
// P9 at a hub: two devices that live with one identity, and what must not be taken for it.
#include <catch2/catch_test_macros.hpp>

#include "hub_world.hpp"
#include "watch/clone_watch.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;
using watch::Reason;

namespace {

/// Epoch A was live, B is. Each side of a clone is a StreamBuilder with the camera's keys: a copied card.
struct Replaced : HubWorld {
  TestEpoch a = join(100);
  Stream held;  ///< frames of A that the broker kept
  TestEpoch b;

  Replaced() : b(replace()) {}
  TestEpoch replace() {
    video(builder.gop(a, "IPP", challenge(a)));
    held = builder.gop(a, "IPPP", challenge(a));
    auto next = join(200);
    video(builder.gop(next, "IP", challenge(next)));
    return next;
  }
  [[nodiscard]] std::size_t asks_of(const TestEpoch& epoch) const {
    const auto verifier = hub.verifier();
    return static_cast<std::size_t>(std::ranges::count_if(client.sent, [&](const auto& sent) {
      const auto ask = protocol::decode_ask(sent.payload, route, verifier);
      return ask && ask->epoch == epoch.epoch;
    }));
  }
  /// The device that has A sends something, is asked for it, and answers.
  void answer_in_a() {
    video(builder.gop(a, "P", challenge(a)));
    advance(watch::CameraWatch::replaced_interval);
    video(builder.gop(a, "P", challenge(a)));
  }
};

}  // namespace

TEST_CASE("A, B and A again, each echoing a later challenge: two devices, and neither is shown any more") {
  Replaced w;
  REQUIRE(w.status().state == CameraState::live);
  REQUIRE(w.sink.shown.size() == 5);
  const auto asked = w.asks_of(w.a);
  w.deliver(Leaf::video, w.held.messages[0]);
  CHECK(w.status().reason == Reason::none);  // old frames are no proof
  REQUIRE(w.asks_of(w.a) == asked + 1);      // but worth an ask
  w.video(w.builder.gop(w.a, "P", w.challenge(w.a)));
  CHECK(w.status().reason == Reason::cloned);
  CHECK(w.status().state == CameraState::offline);
  CHECK(w.sink.states.back().reason == Reason::cloned);
  CHECK(w.watcher->newest(w.camera.id()) == nullptr);
  CHECK(w.refused(Refusal::closed_epoch) == 2);

  w.advance(1s);
  const auto sent = w.client.sent.size();
  w.video(w.builder.gop(w.b, "I", w.challenge(w.b)));
  w.video(w.builder.gop(w.a, "I", w.challenge(w.a)));
  const auto third = w.builder.make_epoch(300);
  w.deliver(Leaf::grants, w.builder.grants(third, w.roster()));
  w.deliver(Leaf::status, w.builder.status(true));
  w.advance(10s);
  CHECK(w.sink.shown.size() == 5);
  CHECK(w.refused(Refusal::cloned) == 2);
  CHECK(w.status().counters.refused_control[Refusal::cloned] == 2);
  CHECK(w.client.sent.size() == sent);  // neither is asked for pictures
  CHECK(w.status().reason == Reason::cloned);

  SECTION("a new roster alone is no cure") {
    w.deliver_roster(w.roster(2));
    CHECK(w.status().reason == Reason::cloned);
    Actor other;
    w.deliver_roster(roster_of(w.camera, 3, {&other}));
    w.deliver_roster(w.roster(4));
    CHECK(w.status().reason == Reason::cloned);
  }
  SECTION("a hub that was restarted needs a new proof, and finds it") {
    w.restart();
    w.deliver_roster(w.roster());
    CHECK(w.status().reason == Reason::waiting);
    w.deliver(Leaf::grants, w.builder.grants(w.a, w.roster()));
    w.video(w.builder.gop(w.a, "I", w.challenge(w.a)));
    w.deliver(Leaf::grants, w.builder.grants(w.b, w.roster()));
    w.video(w.builder.gop(w.b, "I", w.challenge(w.b)));
    CHECK(w.status().reason == Reason::none);
    w.answer_in_a();
    CHECK(w.status().reason == Reason::cloned);
  }
}

TEST_CASE("the log says once an hour that a camera is cloned, however much the two send") {
  Replaced w;
  w.answer_in_a();
  REQUIRE(w.status().reason == Reason::cloned);
  const auto lines = [&] {
    return std::ranges::count_if(w.log.lines(), [](const auto& line) { return line.find("two devices") != line.npos; });
  };
  CHECK(lines() == 1);
  for (int i = 0; i < 100; ++i) w.video(w.builder.gop(w.b, "P"));
  CHECK(lines() == 1);
  w.clock.advance(1h);
  w.video(w.builder.gop(w.b, "P"));
  CHECK(lines() == 2);
}

TEST_CASE("a camera that was restarted is no clone, whatever of its old epoch comes late, again or in any order") {
  Replaced w;
  const auto grants = w.builder.grants(w.a, w.roster());
  for (int round = 0; round < 3; ++round) {
    for (const auto& message : w.held.messages) w.deliver(Leaf::video, message);
    w.deliver(Leaf::grants, grants);
    w.deliver(Leaf::status, w.builder.status(true));
    w.advance(3s);
    w.video(w.builder.gop(w.b, "I", w.challenge(w.b)));
    w.video(w.held.swap(0, 3));
  }
  CHECK(w.status().reason == Reason::none);
  CHECK(w.status().state == CameraState::live);
  CHECK(w.refused(Refusal::closed_epoch) == 24);
  CHECK(w.watcher->refused().total() == 24);

  SECTION("control: one frame of A that answers now is enough") {
    w.video(w.builder.gop(w.a, "P", w.challenge(w.a)));
    CHECK(w.status().reason == Reason::cloned);
  }
}

TEST_CASE("an echo that was asked for before B's first live frame proves nothing") {
  HubWorld w;
  auto a = w.join(100);
  w.video(w.builder.gop(a, "I", w.challenge(a)));
  auto b = w.join(200);
  w.advance(1s);
  // Asked for A while B was a candidate already; the camera answered, was restarted, and B answers what was asked then.
  const auto last = w.builder.gop(a, "P", w.challenge(a));
  w.video(w.builder.gop(b, "I", w.challenge(b)));
  REQUIRE(w.status().epoch == b.epoch);
  w.video(last);
  CHECK(w.status().reason == Reason::none);
  CHECK(w.refused(Refusal::closed_epoch) == 1);
  SECTION("control: of the next challenge it is") {
    w.advance(2s);
    w.video(w.builder.gop(a, "P", w.challenge(a)));
    CHECK(w.status().reason == Reason::cloned);
  }
}

TEST_CASE("many restarts and new epochs of one camera, each with late frames of the one before: no clone") {
  HubWorld w;
  auto before = w.join(1);
  w.video(w.builder.gop(before, "I", w.challenge(before)));
  for (std::uint64_t n = 2; n < 30; ++n) {
    w.advance(500ms);
    const auto late = w.builder.gop(before, "IP", w.challenge(before));
    auto epoch = w.join(n);
    w.video(w.builder.gop(epoch, "I", w.challenge(epoch)));
    w.video(late);
    w.advance(2s);
    w.video(late);
    w.video(w.builder.gop(epoch, "I", w.challenge(epoch)));
    CHECK(w.status().state == CameraState::live);
    before = std::move(epoch);
  }
  CHECK(w.status().reason != Reason::cloned);
}

TEST_CASE("who cannot sign as the camera proves no clone") {
  Replaced w;
  w.deliver(Leaf::video, w.held.messages[0]);
  auto answer = w.builder.gop(w.a, "P", w.challenge(w.a));
  SECTION("a flipped bit") {
    answer.flip_bit(0);
    w.video(answer);
    CHECK(w.refused(Refusal::bad_signature) == 1);
  }
  SECTION("another device, also one that holds A's key") {
    Actor insider;
    StreamBuilder forger(w.route, insider);
    w.video(forger.gop(w.a, "P", w.challenge(w.a)));
    CHECK(w.refused(Refusal::wrong_account) == 1);
  }
  CHECK(w.status().reason == Reason::none);
  w.video(w.builder.gop(w.a, "P", w.challenge(w.a)));
  CHECK(w.status().reason == Reason::cloned);  // control
}

TEST_CASE("a replaced epoch is asked only after a sign of life of it, and seldom") {
  Replaced w;
  const auto asked = w.asks_of(w.a);
  w.advance(20s);
  CHECK(w.asks_of(w.a) == asked);
  for (int i = 0; i < 100; ++i) {
    w.deliver(Leaf::video, w.held.messages[static_cast<std::size_t>(i) % 4]);
    w.advance(100ms);
  }
  CHECK(w.asks_of(w.a) >= asked + 4);
  CHECK(w.asks_of(w.a) <= asked + 6);
}

TEST_CASE("what is kept of replaced epochs is bounded") {
  watch::CloneWatch clones;
  const auto key = watch::EpochState{.epoch = {}, .key = {}, .camera_name = {}};
  for (std::uint64_t n = 1; n < 100; ++n) {
    auto epoch = key;
    epoch.epoch = Epoch(n);
    clones.on_replaced(epoch, Epoch(n + 1), watch::ChallengeSerial(n), watch::ChallengeSerial(n));
    CHECK(clones.size() <= watch::CloneWatch::max_replaced);
  }
  CHECK(clones.find(Epoch(97)) == nullptr);
  CHECK(clones.find(Epoch(98)) != nullptr);
  CHECK_FALSE(clones.proves(Epoch(99), watch::ChallengeSerial(98)));
  CHECK(clones.proves(Epoch(99), watch::ChallengeSerial(99)));
  CHECK(clones.proves(Epoch(98), watch::ChallengeSerial(99)));  // the one before the last, too
}

TEST_CASE("an epoch whose grants came after the challenge that its successor echoed proves nothing") {
  watch::CloneWatch clones;
  const watch::EpochState a{.epoch = Epoch(1), .key = {}, .camera_name = {}, .known_since = watch::ChallengeSerial(8)};
  clones.on_replaced(a, Epoch(2), watch::ChallengeSerial(7), watch::ChallengeSerial(9));
  CHECK_FALSE(clones.proves(Epoch(1), watch::ChallengeSerial(9)));
  clones.on_replaced(a, Epoch(2), watch::ChallengeSerial(8), watch::ChallengeSerial(9));
  CHECK(clones.proves(Epoch(1), watch::ChallengeSerial(9)));  // control
}
