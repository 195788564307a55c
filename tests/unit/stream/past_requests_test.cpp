// SPDX-License-Identifier: Apache-2.0
// The frames that a camera kept, and hubs: ranges, requests, rosters, rates, memory, and a restart.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <numeric>

#include "unit/stream/past_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;

TEST_CASE("other masks delete the kept pictures, and other settings do not") {
  PastScene s;
  s.pass(5s);
  s.lose_broker();
  s.pass(10s);
  s.find_broker();
  REQUIRE(!s.store.ranges().empty());
  protocol::Command command;
  command.seq = protocol::CommandSeq(1);
  command.name = {protocol::CommandSeq(1), "door"};
  s.receive_command(s.sealed(command));
  CHECK_FALSE(s.store.ranges().empty());
  const auto set = [&](std::uint64_t seq, const AreaSettings& areas) {
    s.control.set_areas(areas);
    command.seq = protocol::CommandSeq(seq);
    command.settings = {protocol::CommandSeq(seq), {}};
    s.receive_command(s.sealed(command));
  };
  set(2, {.masks = {}, .sensitivity = 10, .zones = {}});
  CHECK_FALSE(s.store.ranges().empty());
  set(3, {.masks = one_mask(), .sensitivity = 10, .zones = {}});
  CHECK(s.store.ranges().empty());
}

TEST_CASE(
    "a power cut after new masks are stored, and before the kept pictures are deleted, brings none of them back") {
  PastScene s;
  s.pass(5s);
  s.lose_broker();
  s.pass(10s);
  REQUIRE(!s.store.ranges().empty());
  auto same = open_store(s.folder.path() / "past", s.route, s.camera);  // control
  CHECK_FALSE(same.ranges().empty());
  auto other = open_store(s.folder.path() / "past", s.route, s.camera, one_mask());
  CHECK(other.ranges().empty());
  auto before = open_store(s.folder.path() / "past", s.route, s.camera);
  CHECK(before.ranges().empty());
}

TEST_CASE("an outage with reports and stills before it is one range") {
  PastScene s;
  s.requests = RequestKind::still;  // makes stills; the other hub records
  for (int i = 0; i < 15; ++i) {
    s.receive_request(s.second, RequestKind::motion);
    s.receive_request(s.second, RequestKind::record);
    s.pass(1s);
  }
  CHECK(s.publisher.counters().stills > 0);
  CHECK(s.publisher.counters().reports > 1);
  s.lose_broker();
  s.pass(20s);
  CHECK(s.store.ranges().size() == 1);
}

TEST_CASE("reports list kept pictures only for a hub that sent a request of the kind past, also in later epochs") {
  PastScene s;
  s.pass(5s);
  s.lose_broker();
  s.pass(30s);
  s.find_broker();
  REQUIRE(!s.store.ranges().empty());
  s.requests = RequestKind::record;
  s.pass(65s);
  CHECK(s.reports() > 1);
  CHECK(s.listed().empty());  // an earlier version of the hub would reject the reports
  s.request(s.hub, {{Epoch(0), Counter(0), Counter(0)}});
  CHECK(s.listed() == s.store.ranges());
  CHECK(s.past_messages() == 0);
  s.receive_request(s.second, RequestKind::record);
  s.client.settle();
  CHECK(s.listed().empty());  // the newest report is for the other hub
  s.publisher.renew();
  s.client.settle();
  s.pass(1s);
  CHECK(s.listed() == s.store.ranges());
}

TEST_CASE("a hub that requests the first frames again and again does not keep another hub from the later ones") {
  PastScene s;
  s.pass(5s);
  s.lose_broker();
  s.pass(120s);
  s.find_broker();
  s.requests.reset();
  const auto ranges = s.store.ranges();
  REQUIRE(ranges.size() == 1);
  const PastRange late{ranges[0].epoch, Counter(ranges[0].last.value() - 20), ranges[0].last};
  for (int i = 0; i < 60; ++i) {
    s.request(s.hub, ranges);
    s.request(s.second, {late});
    s.pass(2s);
  }
  std::set<Counter> sent;
  for (const auto* message : s.client.on("/past"))
    if (const auto frame = protocol::parse_frame(message->payload)) sent.insert(frame->counter);
  for (auto counter = late.first; counter <= late.last; counter = counter.next()) CHECK(sent.contains(counter));
}

TEST_CASE("a deletion that fails at first happens later, and no answer has the frames") {
  PastScene s;
  s.pass(5s);
  s.lose_broker();
  s.pass(10s);
  s.find_broker();
  const auto ranges = s.store.ranges();
  REQUIRE(!ranges.empty());
  std::filesystem::create_directories(s.folder.path() / "past/deleted-00000000/other");
  s.receive_request(s.hub, RequestKind::privacy_on);
  CHECK(s.store.ranges().empty());
  s.pass(1s);
  auto again = open_store(s.folder.path() / "past", s.route, s.camera);
  CHECK(again.ranges().empty());
}

