// SPDX-License-Identifier: Apache-2.0
// The frames that a camera keeps while it has no broker, and its answers to requests of the kind past.
#include "stream/publish/past_frames.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <numeric>

#include "support/memory_past_store.hpp"
#include "support/stream_builder.hpp"
#include "support/temporary_folder.hpp"
#include "unit/stream/preroll_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;
using protocol::FrameKind;
using protocol::PastRange;
using protocol::RequestKind;

namespace {

device::PastFolder open_store(const std::filesystem::path& folder, const protocol::Route& route, const Actor& camera,
                              const FewAreas& masks = {}) {
  return must(device::PastFolder::open(folder, {.bytes = 64U << 20, .reserve = 0}, route, camera.identity(),
                                       must(PastFrames::digest_of(masks))));
}

FewAreas one_mask() { return FewAreas(PictureAreas{{0, 0, 500, 500}}); }

/// A store on a disk, which does not check signatures at its start because it is empty.
struct Disk {
  TemporaryFolder folder;
  device::PastFolder store = open_store(folder.path() / "past", {}, Actor());
};

struct PastScene : Disk, PrerollScene {
  PastScene() : PrerollScene({}, &store) {
    requests = RequestKind::record;
    keyframe_interval = 10;
  }
  void lose_broker() {
    client.is_connected = false;
    requests.reset();
    publisher.on_disconnected({Errc::connection, 0, "the cable is cut"});
  }
  void find_broker() {
    connect();
    client.settle();
  }
  void request(const Actor& by, std::vector<PastRange> ranges) {
    receive_request_with(by, [&](protocol::ViewRequest& r) {
      r.kind = RequestKind::past;
      r.past = std::move(ranges);
    });
    client.settle();
  }
  /// The ranges in the newest report.
  [[nodiscard]] std::vector<PastRange> listed() const {
    std::vector<PastRange> newest;
    for (const auto& seen : seen_by(hub))
      if (seen.kind == FrameKind::report) newest = must(protocol::decode_report(seen.content)).past;
    return newest;
  }
  /// The frames on the topic `past`, opened with the grants on the same topic.
  [[nodiscard]] std::vector<Seen> past_of(const Actor& by) const {
    std::map<Epoch, crypto::sframe::OpeningKey> keys;
    std::vector<Seen> seen;
    for (const auto* sent : client.on("/past")) {
      const auto frame = protocol::parse_frame(sent->payload);
      if (!frame) {
        const auto granted = must(protocol::decode_grants(sent->payload, route, camera.verifier()));
        if (const auto content = protocol::open_grant(granted, route, by.id(), by.keys().hpke))
          keys.insert_or_assign(
              granted.epoch, must(crypto::sframe::OpeningKey::open(granted.suite, granted.epoch, content->base_key)));
        continue;
      }
      const protocol::FrameOpener opener(route);
      must(opener.verify(*frame, camera.verifier()));
      const auto key = keys.find(frame->epoch);
      if (key == keys.end()) continue;
      Bytes out(frame->sealed.size());
      const auto opened = must(opener.open(out, *frame, key->second));
      seen.push_back({"past", frame->kind, frame->epoch, frame->counter, opened.header,
                      Bytes(opened.content.begin(), opened.content.end())});
    }
    return seen;
  }
  [[nodiscard]] std::size_t past_messages() const { return client.on("/past").size(); }
};

}  // namespace

TEST_CASE("the pictures of a time without a broker are kept, listed in reports, and sent once on request") {
  PastScene s;
  s.pass(10s);
  const auto before = s.video_of(s.hub);
  REQUIRE(!before.empty());
  s.lose_broker();
  const auto lost = s.number;
  s.pass(60s);
  const auto found = s.number;
  CHECK(s.video_of(s.hub).size() == before.size());
  s.find_broker();
  s.requests = RequestKind::record;
  s.pass(2s);
  s.request(s.hub, {{Epoch(1), Counter(0), Counter(1)}});  // not of this epoch; the answer lists what there is
  const auto listed = s.listed();
  REQUIRE(!listed.empty());
  CHECK(listed.front().first <= before.back().counter);  // also what was on its way when the connection broke
  CHECK(s.past_messages() == 0);
  s.requests.reset();
  s.pass(1s);
  s.request(s.hub, listed);
  s.pass(25s);
  const auto past = s.past_of(s.hub);
  std::vector<std::uint64_t> counters, expected;
  std::set<std::uint32_t> numbers;
  for (const auto& frame : past) {
    counters.push_back(frame.counter.value());
    numbers.insert(frame.header.number.value());
  }
  for (const auto& range : listed)
    for (auto counter = range.first; counter <= range.last; counter = counter.next())
      expected.push_back(counter.value());
  CHECK(counters == expected);
  for (auto number = lost; number < found; ++number) CHECK(numbers.contains(number));
  CHECK(s.past_messages() == past.size() + 1);  // and the grants
  CHECK(s.counters_unique());
}

