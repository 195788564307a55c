// SPDX-License-Identifier: Apache-2.0
/// Privacy closes the sensor itself, and no picture is sealed.
#include "stream/privacy.hpp"

#include <catch2/catch_test_macros.hpp>

#include "core/file.hpp"
#include "hal/fake/fake_board.hpp"
#include "protocol/status.hpp"
#include "support/actors.hpp"
#include "support/temporary_folder.hpp"
#include "unit/stream/camera_scene.hpp"
#include "unit/stream/capture_fakes.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;

TEST_CASE("a closed sensor is destroyed with its encoder, its light is off, and it is not opened again") {
  CaptureScene s;
  hal::fake::FakeBoard light;
  CaptureLoop loop({s.factory, s.queue, s.board, s.control, s.clock, s.log, &light}, [] {});
  s.control.set_active(true);
  for (int i = 0; i < 3; ++i) (void)loop.step();
  CHECK(s.factory.sources == 1);  // control
  CHECK(s.factory.encoders == 1);
  const auto captured = loop.counters().captured.load();
  s.control.set_closed(true);
  for (int i = 0; i < 10; ++i) {
    CHECK(loop.step() > 0ns);  // nothing spins
    s.clock.advance(10s);
  }
  CHECK(s.factory.sources == 0);
  CHECK(s.factory.encoders == 0);
  CHECK(light.history == "+-");
  CHECK(loop.counters().captured == captured);
  CHECK(loop.counters().source_opened == 1);
  s.control.set_closed(false);
  (void)loop.step();
  CHECK(s.factory.sources == 1);
  CHECK(light.history == "+-+");
}

TEST_CASE("a picture that was waited for when the sensor was to be closed goes nowhere") {
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

TEST_CASE("with privacy on from the start the sensor is never opened") {
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

TEST_CASE("whatever fails, the sensor is closed rather than open") {
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

TEST_CASE("privacy's file has one of two words, and a damaged one says what to do") {
  const TemporaryFolder folder;
  PrivacyFile file(folder.path() / "privacy");
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

TEST_CASE("the control can ask for the sensor to be opened anew, once") {
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
  CHECK(s.loop.counters().source_opened == 3);  // opening it was that
}

namespace {

struct PrivacyScene : CameraScene {
  explicit PrivacyScene() {
    auto content = roster_of(camera, 1, {&hub, &second});
    content.hubs[0].may_switch_privacy = true;
    roster_store.content = must(protocol::encode_roster(content, route, owner.keys().identity));
    run();
  }
  [[nodiscard]] protocol::Status last_status() const {
    return must(protocol::decode_status(client.on("/status").back()->payload, route, camera.verifier()));
  }
};

}  // namespace

TEST_CASE("a hub that may closes the sensor: no picture is sealed any more, and status says so") {
  PrivacyScene s;
  s.receive_ask(s.hub);
  s.capture("IPP");
  s.client.settle();
  CHECK(s.video_of(s.hub).size() == 3);  // control
  CHECK_FALSE(s.last_status().privacy);
  s.receive_ask(s.hub, protocol::Want::privacy_on);
  s.client.settle();
  CHECK(s.control.closed());
  CHECK_FALSE(s.control.active());
  CHECK(s.privacy_store.content);
  CHECK(s.last_status().privacy);
  CHECK(s.last_status().online);
  const auto sealed = s.publisher.counters().published;
  const auto stills = s.publisher.counters().stills;
  // The capture thread's last pictures come late, and the hub goes on asking.
  for (int i = 0; i < 3; ++i) {
    s.clock.advance(1s);
    s.receive_ask(s.hub);
    s.capture("IPP");
    s.publisher.tick();
    s.client.settle();
  }
  CHECK(s.publisher.counters().published == sealed);
  CHECK(s.publisher.counters().stills == stills);
  CHECK(s.publisher.counters().epochs == 1);  // the epoch goes on
  s.clock.advance(1s);
  s.receive_ask(s.hub, protocol::Want::privacy_off);
  s.client.settle();
  CHECK_FALSE(s.control.closed());
  CHECK_FALSE(s.last_status().privacy);
  const auto before = s.video_of(s.hub).size();
  CHECK(before == 3);  // nothing of what lay in the queue
  s.receive_ask(s.hub);
  s.capture("IP");
  s.client.settle();
  CHECK(s.video_of(s.hub).size() == before + 2);
}

TEST_CASE("a hub that may not switch privacy does not, nor one that was suspended, nor an ask of another epoch") {
  PrivacyScene s;
  s.receive_ask(s.second, protocol::Want::privacy_on);
  CHECK_FALSE(s.control.closed());
  CHECK(s.asks.counters()[AskRefusal::not_allowed] == 1);
  s.receive(protocol::ask_topic(s.route, s.hub.id()), s.ask(s.hub, protocol::Want::privacy_on, Epoch(1)));
  CHECK_FALSE(s.control.closed());
  const auto good = s.ask(s.hub, protocol::Want::privacy_on);
  s.receive(protocol::ask_topic(s.route, s.second.id()), good);
  CHECK_FALSE(s.control.closed());
  s.clock.advance(1s);
  s.receive(protocol::ask_topic(s.route, s.hub.id()), good);  // control
  CHECK(s.control.closed());
  s.clock.advance(1s);
  s.receive_ask(s.hub, protocol::Want::privacy_off);
  CHECK_FALSE(s.control.closed());
  s.clock.advance(1s);
  s.receive(protocol::ask_topic(s.route, s.hub.id()), good);  // replayed
  CHECK_FALSE(s.control.closed());
  // The next roster takes the right away from a hub that stays.
  s.clock.advance(1s);
  s.receive_roster(s.roster(2, {&s.hub}));
  s.client.settle();
  s.receive_ask(s.hub, protocol::Want::privacy_on);
  CHECK_FALSE(s.control.closed());
}

TEST_CASE("privacy's asks are no leases, and their challenge is echoed nowhere") {
  PrivacyScene s;
  s.receive_ask(s.hub, protocol::Want::privacy_off);
  CHECK(s.publisher.leases().live == 0);
  CHECK(s.publisher.leases().still == 0);
  CHECK_FALSE(s.control.active());
  CHECK(s.publisher.counters().reports == 0);
  s.clock.advance(1s);
  s.receive_ask(s.hub);
  s.client.settle();
  CHECK(s.publisher.counters().reports == 1);  // of its first ask for pictures
}
