// SPDX-License-Identifier: Apache-2.0
#include "stream/publisher.hpp"

#include <catch2/catch_test_macros.hpp>

#include "protocol/status.hpp"
#include "unit/stream/camera_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;
using protocol::FrameKind;
using protocol::Want;

TEST_CASE("a hub that asks gets a report and pictures it can open; a stranger gets noise") {
  CameraScene s;
  s.run();
  s.receive_ask(s.hub);
  CHECK(s.control.active());
  s.capture("IPP");
  s.client.settle();
  const auto seen = s.seen_by(s.hub);
  REQUIRE(seen.size() == 5);  // report, key frame, still of it, two deltas
  CHECK(seen[0].kind == FrameKind::report);
  CHECK(seen[0].header.echo == protocol::Challenge(1));
  const auto report = must(protocol::decode_report(seen[0].content));
  CHECK(report.roster_version == RosterVersion(1));
  CHECK(report.roster_hash == s.roster_keeper.hash());
  const auto video = s.video_of(s.hub);
  REQUIRE(video.size() == 3);
  CHECK(video[0].kind == FrameKind::key);
  CHECK(video[0].header.echo == protocol::Challenge(1));
  CHECK(video[0].header.width == 64);
  CHECK(video[2].content == Bytes(500, std::byte{2}));
  CHECK(video[2].header.number == FrameNumber(2));
  CHECK(s.seen_by(s.stranger).empty());
  CHECK(s.seen_by(s.second).size() == 5);  // control: on the roster, though it did not ask
  CHECK(s.counters_unique());
  const auto sent = s.client.on("/video");
  CHECK(sent.back()->qos == transport::Qos::at_most_once);
  CHECK_FALSE(sent.back()->retain);
  CHECK(sent.back()->expiry == 5s);
}

TEST_CASE("nothing is encoded or sent while nobody asks") {
  CameraScene s;
  s.run();
  CHECK_FALSE(s.control.active());
  s.capture("IPP");
  CHECK(s.client.on("/video").empty());
  s.receive_ask(s.hub);
  CHECK(s.queue.size() == 0);  // what lay there from before is not sent
  CHECK(s.queue.take_keyframe_request());
  s.capture("I");
  CHECK(s.video_of(s.hub).size() == 1);
  s.clock.advance(10s);
  s.publisher.tick();
  CHECK_FALSE(s.control.active());
}

TEST_CASE("no frame leaves before the broker confirmed the grants") {
  CameraScene s;
  must(s.publisher.start());
  s.connect();
  s.receive_ask(s.hub);  // the broker may hand the grants on before it confirms them
  s.capture("IPP");
  CHECK(s.client.on("/video").empty());
  CHECK_FALSE(s.control.active());
  REQUIRE(s.client.answer("/grants", fail(Errc::permission, "not authorized")));
  s.capture("IPP");
  CHECK(s.client.on("/video").empty());
  CHECK(s.publisher.counters().grants_failed == 1);
  CHECK(s.client.on("/grants").size() == 1);  // not at once again
  s.clock.advance(600ms);
  s.publisher.tick();
  REQUIRE(s.client.on("/grants").size() == 2);
  CHECK(s.client.on("/grants")[0]->payload == s.client.on("/grants")[1]->payload);
  CHECK(s.client.on("/grants")[0]->retain);
  CHECK(s.client.on("/grants")[0]->qos == transport::Qos::at_least_once);
  s.client.settle();  // control: with the confirmation they flow
  CHECK(s.control.active());
  s.capture("IPP");
  CHECK(s.video_of(s.hub).size() == 3);
}

TEST_CASE("a removed hub opens nothing that was sealed after the roster came") {
  CameraScene s;
  s.run();
  s.receive_ask(s.hub);
  s.receive_ask(s.second);
  s.capture("IPP");
  s.client.settle();
  const auto before = s.video_of(s.second).size();
  CHECK(before == 3);
  s.capture("PPPPPP");  // two of these wait in the queue: four publishes are under way
  CHECK(s.queue.size() == 2);
  s.receive_roster(s.roster(2, {&s.hub}));
  CHECK(s.roster_keeper.current()->version == RosterVersion(2));
  CHECK_FALSE(s.control.active());
  CHECK(s.queue.size() == 0);
  s.client.settle();
  s.receive_ask(s.second);
  CHECK_FALSE(s.control.active());
  s.clock.advance(1s);
  s.receive_ask(s.hub);
  s.capture("IPP");
  s.client.settle();
  const auto for_removed = s.video_of(s.second);
  const auto for_hub = s.video_of(s.hub);
  CHECK(for_removed.size() == 7);  // three, and the four that were under way
  CHECK(for_hub.size() == 10);     // control
  CHECK(for_hub.back().epoch != for_removed.back().epoch);
  CHECK(for_hub.back().counter < for_removed.back().counter);
  CHECK(s.counters_unique());
}

