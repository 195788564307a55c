// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <set>

#include "protocol/status.hpp"

#include "support/hub_scene.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;

TEST_CASE("the hub sends a request when grants arrive, then each second with a new challenge and a higher number") {
  HubScene s;
  auto epoch = s.join();
  REQUIRE(s.client.sent.size() == 1);
  CHECK(s.client.sent[0].topic == protocol::request_topic(s.route, s.hub.id()));
  std::set<std::uint64_t> challenges{s.challenge(epoch).value()};
  auto seq = s.request(epoch.epoch).seq;
  CHECK(s.request(epoch.epoch).kind == protocol::RequestKind::live);
  s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
  for (int i = 0; i < 100; ++i) {
    s.advance(100ms);
    if (s.request(epoch.epoch).seq == seq) continue;
    CHECK(s.request(epoch.epoch).seq > seq);
    seq = s.request(epoch.epoch).seq;
    challenges.insert(s.challenge(epoch).value());
  }
  CHECK(s.client.sent.size() == 11);
  CHECK(challenges.size() == 11);
}

TEST_CASE("before the first answer the hub sends requests more often, within the rate of a camera") {
  HubScene s;
  auto epoch = s.join();
  for (int i = 0; i < 30; ++i) s.advance(100ms);
  CHECK(s.client.sent.size() == 6);
}

TEST_CASE("the hub sends no requests while no viewer watches") {
  HubScene s;
  s.watcher->set_watched(false, {});
  auto epoch = s.join();
  s.advance(5s);
  CHECK(s.client.sent.empty());
  s.watcher->set_watched(false, {s.camera.id()});
  CHECK(s.client.sent.size() == 1);
  s.watcher->set_watched(false, {});
  s.advance(5s);
  CHECK(s.client.sent.size() == 1);
}

TEST_CASE("the hub sends no requests while it is disconnected, and one immediately after it connects") {
  HubScene s;
  auto epoch = s.join();
  s.client.is_connected = false;
  s.watcher->on_disconnected({Errc::connection, 0, "test"});
  s.advance(5s);
  CHECK(s.client.sent.size() == 1);
  s.client.is_connected = true;
  s.watcher->on_connected();
  CHECK(s.client.sent.size() == 2);
}

TEST_CASE("a candidate that never answers receives fewer requests") {
  HubScene s;
  auto current = s.join(100);
  s.video(s.builder.gop(current, "I", s.challenge(current)));
  auto rolled_back = s.join(50);
  s.client.sent.clear();
  for (int i = 0; i < 600; ++i) s.advance(100ms);
  int of_current = 0;
  for (const auto& sent : s.client.sent)
    of_current += must(protocol::decode_view_request(sent.payload, s.route, s.hub.verifier())).epoch == current.epoch;
  CHECK(of_current == 60);
  CHECK(s.client.sent.size() < 60 + 20);
}

TEST_CASE("request numbers are reserved in blocks and never used twice") {
  HubScene s;
  auto epoch = s.join();
  for (int i = 0; i < 30; ++i) s.advance(1s);
  CHECK(s.sequence.reservations == 1);
  const auto last = s.request(epoch.epoch).seq;
  s.restart();
  s.client.sent.clear();
  auto next = s.join(101);
  CHECK(s.request(next.epoch).seq > last);
  CHECK(s.sequence.reservations == 2);
}

TEST_CASE("an online status causes one request at once, and repeated statuses cause no more") {
  HubScene s;
  auto epoch = s.join();
  s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
  s.advance(1100ms);
  s.client.sent.clear();
  const auto online = must(protocol::encode_status({true, {}}, s.route, s.camera.keys().identity));
  s.advance(300ms);
  s.deliver(Leaf::status, online);
  CHECK(s.client.sent.size() == 1);
  for (int i = 0; i < 9; ++i) s.deliver(Leaf::status, online);
  CHECK(s.client.sent.size() == 1);
  const auto offline = must(protocol::encode_status({false, {}}, s.route, s.camera.keys().identity));
  s.advance(700ms);
  s.deliver(Leaf::status, offline);
  CHECK(s.client.sent.size() == 1);
}
