// SPDX-License-Identifier: Apache-2.0
#include "stream/publish/command_executor.hpp"

#include <catch2/catch_test_macros.hpp>

#include "base/file.hpp"
#include "device/file_stores.hpp"
#include "support/camera_scene.hpp"
#include "support/temporary_folder.hpp"
#include "unit/stream/capture_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;

TEST_CASE("privacy closes sensor, encoder and light, and the sensor stays closed") {
  CaptureScene s;
  hal::testing::FakeBoard light;
  CaptureLoop loop({s.factory, s.queue, s.challenges, s.control, s.clock, s.log, light}, [] {});
  s.control.set_active(true);
  for (int i = 0; i < 3; ++i) (void)loop.step();
  CHECK(s.factory.sources == 1);  // control
  CHECK(s.factory.encoders == 1);
  CHECK(s.control.source_open());
  const auto captured = loop.counters().captured.load();
  s.control.set_closed(true);
  CHECK(s.control.source_open());  // until the capture thread has closed it
  for (int i = 0; i < 10; ++i) {
    CHECK(loop.step() > 0ns);  // the loop waits
    s.clock.advance(10s);
  }
  CHECK(s.factory.sources == 0);
  CHECK_FALSE(s.control.source_open());
  CHECK(s.factory.encoders == 0);
  CHECK(light.history == "+-");
  CHECK(loop.counters().captured == captured);
  CHECK(loop.counters().source_opened == 1);
  s.control.set_closed(false);
  (void)loop.step();
  CHECK(s.factory.sources == 1);
  CHECK(light.history == "+-+");
}

TEST_CASE("a picture that arrives after the sensor was closed is dropped") {
  CaptureScene s;
  s.control.set_active(true);
  s.steps(1);
  s.factory.before_next = [&] { s.control.set_closed(true); };
  const auto encoded = s.loop.counters().encoded.load();
  const auto captured = s.loop.counters().captured.load();
  s.steps(1);
  CHECK(s.loop.counters().encoded == encoded);
  CHECK(s.loop.counters().captured == captured);
}

TEST_CASE("the sensor is never opened if privacy is on from the start") {
  CaptureScene s;
  MemoryPrivacyStore store;
  store.content = true;
  Privacy privacy(store, s.control);
  must(privacy.load());
  s.control.set_active(true);
  s.steps(5);
  CHECK(s.loop.counters().source_opened == 0);
  CHECK(s.factory.sources == 0);
}

TEST_CASE("after a failure the sensor is closed rather than open") {
  CaptureControl control{Quality{}};
  MemoryPrivacyStore store;
  store.broken = true;
  Privacy privacy(store, control);
  CHECK_FALSE(privacy.load());
  CHECK(control.closed());
  store.broken = false;
  must(privacy.load());
  CHECK_FALSE(control.closed());
  store.broken = true;
  CHECK_FALSE(privacy.set(true));
  CHECK(control.closed());
  CHECK(privacy.on());
  CHECK_FALSE(privacy.set(false));
  CHECK(control.closed());
  store.broken = false;
  must(privacy.set(false));
  CHECK_FALSE(control.closed());
}

TEST_CASE("the privacy file contains on or off, and other content is an error") {
  const TemporaryFolder folder;
  device::PrivacyFile file(folder.path() / "privacy");
  CHECK_FALSE(must(file.load()));
  must(file.store(true));
  CHECK(must(file.load()));
  must(file.store(false));
  CHECK_FALSE(must(file.load()));
  for (const char* content : {"", "on", "of\n", "on\non\n", "a file that is much too long\n"}) {
    must(write_file_durably(folder.path() / "privacy", as_bytes(content)));
    const auto read = file.load();
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::malformed);
    CHECK(std::string_view(read.error().what).contains("privacy"));
  }
}

TEST_CASE("the sensor counts as open while it is opened and closed, and not after it failed to open") {
  CaptureScene s;
  std::string open;
  s.factory.on_open = [&] { open += s.control.source_open() ? '+' : '-'; };
  s.factory.on_close = s.factory.on_open;
  s.factory.open_fails = 1;
  s.steps(1);
  CHECK_FALSE(s.control.source_open());
  s.clock.advance(1s);
  s.steps(1);
  s.control.set_closed(true);
  s.steps(1);
  CHECK(open == "+++");
  CHECK_FALSE(s.control.source_open());
}

