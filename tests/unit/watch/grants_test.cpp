// SPDX-License-Identifier: Apache-2.0
// Prekeys in view requests and grants, grants that do not open, and receiver reports.
#include <catch2/catch_test_macros.hpp>

#include "support/hub_scene.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;
using protocol::Prekey;
using protocol::PrekeyNumber;

namespace {

/// A camera that follows the prekeys in view requests, and begins an epoch if the hub cannot open the current one.
struct PrekeyScene : HubScene {
  bool camera_uses_prekeys = true;
  std::optional<Prekey> at_camera;
  std::uint64_t next_epoch = 0;
  std::optional<TestEpoch> current;
  std::size_t read = 0;
  std::vector<Bytes> recorded;  ///< grants, as the broker carried them

  PrekeyScene() { deliver_roster(roster()); }
  void begin_epoch() {
    current = builder.make_epoch(++next_epoch << 32);
    recorded.push_back(builder.grants(*current, roster(), [&](const DeviceId&) { return at_camera; }));
    deliver(Leaf::grants, recorded.back());
  }
  /// The camera receives the new requests and sends a picture.
  void answer() {
    std::optional<protocol::Challenge> echo;
    bool cannot_open = false;
    for (; read < client.sent.size(); ++read) {
      const auto request = must(protocol::decode_view_request(client.sent[read].payload, route, hub.verifier()));
      if (request.epoch != current->epoch) continue;
      if (request.prekey && camera_uses_prekeys) at_camera = request.prekey;
      echo = request.challenge;
      cannot_open = request.cannot_open;
    }
    if (cannot_open) begin_epoch();
    else if (echo) video(builder.gop(*current, "I", *echo));
  }
  /// One day with a tick each two hours. The camera begins an epoch in the morning.
  void live_a_day() {
    begin_epoch();
    for (auto t = 0h; t < 24h; t += 2h) {
      advance(2h);
      answer();
    }
  }
  /// Number of recorded grants that open with these keys.
  [[nodiscard]] std::size_t opened_with(const std::vector<device::StoredPrekey>& stolen) const {
    const auto verifier = camera.verifier();
    const auto key_of = [&](PrekeyNumber number) -> const crypto::AgreementKey* {
      if (number == PrekeyNumber()) return &hub.keys().hpke;
      const auto found = std::ranges::find(stolen, number, &device::StoredPrekey::number);
      return found == stolen.end() ? nullptr : &found->key;
    };
    return static_cast<std::size_t>(std::ranges::count_if(recorded, [&](const Bytes& message) {
      const auto grants = protocol::decode_grants(message, route, verifier);
      return grants && protocol::open_grant(*grants, route, hub.id(), key_of);
    }));
  }
};

}  // namespace

TEST_CASE("live requests carry the newest prekey until a grant uses it") {
  PrekeyScene s;
  s.begin_epoch();
  const auto request = s.request(s.current->epoch);
  REQUIRE(request.prekey);
  CHECK(request.prekey->number == PrekeyNumber(1));
  CHECK(request.prekey->key == s.prekeys.stolen()[0].key.public_key());
  CHECK_FALSE(request.cannot_open);
  s.answer();
  s.begin_epoch();
  CHECK_FALSE(s.request(s.current->epoch).prekey);
  s.answer();
  CHECK(s.sink.live() == 2);
  s.advance(24h);
  REQUIRE(s.request(s.current->epoch).prekey);
  CHECK(s.request(s.current->epoch).prekey->number == PrekeyNumber(2));
}

TEST_CASE("the stolen state of a hub opens nothing of what the broker carried nine days earlier") {
  PrekeyScene s;
  SECTION("the camera seals to prekeys") {
    s.begin_epoch();  // the first grant, which the camera seals before it has a prekey
    s.answer();
    s.recorded.clear();
    s.live_a_day();
    s.live_a_day();
    REQUIRE(s.opened_with(s.prekeys.stolen()) == 2);  // control: on these days
    const auto then = std::exchange(s.recorded, {});
    for (int day = 0; day < 9; ++day) s.live_a_day();
    CHECK(s.opened_with(s.prekeys.stolen()) >= 6);  // of the last days
    s.recorded = then;
    CHECK(s.opened_with(s.prekeys.stolen()) == 0);
  }
  SECTION("control: the camera seals to the key in the roster") {
    s.camera_uses_prekeys = false;
    s.live_a_day();
    s.live_a_day();
    const auto then = s.recorded;
    for (int day = 0; day < 9; ++day) s.live_a_day();
    s.recorded = then;
    CHECK(s.opened_with(s.prekeys.stolen()) == 2);
  }
}