TEST_CASE("without a request for a recording in the last minute, nothing is kept") {
  PastScene s;
  s.requests = GENERATE(as<std::optional<RequestKind>>(), RequestKind::live, RequestKind::record);
  const bool record = s.requests == RequestKind::record;
  s.pass(5s);
  s.requests.reset();
  s.pass(record ? 61s : 1s);
  s.lose_broker();
  s.pass(20s);
  CHECK(s.store.ranges().empty());
  CHECK_FALSE(s.control.active());
  // Control: with one, pictures are kept.
  s.find_broker();
  s.requests = RequestKind::record;
  s.pass(5s);
  s.requests.reset();
  s.pass(59s);
  s.lose_broker();
  s.pass(20s);
  CHECK_FALSE(s.store.ranges().empty());
  // The next connection counts as a request, and the one after it does not.
  for (const bool keeps : {true, false}) {
    s.find_broker();
    s.pass(5s);
    s.lose_broker();
    CHECK(s.publisher.past().keeping().has_value() == keeps);
    s.pass(61s);
  }
}

TEST_CASE("with requests for motion, the motion and the pictures before it are kept, and no others") {
  PastScene s;
  s.requests = RequestKind::motion;
  s.pass(20s);
  s.lose_broker();
  s.pass(60s);
  CHECK(s.store.ranges().empty());
  s.pass(2s, true);
  s.pass(60s);
  const auto ranges = s.store.ranges();
  REQUIRE(ranges.size() == 1);
  const auto seconds = (ranges[0].last.value() - ranges[0].first.value() + 1) / 5;  // 5 pictures a second
  CHECK(seconds >= 6 + 2 + 9);
  CHECK(seconds <= 10 + 2 + 12);
}

TEST_CASE("a privacy switch deletes the kept pictures, and none of them leaves the camera") {
  PastScene s;
  s.pass(5s);
  s.lose_broker();
  s.pass(30s);
  s.find_broker();
  const auto ranges = s.store.ranges();
  REQUIRE(!ranges.empty());
  s.request(s.hub, ranges);
  const auto sent = s.past_messages();
  CHECK(sent > 0);
  s.receive_request(s.hub, RequestKind::privacy_on);
  CHECK(s.store.ranges().empty());
  s.pass(2s);
  s.request(s.hub, ranges);
  s.pass(10s);
  s.receive_privacy_off(s.hub);
  s.pass(2s);
  s.request(s.hub, ranges);
  s.pass(10s);
  CHECK(s.past_messages() == sent);
}

TEST_CASE("the sensor stays closed until the deletion of what was kept before privacy is durable") {
  const bool deletes_first = GENERATE(true, false);  // false: control, without PastPrivacyStore
  MemoryPastStore disk;
  MemoryPrivacyStore stored;
  device::PastPrivacyStore privacy(stored, deletes_first ? &disk : nullptr);
  const device::PastFrame frame{Counter(0), as_bytes("frame")};
  must(disk.add(Epoch(7), as_bytes("grants"), std::span(&frame, 1)));
  must(privacy.store(true));
  disk.broken = true;
  CHECK_FALSE(disk.clear());
  CHECK(disk.ranges().empty());
  CHECK(privacy.store(false).has_value() == !deletes_first);
  CHECK(stored.content == deletes_first);
  disk.restart();  // a power cut
  CHECK_FALSE(disk.ranges().empty());
  disk.broken = false;
  if (stored.content) must(disk.clear());  // as each start with privacy
  CHECK(disk.ranges().empty() == deletes_first);
  CHECK(privacy.store(false));
  CHECK(must(privacy.load()) == false);
}

TEST_CASE("a privacy switch in a run that keeps nothing deletes what an earlier run kept") {
  TemporaryFolder disk;
  const CameraSurroundings parts;
  const auto folder = disk.path() / "past";
  const device::PastFrame frame{Counter(0), as_bytes("frame")};
  {
    auto store = open_store(folder, parts.route, parts.camera);
    must(store.add(Epoch(7), as_bytes("grants"), std::span(&frame, 1)));
  }
  MemoryPrivacyStore stored;
  device::PastPrivacyStore privacy(stored, nullptr, folder);
  must(privacy.store(true));
  CHECK(std::filesystem::exists(folder));  // control
  must(privacy.store(false));
  CHECK_FALSE(std::filesystem::exists(folder));
  CHECK_FALSE(stored.content);
  // The sensor stays closed while the deletion fails.
  must(write_file_durably(folder, as_bytes("not a folder")));
  must(privacy.store(true));
  CHECK_FALSE(privacy.store(false));
  CHECK(stored.content);
}