TEST_CASE("a sensor that is about to be opened stays closed if privacy is switched on meanwhile") {
  CaptureScene s;
  s.steps(1);
  s.factory.on_close = [&] { s.control.set_closed(true); };
  s.control.request_reopen();
  s.steps(1);
  CHECK(s.loop.counters().source_opened == 1);
  CHECK_FALSE(s.control.source_open());
}

TEST_CASE("a request to reopen opens the sensor again once") {
  CaptureScene s;
  s.control.set_active(true);
  s.steps(2);
  s.control.request_reopen();
  s.steps(3);
  CHECK(s.loop.counters().source_opened == 2);
  CHECK(s.factory.sources == 1);
  s.control.set_closed(true);
  s.steps(1);
  s.control.request_reopen();
  s.control.set_closed(false);
  s.steps(3);
  CHECK(s.loop.counters().source_opened == 3);  // the first opening fulfilled the request
}

namespace {

struct PrivacyScene : CameraScene {
  explicit PrivacyScene() {
    auto content = roster_of(camera, 1, {&hub, &second});
    content.hubs[0].may_switch_privacy = true;
    stores.roster.content = must(protocol::encode_roster(content, route, owner.keys().identity));
    run();
  }
};

}  // namespace

TEST_CASE("a permitted hub closes the sensor: the camera seals no more pictures, and its status reports it") {
  PrivacyScene s;
  s.receive_request(s.hub);
  s.capture("IPP");
  s.client.settle();
  CHECK(s.video_of(s.hub).size() == 3);  // control
  CHECK_FALSE(s.last_status().privacy);
  s.receive_request(s.hub, protocol::RequestKind::privacy_on);
  s.client.settle();
  CHECK(s.control.closed());
  CHECK_FALSE(s.control.active());
  CHECK(s.stores.privacy.content);
  CHECK(s.last_status().privacy);
  CHECK(s.last_status().online);
  const auto sealed = s.publisher.counters().published;
  const auto stills = s.publisher.counters().stills;
  // The last pictures of the capture thread arrive late, and the hub sends more requests.
  for (int i = 0; i < 3; ++i) {
    s.clock.advance(1s);
    s.receive_request(s.hub);
    s.capture("IPP");
    s.publisher.tick();
    s.client.settle();
  }
  CHECK(s.publisher.counters().published == sealed);
  CHECK(s.publisher.counters().stills == stills);
  CHECK(s.publisher.counters().epochs == 1);  // the epoch continues
  s.clock.advance(1s);
  s.receive_privacy_off(s.hub);
  s.client.settle();
  CHECK_FALSE(s.control.closed());
  CHECK_FALSE(s.last_status().privacy);
  const auto before = s.video_of(s.hub).size();
  CHECK(before == 3);  // no unit from the queue
  s.receive_request(s.hub);
  s.capture("IP");
  s.client.settle();
  CHECK(s.video_of(s.hub).size() == before + 2);
}

TEST_CASE("status, reports and grants have privacy from the moment on at which the sensor is closed") {
  PrivacyScene s;
  const auto statuses = [&] { return s.client.on("/status").size(); };
  const auto before = statuses();
  REQUIRE(s.control.begin_source());
  // The owner's command.
  protocol::Command command;
  command.seq = CommandSeq(3);
  command.privacy = {CommandSeq(3), true};
  s.receive_command(s.sealed(command));
  for (int i = 0; i < 3; ++i) {
    s.client.settle();
    CHECK(s.control.closed());
    CHECK(s.stores.privacy.content);
    CHECK(statuses() == before);
    CHECK_FALSE(s.last_grants().command);
    s.clock.advance(100ms);
    s.publisher.tick();
  }
  s.control.end_source();
  s.publisher.tick();
  s.client.settle();
  CHECK(statuses() == before + 1);
  CHECK(s.last_status().privacy);
  CHECK(s.last_grants().command == CommandSeq(3));
  // The request of a hub.
  s.receive_privacy_off(s.hub);
  CHECK_FALSE(s.last_status().privacy);
  REQUIRE(s.control.begin_source());
  const auto open = statuses();
  s.clock.advance(1s);
  s.receive_request(s.hub, protocol::RequestKind::privacy_on);
  s.publisher.tick();
  CHECK(statuses() == open);
  s.connect();  // a status after a connection tells the truth
  CHECK_FALSE(s.last_status().privacy);
  s.control.end_source();
  s.publisher.tick();
  CHECK(s.last_status().privacy);
}

