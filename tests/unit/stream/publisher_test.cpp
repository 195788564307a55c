// SPDX-License-Identifier: Apache-2.0
#include "stream/publish/publisher.hpp"

#include <catch2/catch_test_macros.hpp>

#include "protocol/status.hpp"
#include "support/camera_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;
using protocol::FrameKind;
using protocol::RequestKind;

TEST_CASE("a hub that sends a request receives a report and pictures that it can open, and a stranger can open none") {
  CameraScene s;
  s.run();
  s.receive_request(s.hub);
  CHECK(s.control.active());
  s.capture("IPP");
  s.client.settle();
  const auto seen = s.seen_by(s.hub);
  REQUIRE(seen.size() == 5);  // report, key frame, still of it, two deltas
  CHECK(seen[0].kind == FrameKind::report);
  CHECK(seen[0].header.echoes == protocol::Challenge(1));
  const auto report = must(protocol::decode_report(seen[0].content));
  CHECK(report.roster_version == RosterVersion(1));
  CHECK(report.roster_hash == s.rosters.hash());
  const auto video = s.video_of(s.hub);
  REQUIRE(video.size() == 3);
  CHECK(video[0].kind == FrameKind::key);
  CHECK(video[0].header.echoes == protocol::Challenge(1));
  CHECK(video[0].header.width == 64);
  CHECK(video[2].content == Bytes(500, std::byte{2}));
  CHECK(video[2].header.number == FrameNumber(2));
  CHECK(s.seen_by(s.stranger).empty());
  CHECK(s.seen_by(s.second).size() == 5);  // control: on the roster, but without a request
  CHECK(s.counters_unique());
  const auto sent = s.client.on("/video");
  CHECK(sent.back()->qos == transport::Qos::at_most_once);
  CHECK_FALSE(sent.back()->retain);
  CHECK(sent.back()->expiry == 5s);
}

TEST_CASE("the header of a picture shows whether the camera detected motion") {
  CameraScene s;
  s.run();
  s.receive_request(s.hub);
  s.capture("I");
  s.motion = true;
  s.capture("PI");
  s.motion = false;
  s.capture("P");
  s.client.settle();
  std::string motion;
  for (const auto& frame : s.video_of(s.hub)) motion += frame.header.motion ? '1' : '0';
  CHECK(motion == "0110");
}

TEST_CASE("a picture that was encoded before the newest privacy masks is not sent") {
  CameraScene s;
  s.run();
  s.receive_request(s.hub);
  s.capture("I");
  s.client.settle();
  REQUIRE(s.video_of(s.hub).size() == 1);  // control
  s.control.set_areas({.masks = FewAreas(PictureAreas{{0, 0, 100, 100}})});
  s.capture("PPI");
  s.areas = s.control.areas_version();
  s.capture("PPIP");
  s.client.settle();
  const auto video = s.video_of(s.hub);
  REQUIRE(video.size() == 3);  // the deltas before the key frame cannot be decoded
  CHECK(video[1].kind == FrameKind::key);
}

TEST_CASE("the camera encodes and sends no pictures without a request") {
  CameraScene s;
  s.run();
  CHECK_FALSE(s.control.active());
  s.capture("IPP");
  CHECK(s.client.on("/video").empty());
  s.receive_request(s.hub);
  CHECK(s.queue.size() == 0);  // earlier units are not sent
  CHECK(s.queue.take_keyframe_request());
  s.capture("I");
  CHECK(s.video_of(s.hub).size() == 1);
  s.clock.advance(10s);
  s.publisher.tick();
  CHECK_FALSE(s.control.active());
}

TEST_CASE("the camera sends no frame before the broker confirms the grants") {
  CameraScene s;
  must(s.publisher.start());
  s.connect();
  s.receive_request(s.hub);  // a broker may deliver the grants before it confirms them
  s.capture("IPP");
  CHECK(s.client.on("/video").empty());
  CHECK_FALSE(s.control.active());
  REQUIRE(s.client.answer("/grants", fail(Errc::permission, "not authorized")));
  s.capture("IPP");
  CHECK(s.client.on("/video").empty());
  CHECK(s.publisher.counters().grants_failed == 1);
  CHECK(s.client.on("/grants").size() == 1);  // not sent again at once
  s.clock.advance(600ms);
  s.publisher.tick();
  REQUIRE(s.client.on("/grants").size() == 2);
  CHECK(s.client.on("/grants")[0]->payload == s.client.on("/grants")[1]->payload);
  CHECK(s.client.on("/grants")[0]->retain);
  CHECK(s.client.on("/grants")[0]->qos == transport::Qos::at_least_once);
  s.client.settle();  // control: after the confirmation the camera sends frames
  CHECK(s.control.active());
  s.capture("IPP");
  CHECK(s.video_of(s.hub).size() == 3);
}