TEST_CASE("a camera whose card fails during privacy does not open its sensor before the kept pictures are deleted") {
  MemoryPastStore disk;
  PrerollScene s({}, &disk);
  s.requests = RequestKind::record;
  s.pass(5s);
  s.client.is_connected = false;
  s.requests.reset();
  s.publisher.on_disconnected({Errc::connection, 0, "the cable is cut"});
  s.pass(10s);
  s.connect();
  s.client.settle();
  REQUIRE(!disk.ranges().empty());
  disk.broken = true;
  s.receive_request(s.hub, RequestKind::privacy_on);
  CHECK(s.control.closed());  // never waits for the card
  CHECK(disk.ranges().empty());
  s.clock.advance(2s);
  s.receive_privacy_off(s.hub);
  CHECK(s.control.closed());
  disk.broken = false;
  s.clock.advance(2s);
  s.receive_privacy_off(s.hub);
  CHECK_FALSE(s.control.closed());
  disk.restart();
  CHECK(disk.ranges().empty());
}

TEST_CASE("a slow card takes a tenth of the time at most, and what follows a pause is kept") {
  MemoryPastStore disk;
  PrerollScene s({}, &disk);
  std::chrono::milliseconds busy{0};
  disk.on_access = [&] {
    s.clock.advance(1s);
    busy += 1s;
  };
  s.requests = RequestKind::record;
  s.keyframe_interval = 10;
  s.pass(5s);
  s.client.is_connected = false;
  s.requests.reset();
  s.publisher.on_disconnected({Errc::connection, 0, "the cable is cut"});
  s.pass(120s);
  CHECK(busy >= 10s);
  CHECK(busy <= 15s);
  const auto lost = s.number;
  s.pass(1s);
  s.connect();  // the card rests
  s.client.settle();
  s.pass(15s);
  const auto kept = disk.ranges();
  REQUIRE(kept.size() == 1);
  CHECK(kept.back().last.value() >= lost);
  busy = 0s;
  s.receive_request_with(s.hub, [&](protocol::ViewRequest& r) {
    r.kind = RequestKind::past;
    r.past = kept;
  });
  s.pass(25s);
  CHECK(busy >= 2s);
  CHECK(busy <= 4s);
}

TEST_CASE("after a frame that cannot be read, the card rests before the next one") {
  MemoryPastStore disk;
  PrerollScene s({}, &disk);
  s.requests = RequestKind::record;
  s.pass(5s);
  s.client.is_connected = false;
  s.requests.reset();
  s.publisher.on_disconnected({Errc::connection, 0, "the cable is cut"});
  s.pass(10s);
  s.connect();
  s.client.settle();
  s.pass(1s);
  int reads = 0;
  disk.on_access = [&] {
    ++reads;
    s.clock.advance(100ms);
  };
  disk.unreadable = true;
  const auto kept = disk.ranges();
  REQUIRE(!kept.empty());
  s.receive_request_with(s.hub, [&](protocol::ViewRequest& r) {
    r.kind = RequestKind::past;
    r.past = kept;
  });
  s.pass(10s);
  CHECK(reads >= 2);
  CHECK(reads <= 11);
  disk.unreadable = false;
  const auto before = s.client.on("/past").size();
  s.pass(5s);
  CHECK(s.client.on("/past").size() > before);  // control
}

TEST_CASE("requests for kept pictures do not use up the rate of the others") {
  PastScene s;
  const auto rejected = [&] { return s.CameraRun::requests.counters().rejected[protocol::RejectReason::too_often]; };
  s.clock.advance(2s);
  s.request(s.hub, {{Epoch(1), Counter(0), Counter(1)}});
  s.receive_request(s.hub, RequestKind::live);
  s.receive_request(s.hub, RequestKind::privacy_on);
  CHECK(s.control.closed());
  CHECK(rejected() == 0);
  s.request(s.hub, {{Epoch(1), Counter(0), Counter(1)}});
  CHECK(rejected() == 1);
  s.clock.advance(1s);
  s.request(s.hub, {{Epoch(1), Counter(0), Counter(1)}});
  CHECK(rejected() == 1);
}

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
  CHECK(past.listed() == std::vector<PastRange>{{Epoch(7), Counter(0), Counter(1)}});
  past.request(parts.second.id(), past.listed());
  const auto next = [&] { return past.next(BitsPerSecond(1'000'000), protocol::max_message_size); };
  CHECK(next().empty());
  past.request(parts.hub.id(), past.listed());
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