TEST_CASE("a roster without a hub deletes what this hub could open, and a roster with one more hub deletes nothing") {
  PastScene s;
  s.pass(5s);
  s.lose_broker();
  s.pass(30s);
  s.find_broker();
  const auto ranges = s.store.ranges();
  REQUIRE(!ranges.empty());
  s.receive_roster(s.roster(2, {&s.hub, &s.second, &s.stranger}));
  s.client.settle();
  CHECK(s.store.ranges() == ranges);
  s.request(s.stranger, ranges);  // it has no grant of the epoch
  s.pass(10s);
  CHECK(s.past_messages() == 0);
  s.request(s.second, ranges);
  s.pass(1s);
  CHECK(s.past_messages() > 0);
  const auto sent = s.past_messages();
  s.receive_roster(s.roster(3, {&s.second, &s.stranger}));
  s.client.settle();
  CHECK(s.store.ranges().empty());
  s.pass(2s);
  s.request(s.second, ranges);
  s.pass(10s);
  CHECK(s.past_messages() == sent);
}

namespace {

/// A camera that is connected again after an outage, on a card that rests since the last seconds of it.
struct RestingCard {
  MemoryPastStore disk;
  PrerollScene s{{}, &disk};
  std::optional<Counter> last;  ///< sealed in the outage
  explicit RestingCard(bool rests) {
    s.requests = RequestKind::record;
    s.keyframe_interval = 10;
    s.pass(5s);
    s.client.is_connected = false;
    s.requests.reset();
    s.publisher.on_disconnected({Errc::connection, 0, "the cable is cut"});
    s.pass(20s);
    if (rests) disk.on_access = [this] { s.clock.advance(2s); };
    s.pass(3s);
    disk.on_access = [] {};
    s.connect();
    s.receive_request(s.hub, RequestKind::record);
    s.client.settle();
    s.pass(200ms);
    CHECK_FALSE(s.publisher.past().keeping());
    last = s.video_of(s.hub).back().counter;  // published after the outage
  }
  [[nodiscard]] bool whole() const {
    const auto kept = disk.ranges();
    return kept.size() == 1 && kept[0].last.next() >= *last;
  }
};

}  // namespace

TEST_CASE(
    "what a camera has not stored yet, because its card rests, survives a new epoch and a roster with one more hub") {
  const bool rests = GENERATE(true, false);
  RestingCard scene(rests);
  auto& s = scene.s;
  CHECK(scene.whole() != rests);
  const auto before = scene.disk.ranges();
  SECTION("a new epoch") {
    s.publisher.renew();
    CHECK(scene.whole());
  }
  SECTION("one more hub") {
    s.receive_roster(s.roster(2, {&s.hub, &s.second, &s.stranger}));
    CHECK(scene.whole());
  }
  SECTION("another outage") {
    s.client.is_connected = false;
    s.publisher.on_disconnected({Errc::connection, 0, "the cable is cut"});
    s.pass(40s);
    CHECK(scene.disk.ranges().size() == 1);
    CHECK(scene.whole());
  }
  SECTION("the end of the program") {
    s.publisher.stop();
    CHECK(scene.whole());
  }
  SECTION("control: a roster without a hub") {
    s.receive_roster(s.roster(2, {&s.second}));
    CHECK(scene.disk.ranges().empty());
    s.pass(30s);
    CHECK(scene.disk.ranges().empty());
  }
  SECTION("control: privacy") {
    s.receive_request(s.hub, RequestKind::privacy_on);
    s.pass(1s);
    s.receive_privacy_off(s.hub);
    s.receive_request(s.hub, RequestKind::record);
    s.pass(30s);
    CHECK(scene.disk.ranges().empty());
  }
}

TEST_CASE("kept pictures use at most a quarter of the rate, and wait while the network is full") {
  PastScene s;
  s.pass(5s);
  s.lose_broker();
  s.pass(300s);
  s.find_broker();
  const auto ranges = s.store.ranges();
  s.request(s.hub, ranges);
  const auto bytes = [&] {
    const auto sent = s.client.on("/past");
    return std::accumulate(sent.begin(), sent.end(), std::size_t{0},
                           [](std::size_t sum, const auto* m) { return sum + m->payload.size(); });
  };
  const auto limit = s.publisher.rate().quality().bitrate.value() / 8 / 4 * 2;
  const auto before = bytes();
  s.pass(2s);
  CHECK(bytes() - before <= limit + limit / 4);
  CHECK(bytes() - before > limit / 4);
  // A live picture that waits for the connection goes first.
  s.answers = false;
  s.requests = RequestKind::live;
  s.request(s.hub, ranges);
  s.pass(2s);
  const auto waiting = bytes();
  s.pass(5s);
  CHECK(bytes() == waiting);
}