TEST_CASE("a removed hub can open no frame that was sealed after the new roster arrived") {
  CameraScene s;
  s.run();
  s.receive_request(s.hub);
  s.receive_request(s.second);
  s.capture("IPP");
  s.client.settle();
  const auto before = s.video_of(s.second).size();
  CHECK(before == 3);
  s.capture("PPPPPP");  // two of these wait in the queue, because four publishes are in flight
  CHECK(s.queue.size() == 2);
  s.receive_roster(s.roster(2, {&s.hub}));
  CHECK(s.rosters.current()->version == RosterVersion(2));
  CHECK_FALSE(s.control.active());
  CHECK(s.queue.size() == 0);
  s.client.settle();
  s.receive_request(s.second);
  CHECK_FALSE(s.control.active());
  s.clock.advance(1s);
  s.receive_request(s.hub);
  s.capture("IPP");
  s.client.settle();
  const auto for_removed = s.video_of(s.second);
  const auto for_hub = s.video_of(s.hub);
  CHECK(for_removed.size() == 7);  // three, and the four that were in flight
  CHECK(for_hub.size() == 10);     // control
  CHECK(for_hub.back().epoch != for_removed.back().epoch);
  CHECK(for_hub.back().counter < for_removed.back().counter);
  CHECK(s.counters_unique());
}

TEST_CASE("a late confirmation of the old grants does not open the new epoch") {
  CameraScene s;
  must(s.publisher.start());
  s.connect();
  s.receive_roster(s.roster(2, {&s.hub}));
  REQUIRE(s.client.answer("/grants"));  // of the first epoch
  CHECK_FALSE(s.epochs.is_open());
  REQUIRE(s.client.answer("/grants"));
  CHECK(s.epochs.is_open());
}

TEST_CASE("rejected rosters change nothing") {
  CameraScene s;
  s.run();
  const auto epoch = s.epochs.current();
  s.receive_roster({});
  s.receive_roster(
      must(protocol::encode_roster(roster_of(s.camera, 5, {&s.stranger}), s.route, s.stranger.keys().identity)));
  s.receive_roster(s.roster(1, {&s.stranger}));
  CHECK(s.publisher.counters().rosters_rejected == 2);
  CHECK(s.epochs.current() == epoch);
  CHECK(s.epochs.is_open());
  s.clock.advance(2s);
  s.receive_roster(s.roster(2, {&s.stranger}));  // control
  CHECK(s.epochs.current() != epoch);
}

TEST_CASE("the camera checks at most four rosters a second") {
  CameraScene s;
  s.run();
  const Bytes forged =
      must(protocol::encode_roster(roster_of(s.camera, 5, {&s.stranger}), s.route, s.stranger.keys().identity));
  for (int n = 0; n < 1000; ++n) s.receive_roster(forged);
  CHECK(s.publisher.counters().rosters_rejected == 1000);
  s.receive_roster(s.roster(2, {&s.hub}));
  CHECK(s.rosters.current()->version == RosterVersion(1));
  s.clock.advance(1s);
  s.receive_roster(s.roster(2, {&s.hub}));
  CHECK(s.rosters.current()->version == RosterVersion(2));
}

TEST_CASE("a camera without a roster waits for the first one") {
  CameraScene s(false);
  s.run();
  CHECK(s.client.on("/grants").empty());
  CHECK_FALSE(s.epochs.current());
  s.publisher.tick();
  s.receive_roster(s.roster(1, {&s.hub}));
  s.client.settle();
  s.receive_request(s.hub);
  s.capture("IP");
  CHECK(s.video_of(s.hub).size() == 2);
}

TEST_CASE("at most four frames are in flight") {
  CameraScene s;
  s.run();
  s.receive_request(s.hub);
  s.client.settle();
  s.capture("IPPPPPPP");
  CHECK(s.client.waiting.size() == 4);
  CHECK(s.queue.size() == 5);  // the still is one of the four
  s.client.answer();
  CHECK(s.client.waiting.size() == 4);
  CHECK(s.queue.size() == 4);
  s.client.settle();
  CHECK(s.video_of(s.hub).size() == 8);
}

