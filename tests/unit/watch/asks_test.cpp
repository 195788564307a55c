// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <set>

#include "protocol/status.hpp"

#include "hub_world.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;

TEST_CASE("a hub asks at once when grants arrive, then once a second with a new challenge and a growing number") {
  HubWorld w;
  auto epoch = w.join();
  REQUIRE(w.client.sent.size() == 1);
  CHECK(w.client.sent[0].topic == protocol::ask_topic(w.route, w.hub.id()));
  std::set<std::uint64_t> challenges{w.challenge(epoch).value()};
  auto seq = w.ask(epoch.epoch).seq;
  CHECK(w.ask(epoch.epoch).want == protocol::Want::live);
  w.video(w.builder.gop(epoch, "I", w.challenge(epoch)));
  for (int i = 0; i < 100; ++i) {
    w.advance(100ms);
    if (w.ask(epoch.epoch).seq == seq) continue;
    CHECK(w.ask(epoch.epoch).seq > seq);
    seq = w.ask(epoch.epoch).seq;
    challenges.insert(w.challenge(epoch).value());
  }
  CHECK(w.client.sent.size() == 11);
  CHECK(challenges.size() == 11);
}

TEST_CASE("until the first answer a hub asks a little faster, within what a camera takes") {
  HubWorld w;
  auto epoch = w.join();
  for (int i = 0; i < 30; ++i) w.advance(100ms);
  CHECK(w.client.sent.size() == 6);
}

TEST_CASE("nobody watches, nobody asks") {
  HubWorld w;
  w.watcher->want(false, {});
  auto epoch = w.join();
  w.advance(5s);
  CHECK(w.client.sent.empty());
  w.watcher->want(false, {w.camera.id()});
  CHECK(w.client.sent.size() == 1);
  w.watcher->want(false, {});
  w.advance(5s);
  CHECK(w.client.sent.size() == 1);
}

TEST_CASE("without a connection it does not ask, and at once when it returns") {
  HubWorld w;
  auto epoch = w.join();
  w.client.is_connected = false;
  w.watcher->on_disconnected({Errc::connection, 0, "test"});
  w.advance(5s);
  CHECK(w.client.sent.size() == 1);
  w.client.is_connected = true;
  w.watcher->on_connected();
  CHECK(w.client.sent.size() == 2);
}

TEST_CASE("a candidate that never answers is asked ever less") {
  HubWorld w;
  auto current = w.join(100);
  w.video(w.builder.gop(current, "I", w.challenge(current)));
  auto rolled_back = w.join(50);
  w.client.sent.clear();
  for (int i = 0; i < 600; ++i) w.advance(100ms);
  int of_current = 0;
  for (const auto& sent : w.client.sent)
    of_current += must(protocol::decode_ask(sent.payload, w.route, w.hub.verifier())).epoch == current.epoch;
  CHECK(of_current == 60);
  CHECK(w.client.sent.size() < 60 + 20);
}

TEST_CASE("numbers of asks are reserved in blocks and never used twice") {
  HubWorld w;
  auto epoch = w.join();
  for (int i = 0; i < 30; ++i) w.advance(1s);
  CHECK(w.sequence.reservations == 1);
  const auto last = w.ask(epoch.epoch).seq;
  w.restart();
  w.client.sent.clear();
  auto next = w.join(101);
  CHECK(w.ask(next.epoch).seq > last);
  CHECK(w.sequence.reservations == 2);
}

TEST_CASE(
    "a camera that says it is online again is asked at once, and no replay of its word makes us ask all the time") {
  HubWorld w;
  auto epoch = w.join();
  w.video(w.builder.gop(epoch, "I", w.challenge(epoch)));
  w.advance(1100ms);
  w.client.sent.clear();
  const auto online = must(protocol::encode_status({true, {}}, w.route, w.camera.keys().identity));
  w.advance(300ms);
  w.deliver(Leaf::status, online);
  CHECK(w.client.sent.size() == 1);
  for (int i = 0; i < 9; ++i) w.deliver(Leaf::status, online);
  CHECK(w.client.sent.size() == 1);
  const auto offline = must(protocol::encode_status({false, {}}, w.route, w.camera.keys().identity));
  w.advance(700ms);
  w.deliver(Leaf::status, offline);
  CHECK(w.client.sent.size() == 1);
}
