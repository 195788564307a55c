// SPDX-License-Identifier: Apache-2.0
// A revocation never waits for storage.
#include <catch2/catch_test_macros.hpp>

#include "stream/publish/publisher.hpp"
#include "support/camera_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;

namespace {

/// `hub` and `second` watch. Then the disk is full.
struct FullDisk : CameraScene {
  FullDisk() {
    run();
    receive_request(hub);
    receive_request(second);
    capture("IPP");
    client.settle();
    stores.roster.broken = stores.epochs.broken = stores.privacy.broken = true;
    stores.commands.writes_left = 0;
  }
  void watch(const Actor& by, std::string_view letters) {
    clock.advance(1s);
    publisher.tick();
    client.settle();
    receive_request(by);
    capture(letters);
    client.settle();
  }
};

}  // namespace

TEST_CASE("a roster that cannot be stored takes effect at once, and a removed hub can open no later frame") {
  FullDisk s;
  const auto before = s.video_of(s.second).size();
  CHECK(before == 3);  // control
  s.receive_roster(s.roster(2, {&s.hub}));
  CHECK(s.rosters.current()->version == RosterVersion(2));
  CHECK_FALSE(s.publisher.stored());
  for (int n = 0; n < 12; ++n) {
    s.watch(s.hub, "IPP");
    s.watch(s.second, "P");
  }
  CHECK(s.video_of(s.second).size() == before);
  CHECK(s.video_of(s.hub).size() >= before + 36);
  CHECK(s.last_grants().roster_version == RosterVersion(2));
  CHECK(s.log.contains("cannot store the roster"));
}

TEST_CASE("once the roster is stored, a new epoch reports it") {
  FullDisk s;
  s.receive_roster(s.roster(2, {&s.hub}));
  s.client.settle();
  CHECK(s.epochs.not_stored());
  const auto epoch = s.epochs.current();
  s.stores.roster.broken = false;
  s.publisher.tick();
  CHECK(s.epochs.current() == epoch);  // before the end of the pause
  s.clock.advance(1s);
  s.publisher.tick();
  s.client.settle();
  CHECK(s.publisher.stored());
  CHECK_FALSE(s.epochs.not_stored());
  CHECK(s.epochs.current() != epoch);
  RosterValidator restarted(s.stores.roster, s.route, s.owner.verifier(), s.camera.keys());
  must(restarted.load());
  CHECK(restarted.current()->version == RosterVersion(2));
  const auto stored = s.epochs.current();
  for (int n = 0; n < 5; ++n) {
    s.clock.advance(10s);
    s.publisher.tick();
  }
  CHECK(s.epochs.current() == stored);
}

TEST_CASE(
    "if no epoch number is left and none can be reserved, a revocation ends the epoch, and no hub receives frames") {
  FullDisk s;
  const auto frames = s.client.sent;  // without the grants of the next 255 epochs, which the test does not open
  while (s.epochs.numbers_left() > 1) s.publisher.renew();
  s.client.settle();
  s.client.sent = frames;
  s.publisher.renew();
  s.client.settle();
  CHECK(s.epochs.numbers_left() == 0);
  s.watch(s.second, "IP");
  const auto before = s.video_of(s.second).size();
  CHECK(before == 5);  // control: the last epoch is open
  s.receive_roster(s.roster(2, {&s.hub}));
  s.client.settle();
  for (int n = 0; n < 5; ++n) {
    s.watch(s.hub, "IPP");
    s.watch(s.second, "IPP");
  }
  CHECK(s.video_of(s.second).size() == before);
  CHECK(s.video_of(s.hub).size() == before);
  CHECK(s.publisher.epoch_fault().contains("disk is full"));
  CHECK(s.log.contains("cannot begin an epoch"));
  s.stores.epochs.broken = false;
  s.clock.advance(60s);
  s.watch(s.hub, "IPP");
  CHECK(s.publisher.epoch_fault().empty());
  CHECK(s.video_of(s.hub).size() == before + 3);
  CHECK(s.video_of(s.second).size() == before);
}

TEST_CASE("a hub's privacy-on that cannot be stored closes the sensor and is reported, and is stored later") {
  FullDisk s;
  auto content = roster_of(s.camera, 2, {&s.hub, &s.second});
  content.hubs[0].may_switch_privacy = content.hubs[1].may_switch_privacy = true;
  s.stores.roster.broken = false;
  s.receive_roster(must(protocol::encode_roster(content, s.route, s.owner.keys().identity)));
  s.client.settle();
  s.receive_request(s.hub, protocol::RequestKind::privacy_on);
  CHECK(s.control.closed());
  s.publisher.tick();
  s.client.settle();
  CHECK(s.last_status().privacy);
  CHECK(s.epochs.not_stored());
  s.stores.privacy.broken = false;
  s.clock.advance(1s);
  s.publisher.tick();
  CHECK(s.stores.privacy.content);
  CHECK_FALSE(s.epochs.not_stored());
  CHECK(s.control.closed());
}