TEST_CASE("a lost frame ends its group of pictures") {
  CameraScene s;
  s.run();
  s.receive_request(s.hub);
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

TEST_CASE("pictures stop with the connection and continue with a key frame") {
  CameraScene s;
  s.run();
  s.receive_request(s.hub);
  s.capture("IP");
  s.client.settle();
  s.client.is_connected = false;
  s.publisher.on_disconnected({Errc::connection, 0, "lost"});
  CHECK_FALSE(s.control.active());
  s.capture("PPI");
  s.connect();
  CHECK(s.client.on("/grants").size() == 2);  // the broker may have lost them
  CHECK(s.client.on("/status").size() == 2);
  CHECK(s.client.filters.size() == 4);  // the client renews its subscriptions
  CHECK(s.control.active());
  CHECK(s.queue.size() == 0);
  s.capture("PPIP");
  s.client.settle();
  const auto video = s.video_of(s.hub);
  REQUIRE(video.size() == 4);
  CHECK(video[2].kind == FrameKind::key);
  CHECK(s.counters_unique());
}

TEST_CASE("the camera publishes at most one still in ten seconds") {
  CameraScene s;
  s.run();
  s.receive_request(s.second, RequestKind::still);
  CHECK(s.control.active());
  s.capture("IPPI");
  s.client.settle();
  CHECK(s.video_of(s.hub).empty());  // no hub requested live pictures
  REQUIRE(s.client.on("/still").size() == 1);
  CHECK(s.client.on("/still")[0]->retain);
  CHECK(s.client.on("/still")[0]->expiry == 1h);
  s.publisher.tick();
  CHECK_FALSE(s.control.active());
  s.clock.advance(1s);
  s.receive_request(s.second, RequestKind::still);
  CHECK_FALSE(s.control.active());  // too early, so no picture is encoded
  s.clock.advance(9s);
  s.publisher.tick();
  CHECK(s.control.active());
  s.capture("IPI");
  CHECK(s.client.on("/still").size() == 2);
  const auto seen = s.seen_by(s.hub);
  CHECK(seen.back().kind == FrameKind::still);
  CHECK(seen.back().header.echoes == protocol::Challenge(2));
}

TEST_CASE("a new epoch has a new still") {
  CameraScene s;
  s.run();
  s.receive_request(s.hub);
  s.capture("I");
  s.client.settle();
  s.clock.advance(1s);
  s.receive_roster(s.roster(2, {&s.hub}));
  s.client.settle();
  s.receive_request(s.hub);
  s.capture("I");
  CHECK(s.client.on("/still").size() == 2);
}

TEST_CASE("the camera answers each hub's first request of an epoch with a report that echoes its challenge") {
  CameraScene s;
  must(s.publisher.start());
  s.connect();
  s.receive_request(s.hub);
  s.receive_request(s.second);
  CHECK(s.client.on("/video").empty());  // the epoch is not open yet
  s.client.settle();
  s.clock.advance(1s);
  s.receive_request(s.hub);
  s.client.settle();
  const auto seen = s.seen_by(s.hub);
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].header.echoes == protocol::Challenge(1));
  CHECK(seen[1].header.echoes == protocol::Challenge(2));
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

TEST_CASE("the age in a frame header is the time from capture to sealing") {
  CameraScene s;
  s.run();
  s.receive_request(s.hub);
  s.client.settle();
  s.capture("IPPP");  // the last one waits
  s.clock.advance(700ms);
  s.clock.set_wall(CaptureTime{0s});  // must have no effect
  s.client.settle();
  const auto video = s.video_of(s.hub);
  CHECK(video[0].header.age == 0ms);
  CHECK(video[3].header.age == 700ms);
}

TEST_CASE("the status is online after each connection, and offline after a stop and in the will") {
  CameraScene s;
  const auto will = must(s.publisher.will());
  const auto at_break = must(protocol::decode_status(will.payload, s.route, s.camera.verifier()));
  CHECK_FALSE(at_break.online);
  s.run();
  const auto online = s.last_status();
  CHECK(online.online);
  CHECK(online.started == at_break.started);
  s.receive_request(s.hub);
  s.publisher.stop();
  CHECK_FALSE(s.publisher.stopped());
  s.capture("IPP");
  CHECK(s.video_of(s.hub).empty());
  s.client.settle();
  CHECK(s.publisher.stopped());
  CHECK_FALSE(s.last_status().online);
  CHECK(s.client.on("/status").back()->topic == will.topic);
}

TEST_CASE("the status has the fault of the capture thread, and is published at each change, at most once a second") {
  CameraScene s;
  s.run();
  CHECK_FALSE(s.last_status().fault);
  const auto published = [&](std::optional<protocol::CameraFault> fault) {
    const auto before = s.client.on("/status").size();
    s.control.set_fault(fault);
    for (int n = 0; n < 20; ++n) {
      s.clock.advance(50ms);
      s.publisher.tick();
    }
    return s.client.on("/status").size() - before;
  };
  CHECK(published(protocol::CameraFault::pictures) == 1);
  CHECK(s.last_status().fault == protocol::CameraFault::pictures);
  CHECK(published(protocol::CameraFault::pictures) == 0);
  CHECK(published(std::nullopt) == 1);
  CHECK_FALSE(s.last_status().fault);
  s.control.set_fault(protocol::CameraFault::sensor);
  s.publisher.stop();
  CHECK_FALSE(s.last_status().fault);  // offline
}

TEST_CASE("messages of other cameras and other topics are ignored and counted") {
  CameraScene s;
  s.run();
  const Actor other;
  s.receive(protocol::topic(route_of(s.owner, other), protocol::Leaf::roster), s.roster(2, {}));
  s.receive(protocol::topic(s.route, protocol::Leaf::grants), s.epochs.grants());
  s.receive("nonsense", {});
  CHECK(s.publisher.counters().unexpected_topics == 3);
  CHECK(s.rosters.current()->version == RosterVersion(1));
}