TEST_CASE("a hub that was off for 30 days requests a new epoch, and is LIVE at once") {
  PrekeyScene s;
  s.begin_epoch();
  s.answer();
  s.live_a_day();
  s.watcher.reset();
  s.clock.advance(10 * 24h);
  s.next_epoch += 30;
  s.current = s.builder.make_epoch(s.next_epoch << 32);
  const auto retained = s.builder.grants(*s.current, s.roster(), [&](const DeviceId&) { return s.at_camera; });
  s.clock.advance(20 * 24h);

  s.client.sent.clear();
  s.read = 0;
  s.restart();
  for (auto t = 0min; t < 20min; t += 1min) s.advance(1min);  // the hub deletes the old prekeys before it connects
  s.deliver(Leaf::grants, retained, true);
  auto request = s.request(s.current->epoch);
  CHECK(request.cannot_open);
  REQUIRE(request.prekey);
  CHECK(request.prekey->number > s.at_camera->number);
  const auto started = s.clock.boot();
  s.answer();  // a new epoch
  s.answer();  // a picture
  CHECK(s.status().state == CameraState::live);
  CHECK(s.clock.boot() - started < 3s);
  s.advance(2s);
  CHECK_FALSE(s.request(s.current->epoch).cannot_open);
}

TEST_CASE("after a restart within eight days, the hub opens the grants that the broker retained") {
  PrekeyScene s;
  s.begin_epoch();
  s.answer();
  s.begin_epoch();
  s.answer();
  s.restart();
  s.deliver(Leaf::grants, s.recorded.back(), true);
  s.read = s.client.sent.size() - 1;
  s.answer();
  CHECK(s.status().state == CameraState::live);
  CHECK(std::ranges::none_of(s.requests(), &protocol::ViewRequest::cannot_open));
}

TEST_CASE("the hub requests another epoch a few times, then seldom, and only for the newest grants") {
  PrekeyScene s;
  s.at_camera = Prekey{PrekeyNumber(99), s.owner.hpke()};
  s.begin_epoch();
  const auto sent = [&] { return std::ranges::count(s.requests(), true, &protocol::ViewRequest::cannot_open); };
  CHECK(sent() == 1);
  for (int i = 0; i < 200; ++i) s.advance(100ms);
  CHECK(sent() >= 10);
  CHECK(sent() <= 12);
  const auto before = sent();
  SECTION("grants that open end it") {
    s.at_camera.reset();
    s.begin_epoch();
    s.answer();
    s.advance(1min);
    CHECK(sent() == before);
  }
  SECTION("a viewer who leaves ends it") {
    s.watcher->set_watched(false, {});
    s.advance(1min);
    CHECK(sent() == before);
  }
}

TEST_CASE("a hub without prekeys requests and opens with the key in the roster") {
  PrekeyScene s;
  auto deps = s.dependencies();
  deps.prekeys = nullptr;
  s.watcher = must(watch::Watcher::create(s.owner.identity(), s.hub.keys(), deps));
  s.watcher->start(s.client);
  s.watcher->set_watched(true, {});
  s.begin_epoch();
  CHECK_FALSE(s.request(s.current->epoch).prekey);
  s.answer();
  CHECK(s.status().state == CameraState::live);
}

TEST_CASE("live requests report the newest video frame, its arrival, and the number of frames in the epoch") {
  HubScene s;
  auto epoch = s.join();
  CHECK_FALSE(s.request(epoch.epoch).receiver);
  s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
  s.advance(700ms);
  auto late = s.builder.gop(epoch, "P");
  s.video(s.builder.gop(epoch, "SRP"));  // the still and the report do not count
  s.advance(300ms);
  s.video(late);  // a frame that arrives late is not the newest
  s.video(late);  // a replay does not count
  s.advance(1s);
  const auto report = s.request(epoch.epoch).receiver;
  REQUIRE(report);
  CHECK(report->counter == protocol::Counter(4));
  CHECK(report->arrival == 700ms);
  CHECK(report->received == 3);
  SECTION("another epoch begins again") {
    auto next = s.join(101);
    s.video(s.builder.gop(next, "I", s.challenge(next)));
    s.advance(2s);
    CHECK(s.request(next.epoch).receiver == protocol::ReceiverReport{protocol::Counter(0), 0ms, 1});
  }
}