TEST_CASE("a late confirmation of the old grants opens nothing") {
  CameraScene s;
  must(s.publisher.start());
  s.connect();
  s.receive_roster(s.roster(2, {&s.hub}));
  REQUIRE(s.client.answer("/grants"));  // of the first epoch
  CHECK_FALSE(s.epochs.is_open());
  REQUIRE(s.client.answer("/grants"));
  CHECK(s.epochs.is_open());
}

TEST_CASE("bad rosters change nothing") {
  CameraScene s;
  s.run();
  const auto epoch = s.epochs.current();
  s.receive_roster({});
  s.receive_roster(
      must(protocol::encode_roster(roster_of(s.camera, 5, {&s.stranger}), s.route, s.stranger.keys().identity)));
  s.receive_roster(s.roster(1, {&s.stranger}));
  CHECK(s.publisher.counters().rosters_refused == 2);
  CHECK(s.epochs.current() == epoch);
  CHECK(s.epochs.is_open());
  s.clock.advance(2s);
  s.receive_roster(s.roster(2, {&s.stranger}));  // control
  CHECK(s.epochs.current() != epoch);
}

TEST_CASE("a roster that cannot be stored is not obeyed") {
  CameraScene s;
  s.run();
  const auto epoch = s.epochs.current();
  s.roster_store.broken = true;
  s.receive_roster(s.roster(2, {&s.hub}));
  CHECK(s.epochs.current() == epoch);
  CHECK(s.roster_keeper.current()->version == RosterVersion(1));
}

TEST_CASE("a flood of rosters costs four signatures a second") {
  CameraScene s;
  s.run();
  const Bytes forged =
      must(protocol::encode_roster(roster_of(s.camera, 5, {&s.stranger}), s.route, s.stranger.keys().identity));
  for (int n = 0; n < 1000; ++n) s.receive_roster(forged);
  CHECK(s.publisher.counters().rosters_refused == 1000);
  s.receive_roster(s.roster(2, {&s.hub}));
  CHECK(s.roster_keeper.current()->version == RosterVersion(1));
  s.clock.advance(1s);
  s.receive_roster(s.roster(2, {&s.hub}));
  CHECK(s.roster_keeper.current()->version == RosterVersion(2));
}

TEST_CASE("a camera without a roster waits for one") {
  CameraScene s(false);
  s.run();
  CHECK(s.client.on("/grants").empty());
  CHECK_FALSE(s.epochs.current());
  s.publisher.tick();
  s.receive_roster(s.roster(1, {&s.hub}));
  s.client.settle();
  s.receive_ask(s.hub);
  s.capture("IP");
  CHECK(s.video_of(s.hub).size() == 2);
}

TEST_CASE("when the epoch's number cannot be stored no frame leaves, and it is tried again") {
  CameraScene s;
  s.run();
  s.receive_ask(s.hub);
  s.capture("IP");
  s.client.settle();
  s.epoch_store.broken = true;
  s.receive_roster(s.roster(2, {&s.hub}));
  s.client.settle();
  s.receive_ask(s.hub);
  s.capture("IPP");
  CHECK(s.video_of(s.hub).size() == 2);
  CHECK(s.log.contains("no epoch can begin"));
  s.epoch_store.broken = false;
  s.clock.advance(2s);
  s.publisher.tick();
  s.client.settle();
  s.receive_ask(s.hub);
  s.capture("IPP");
  s.client.settle();
  CHECK(s.video_of(s.hub).size() == 5);
}

TEST_CASE("at most four frames are under way") {
  CameraScene s;
  s.run();
  s.receive_ask(s.hub);
  s.client.settle();
  s.capture("IPPPPPPP");
  CHECK(s.client.waiting.size() == 4);
  CHECK(s.queue.size() == 5);  // the still took one of the four
  s.client.answer();
  CHECK(s.client.waiting.size() == 4);
  CHECK(s.queue.size() == 4);
  s.client.settle();
  CHECK(s.video_of(s.hub).size() == 8);
}

TEST_CASE("a lost frame ends its group") {
  CameraScene s;
  s.run();
  s.receive_ask(s.hub);
  s.client.settle();
  s.capture("IPPPPPPP");
  s.client.answer(fail(Errc::connection, "lost"));
  CHECK(s.queue.size() == 0);
  s.client.settle();
  const auto count = s.video_of(s.hub).size();
  s.capture("PP");
  CHECK(s.video_of(s.hub).size() == count);
  CHECK(s.queue.take_keyframe_request());
  s.capture("I");
  CHECK(s.video_of(s.hub).size() == count + 1);
}

TEST_CASE("a lost connection stops the pictures, and they go on with a key frame") {
  CameraScene s;
  s.run();
  s.receive_ask(s.hub);
  s.capture("IP");
  s.client.settle();
  s.client.is_connected = false;
  s.publisher.on_disconnected({Errc::connection, 0, "lost"});
  CHECK_FALSE(s.control.active());
  s.capture("PPI");
  s.connect();
  CHECK(s.client.on("/grants").size() == 2);  // the broker may have forgotten them
  CHECK(s.client.on("/status").size() == 2);
  CHECK(s.client.filters.size() == 3);  // renewed by the client itself
  CHECK(s.control.active());
  CHECK(s.queue.size() == 0);
  s.capture("PPIP");
  s.client.settle();
  const auto video = s.video_of(s.hub);
  REQUIRE(video.size() == 4);
  CHECK(video[2].kind == FrameKind::key);
  CHECK(s.counters_unique());
}