TEST_CASE("the memory has the last 20 s at the highest bitrate, and begins with a key frame") {
  TemporaryFolder folder;
  const CameraSurroundings parts;
  FakeClock clock;
  MemoryLog log;
  auto store = open_store(folder.path(), parts.route, parts.camera);
  PastFrames past(&store, clock, log, parts.route);
  past.set_bitrate(BitsPerSecond(4'000'000));
  past.begin_epoch(Epoch(7), Bytes(20), roster_of(parts.camera, 1, {&parts.hub}));
  for (std::uint64_t i = 0; i < 400; ++i) {
    clock.advance(100ms);
    past.on_recording(PictureUse::record, clock.monotonic());
    past.add(Counter(i), i % 30 == 0, Bytes(50'000));  // 4 Mbit/s
  }
  past.on_disconnected();
  const auto ranges = store.ranges();
  REQUIRE(ranges.size() == 1);
  CHECK(ranges[0].first.value() % 30 == 0);
  CHECK(ranges[0].first <= Counter(200));
  CHECK(ranges[0].first >= Counter(150));
  CHECK(ranges[0].last == Counter(399));
}

TEST_CASE("a message of the largest size is not kept in the memory of the lowest bitrate, which is smaller") {
  TemporaryFolder folder;
  const CameraSurroundings parts;
  FakeClock clock;
  MemoryLog log;
  auto store = open_store(folder.path(), parts.route, parts.camera);
  PastFrames past(&store, clock, log, parts.route);
  past.set_bitrate(BitsPerSecond(25'000));
  past.begin_epoch(Epoch(7), Bytes(20), roster_of(parts.camera, 1, {&parts.hub}));
  past.on_recording(PictureUse::record, clock.monotonic());
  static_assert(protocol::max_message_size > PastFrames::min_memory);
  past.add(Counter(0), true, Bytes(protocol::max_message_size));
  past.add(Counter(1), true, Bytes(PastFrames::min_memory));
  past.add(Counter(2), false, Bytes(protocol::max_message_size));
  past.on_disconnected();
  CHECK(store.ranges() == std::vector<PastRange>{{Epoch(7), Counter(1), Counter(1)}});
}

TEST_CASE("kept pictures survive a restart of the camera, and are sent to the hub in the next epoch") {
  TemporaryFolder folder;
  CameraSurroundings parts;
  parts.stores.roster.content =
      must(protocol::encode_roster(roster_of(parts.camera, 1, {&parts.hub}), parts.route, parts.owner.keys().identity));
  const auto open = [&] { return open_store(folder.path(), parts.route, parts.camera); };
  Bytes grants;
  {
    auto store = open();
    const StreamBuilder builder(parts.route, parts.camera);
    auto epoch = builder.make_epoch(7);
    grants = builder.grants(epoch, roster_of(parts.camera, 1, {&parts.hub}));
    for (std::uint64_t i = 0; i < 2; ++i) {
      const auto message = builder.frame(epoch, FrameKind::key, {});
      const device::PastFrame frame{Counter(i), message};
      must(store.add(epoch.epoch, grants, std::span(&frame, 1)));
    }
  }
  auto store = open();
  PastFrames past(&store, parts.clock, parts.log, parts.route);
  must(past.load(parts.camera.identity()));
  const std::vector<PastRange> kept{{Epoch(7), Counter(0), Counter(1)}};
  CHECK(past.listed(parts.second.id()).empty());
  past.request(parts.second.id(), kept);
  CHECK(past.listed(parts.second.id()) == kept);
  CHECK(past.listed(parts.hub.id()).empty());
  const auto next = [&] { return past.next(BitsPerSecond(1'000'000), protocol::max_message_size); };
  CHECK(next().empty());
  past.request(parts.hub.id(), kept);
  parts.clock.advance(1s);
  CHECK(equal(next(), grants));
  // A person looks, and the frame delays a live picture as a key frame does.
  const auto beside_live = [&] { return past.next(BitsPerSecond(1'000'000), 10); };
  parts.clock.advance(1s);
  CHECK(protocol::parse_frame(beside_live()));
  parts.clock.advance(PastFrames::large_time - 1s);
  CHECK(beside_live().empty());
  parts.clock.advance(1s);
  CHECK(protocol::parse_frame(beside_live()));
  CHECK(next().empty());
}