TEST_CASE("a privacy request without permission, for another epoch or from another hub is rejected") {
  PrivacyScene s;
  s.receive_request(s.second, protocol::RequestKind::privacy_on);
  CHECK_FALSE(s.control.closed());
  CHECK(s.requests.counters().rejected[RejectReason::not_allowed] == 1);
  s.receive(protocol::request_topic(s.route, s.hub.id()),
            s.request(s.hub, protocol::RequestKind::privacy_on, Epoch(1)));
  CHECK_FALSE(s.control.closed());
  const auto good = s.request(s.hub, protocol::RequestKind::privacy_on);
  s.receive(protocol::request_topic(s.route, s.second.id()), good);
  CHECK_FALSE(s.control.closed());
  s.clock.advance(1s);
  s.receive(protocol::request_topic(s.route, s.hub.id()), good);  // control
  CHECK(s.control.closed());
  s.clock.advance(1s);
  s.receive_privacy_off(s.hub);
  CHECK_FALSE(s.control.closed());
  s.clock.advance(1s);
  s.receive(protocol::request_topic(s.route, s.hub.id()), good);  // replayed
  CHECK_FALSE(s.control.closed());
  // The next roster removes the permission of a hub that stays.
  s.clock.advance(1s);
  s.receive_roster(s.roster(2, {&s.hub}));
  s.client.settle();
  s.receive_request(s.hub, protocol::RequestKind::privacy_on);
  CHECK_FALSE(s.control.closed());
}

TEST_CASE("a privacy request starts no lease, and only a report echoes its challenge") {
  PrivacyScene s;
  s.receive_privacy_off(s.hub);
  CHECK(s.publisher.leases().live == 0);
  CHECK(s.publisher.leases().still == 0);
  CHECK_FALSE(s.control.active());
  CHECK(s.publisher.counters().reports == 2);  // with the nonce, and with the state after the request
  s.clock.advance(1s);
  s.receive_request(s.hub);
  s.client.settle();
  CHECK(s.publisher.counters().reports == 3);  // for its first request for pictures
}

TEST_CASE("during privacy and with a fault, a report with the state answers each request for pictures") {
  PrivacyScene s;
  const auto answer = [&](protocol::RequestKind kind) {
    const auto before = s.publisher.counters().reports;
    s.clock.advance(1s);
    s.receive_request(s.hub, kind);
    s.client.settle();
    if (s.publisher.counters().reports == before) return std::optional<protocol::Report>();
    const auto seen = s.seen_by(s.hub);
    CHECK(seen.back().header.echoes == protocol::Challenge(s.seq));
    return std::optional(must(protocol::decode_report(seen.back().content)));
  };
  using enum protocol::RequestKind;
  CHECK_FALSE(answer(live).value().privacy);
  CHECK_FALSE(answer(live));  // control: a camera that sends pictures
  REQUIRE(s.control.begin_source());
  CHECK_FALSE(answer(privacy_on).value().privacy);  // the capture thread has not closed the sensor yet
  CHECK_FALSE(answer(live).value().privacy);
  CHECK_FALSE(s.control.begin_source());  // still closed; the flag follows end_source()
  CHECK(answer(privacy_on).value().privacy);
  CHECK(answer(live).value().privacy);
  CHECK(answer(still).value().privacy);
  s.receive_privacy_off(s.hub);
  s.client.settle();
  CHECK_FALSE(answer(live));
  s.control.set_fault(protocol::CameraFault::encoder);
  const auto fault = answer(live).value();
  CHECK_FALSE(fault.privacy);
  CHECK(fault.fault == protocol::CameraFault::encoder);
}