TEST_CASE("a still is kept at the broker at most every ten seconds") {
  CameraScene s;
  s.run();
  s.receive_ask(s.second, Want::still);
  CHECK(s.control.active());
  s.capture("IPPI");
  s.client.settle();
  CHECK(s.video_of(s.hub).empty());  // nobody asked for live
  REQUIRE(s.client.on("/still").size() == 1);
  CHECK(s.client.on("/still")[0]->retain);
  CHECK(s.client.on("/still")[0]->expiry == 1h);
  s.publisher.tick();
  CHECK_FALSE(s.control.active());
  s.clock.advance(1s);
  s.receive_ask(s.second, Want::still);
  CHECK_FALSE(s.control.active());  // too early, so nothing is encoded yet
  s.clock.advance(9s);
  s.publisher.tick();
  CHECK(s.control.active());
  s.capture("IPI");
  CHECK(s.client.on("/still").size() == 2);
  const auto seen = s.seen_by(s.hub);
  CHECK(seen.back().kind == FrameKind::still);
  CHECK(seen.back().header.echo == protocol::Challenge(2));
}

TEST_CASE("a new epoch has its own still") {
  CameraScene s;
  s.run();
  s.receive_ask(s.hub);
  s.capture("I");
  s.client.settle();
  s.clock.advance(1s);
  s.receive_roster(s.roster(2, {&s.hub}));
  s.client.settle();
  s.receive_ask(s.hub);
  s.capture("I");
  CHECK(s.client.on("/still").size() == 2);
}

TEST_CASE("each hub's first ask in an epoch is answered with a report of its challenge") {
  CameraScene s;
  must(s.publisher.start());
  s.connect();
  s.receive_ask(s.hub);
  s.receive_ask(s.second);
  CHECK(s.client.on("/video").empty());  // the epoch is not open yet
  s.client.settle();
  s.clock.advance(1s);
  s.receive_ask(s.hub);
  s.client.settle();
  const auto seen = s.seen_by(s.hub);
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].header.echo == protocol::Challenge(1));
  CHECK(seen[1].header.echo == protocol::Challenge(2));
  CHECK(seen[1].header.codec == protocol::Codec::none);
}

TEST_CASE("the epoch ends after a day") {
  CameraScene s;
  s.run();
  const auto first = s.epochs.current();
  s.clock.advance(24h);
  s.publisher.tick();
  CHECK(s.epochs.current() != first);
  CHECK_FALSE(s.epochs.is_open());
  s.client.settle();
  CHECK(s.epochs.is_open());
}

TEST_CASE("the age in a frame is the time from the sensor to the seal") {
  CameraScene s;
  s.run();
  s.receive_ask(s.hub);
  s.client.settle();
  s.capture("IPPP");  // the last one waits
  s.clock.advance(700ms);
  s.clock.set_wall(CaptureTime{0s});  // must not matter
  s.client.settle();
  const auto video = s.video_of(s.hub);
  CHECK(video[0].header.age == 0ms);
  CHECK(video[3].header.age == 700ms);
}

TEST_CASE("status: online after each connection, offline at the end and in the will") {
  CameraScene s;
  const auto will = must(s.publisher.will());
  const auto at_break = must(protocol::decode_status(will.payload, s.route, s.camera.verifier()));
  CHECK_FALSE(at_break.online);
  s.run();
  const auto online =
      must(protocol::decode_status(s.client.on("/status").back()->payload, s.route, s.camera.verifier()));
  CHECK(online.online);
  CHECK(online.started == at_break.started);
  s.receive_ask(s.hub);
  s.publisher.stop();
  CHECK_FALSE(s.publisher.stopped());
  s.capture("IPP");
  CHECK(s.video_of(s.hub).empty());
  s.client.settle();
  CHECK(s.publisher.stopped());
  CHECK_FALSE(
      must(protocol::decode_status(s.client.on("/status").back()->payload, s.route, s.camera.verifier())).online);
  CHECK(s.client.on("/status").back()->topic == will.topic);
}

TEST_CASE("messages of other cameras and other topics are passed over") {
  CameraScene s;
  s.run();
  const Actor other;
  s.receive(protocol::topic(route_of(s.owner, other), protocol::Leaf::roster), s.roster(2, {}));
  s.receive(protocol::topic(s.route, protocol::Leaf::grants), s.epochs.grants());
  s.receive("nonsense", {});
  CHECK(s.publisher.counters().foreign == 3);
  CHECK(s.roster_keeper.current()->version == RosterVersion(1));
}

TEST_CASE("a bad network lowers the quality") {
  CameraScene s;
  s.run();
  s.receive_ask(s.hub);
  s.client.unsent = 1'000'000;
  for (int n = 0; n < 20; ++n) {
    s.clock.advance(100ms);
    s.publisher.tick();
  }
  CHECK(s.control.quality().bitrate < BitsPerSecond(2'000'000));
}
