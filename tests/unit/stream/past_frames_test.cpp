// SPDX-License-Identifier: Apache-2.0
// The frames that a camera keeps while it has no broker: when, what deletes them, and a card that is slow or fails.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <numeric>

#include "unit/stream/past_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;

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

TEST_CASE("after an outage the camera keeps its pictures until a hub requests them, and then no number is missing") {
  PastScene s;
  s.pass(10s);
  s.lose_broker();
  s.pass(20s);
  s.find_broker();
  const auto live_only = GENERATE(false, true);
  s.requests = live_only ? std::optional(RequestKind::live) : std::nullopt;  // the hub that records comes back later
  s.pass(15s);
  const auto published = s.video_of(s.hub).size();
  s.requests = RequestKind::record;
  s.pass(5s);
  const auto video = s.video_of(s.hub);
  CHECK(video.size() > published);
  CHECK_FALSE(s.publisher.past().keeping());
  const auto ranges = s.store.ranges();
  REQUIRE(ranges.size() == 1);
  const auto first = std::ranges::find_if(video, [&](const auto& seen) { return seen.counter > ranges[0].last; });
  REQUIRE(first != video.end());
  CHECK(first->counter.value() <= ranges[0].last.value() + 2);  // the request is answered with a report
  for (std::uint32_t number = 50; number < s.number - 2; ++number)
    CHECK(std::ranges::any_of(s.taken, [&](const Taken& t) { return t.number.value() == number && t.encoded; }));
}

TEST_CASE("without a hub that records, the camera keeps its pictures for a minute after an outage") {
  PastScene s;
  s.pass(10s);
  s.lose_broker();
  s.pass(20s);
  s.find_broker();
  s.requests = GENERATE(as<std::optional<RequestKind>>(), std::nullopt, RequestKind::live, RequestKind::motion);
  s.pass(59s);
  CHECK(s.publisher.past().keeping());
  const auto before = s.store.ranges().back().last;
  s.pass(2s);
  CHECK_FALSE(s.publisher.past().keeping());
  CHECK(s.store.ranges().back().last > before);
  const auto after = s.store.ranges();
  s.pass(30s);
  CHECK(s.store.ranges() == after);
}

TEST_CASE("after an outage a person sees pictures at once, although the camera still keeps them") {
  PastScene s;
  s.pass(10s);
  s.lose_broker();
  s.pass(20s);
  const auto before = s.video_of(s.hub).size();
  s.find_broker();
  s.requests = RequestKind::live;
  s.pass(4s);
  CHECK(s.publisher.past().keeping());
  CHECK(s.video_of(s.hub).size() >= before + 14);  // five pictures a second
  CHECK(s.counters_unique());
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
