// SPDX-License-Identifier: Apache-2.0
// Requests for recordings, and the pictures that the camera keeps for them.
#include <catch2/catch_test_macros.hpp>

#include "support/allocation_counter.hpp"
#include "unit/stream/capture_scene.hpp"
#include "unit/stream/preroll_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;
using protocol::FrameKind;
using protocol::RequestKind;

namespace {

using Pictures = std::vector<CameraScene::Seen>;

/// Each picture of the camera's encoder from the first to the last one, once, decodable.
void check_complete(const Pictures& video) {
  REQUIRE(!video.empty());
  CHECK(video.front().kind == FrameKind::key);
  for (std::size_t i = 1; i < video.size(); ++i) {
    CHECK(video[i].header.number == video[i - 1].header.number.next());
    if (video[i].kind == FrameKind::delta) CHECK(video[i].header.depends == video[i - 1].counter);
  }
}

std::chrono::microseconds from(const Pictures::value_type& picture, CaptureTime to) {
  return to.since_epoch - picture.header.captured.since_epoch;
}

}  // namespace

TEST_CASE("while nothing moves, a camera with leases for motion encodes, seals no picture, and reports every 5 s") {
  PrerollScene s;
  s.pass(30s);
  CHECK(s.publisher.picture_use() == PictureUse::preroll);
  CHECK(s.control.active());
  CHECK(s.video_of(s.hub).empty());
  CHECK(s.publisher.counters().stills == 0);
  CHECK(s.reports() == 6);
  CHECK(s.queue.size() >= 30);
  CHECK(s.queue.size() <= 51);  // 10 s
  CHECK(s.queue.counters().dropped == 0);
  CHECK(s.queue.counters().expired > 0);
  s.requests.reset();
  s.pass(10s);
  CHECK(s.publisher.picture_use() == PictureUse::none);
  CHECK(s.queue.size() == 0);
}

TEST_CASE(
    "a camera that cannot detect motion encodes nothing for requests of motion, and its reports have the reason") {
  PrerollScene s;
  const bool off = GENERATE(true, false);
  if (off) s.control.set_areas({.sensitivity = 0});
  else s.control.set_sensor_encodes(true);
  const auto reported = [&] {
    const auto seen = s.seen_by(s.hub);
    REQUIRE(!seen.empty());
    REQUIRE(seen.back().kind == FrameKind::report);
    return must(protocol::decode_report(seen.back().content)).detects_motion;
  };
  s.pass(12s, true);
  CHECK(s.publisher.picture_use() == PictureUse::none);
  CHECK_FALSE(s.control.active());
  CHECK(s.queue.size() == 0);
  CHECK(s.reports() == 3);
  CHECK_FALSE(reported());
  // A sensor that encodes may be opened with another format while the camera runs.
  if (off) s.control.set_areas({});
  else s.control.set_sensor_encodes(false);
  s.pass(6s);
  CHECK(s.publisher.picture_use() == PictureUse::preroll);
  CHECK(reported());
  // Other requests have their effect.
  s.control.set_sensor_encodes(true);
  s.requests = RequestKind::record;
  s.pass(1s);
  CHECK(s.publisher.picture_use() == PictureUse::record);
}

TEST_CASE("when a person leaves during a motion, its recording continues until 10 s after it") {
  PrerollScene s;
  s.requests = RequestKind::live;
  s.pass(3s);
  s.requests = RequestKind::motion;
  s.pass(8s, true);
  const auto motion_end = s.clock.wall();
  REQUIRE(s.publisher.picture_use() == PictureUse::live);
  s.pass(20s);
  CHECK(s.publisher.picture_use() == PictureUse::preroll);
  const auto video = s.video_of(s.hub);
  check_complete(video);
  CHECK(from(video.back(), motion_end) == -10s);
}

TEST_CASE("a recording of motion has the pictures from at least 6 s before until 10 s after it, each once") {
  PrerollScene s;
  s.delay = GENERATE(0U, 3U);
  s.pass(27s);
  const auto motion = s.clock.wall();
  s.pass(1s, true);
  const auto motion_end = s.clock.wall();
  s.pass(20s);
  const auto video = s.video_of(s.hub);
  check_complete(video);
  CHECK(from(video.front(), motion) >= 6s);
  CHECK(from(video.front(), motion) <= 10s);
  CHECK(from(video.back(), motion_end) == -10s);
  CHECK(s.publisher.picture_use() == PictureUse::preroll);
  CHECK(std::ranges::count_if(video, [](const auto& picture) { return picture.header.motion; }) == 5);
  for (const auto& picture : video) {
    const auto& original = s.taken.at(picture.header.number.value());
    CHECK(picture.header.captured == original.wall);
    CHECK(picture.header.motion == original.moves);
  }
  // The next motion adds what was kept meanwhile.
  s.pass(1s, true);
  const auto all = s.video_of(s.hub);
  CHECK(all.size() > video.size());
  CHECK(all[video.size()].header.number.value() > video.back().header.number.value());
}

TEST_CASE("a kept picture echoes only challenges from before it was taken") {
  PrerollScene s;
  s.pass(20s);
  s.pass(1s, true);
  const auto video = s.video_of(s.hub);
  REQUIRE(video.size() > 30);
  // The challenges are the numbers of the requests, one each second.
  const auto first = *video.front().header.echoes.begin();
  const auto last = *video.back().header.echoes.begin();
  CHECK(last.value() - first.value() >= 6);
  CHECK(last.value() - first.value() <= 11);
}

TEST_CASE("kept key frames are at most 4 s apart, whatever the interval of the encoder") {
  PrerollScene s;
  s.interval = std::chrono::milliseconds(GENERATE(33, 200, 1000));
  s.pass(15s);
  s.pass(2s, true);
  MonotonicTime key = s.taken.at(s.video_of(s.hub).front().header.number.value()).captured;
  for (const auto& picture : s.video_of(s.hub)) {
    if (picture.kind != FrameKind::key) continue;
    const auto captured = s.taken.at(picture.header.number.value()).captured;
    CHECK(captured - key <= 4s);
    key = captured;
  }
}

TEST_CASE("a roster, a command and a change of privacy delete the kept pictures, also those in the encoder") {
  PrerollScene s;
  s.delay = 3;
  s.pass(20s);
  SECTION("roster") { s.receive_roster(s.roster(2, {&s.hub, &s.second, &s.stranger})); }
  SECTION("command") {
    protocol::Command command;
    command.seq = protocol::CommandSeq(1);
    command.name = {command.seq, "gate"};
    s.receive_command(s.sealed(command));
  }
  SECTION("privacy") {
    s.clock.advance(1s);
    s.receive_request(s.hub, RequestKind::privacy_on);
    CHECK(s.control.closed());
    s.clock.advance(1s);
    s.receive_privacy_off(s.hub);
    CHECK_FALSE(s.control.closed());
  }
  s.client.settle();
  const auto first = s.clock.wall();
  CHECK(s.queue.size() == 0);
  s.receive_request(s.second, RequestKind::motion);
  s.flush();
  CHECK(s.queue.size() == 0);
  s.pass(5s, true);
  const auto video = s.video_of(s.second);
  check_complete(video);
  CHECK(from(video.front(), first) < 0s);
  CHECK(from(video.front(), first) >= -1s);  // the camera continues at once
}

TEST_CASE("when a person begins to look, the kept pictures are deleted and the first picture is new") {
  PrerollScene s;
  s.pass(20s);
  s.receive_request(s.second);
  s.client.settle();
  const auto now = s.clock.wall();
  s.pass(1s);
  const auto video = s.video_of(s.hub);
  check_complete(video);
  CHECK(from(video.front(), now) == -200ms);
  CHECK(s.publisher.picture_use() == PictureUse::live);
  CHECK(s.publisher.leases().live == 1);
  CHECK(s.publisher.leases().motion == 1);
}

TEST_CASE("a connection that breaks while kept pictures are sent costs one group of them") {
  PrerollScene s;
  s.pass(20s);
  const auto motion = s.clock.wall();
  s.answers = false;
  s.pass(400ms, true);
  const auto in_flight = s.client.waiting.size();
  REQUIRE(in_flight >= 2);
  for (std::size_t i = 0; i < in_flight; ++i) s.client.answer(fail(Errc::connection, "reset"));
  CHECK(s.client.waiting.empty());
  s.answers = true;
  s.pass(12s);
  const auto video = s.video_of(s.hub);
  REQUIRE(video.size() > 5);
  const auto before = std::ranges::count_if(video, [&](const auto& picture) { return from(picture, motion) > 0s; });
  CHECK(before > 20);
  CHECK(from(video.back(), motion) < -9s);
}

TEST_CASE("a recording of motion continues while another hub requests stills") {
  PrerollScene s;
  s.pass(20s);
  s.pass(400ms, true);
  REQUIRE(s.publisher.picture_use() == PictureUse::motion);
  s.receive_request(s.second, RequestKind::still);
  s.pass(8s);
  CHECK(s.publisher.picture_use() == PictureUse::motion);
  CHECK(s.publisher.counters().stills > 0);
  check_complete(s.video_of(s.hub));
}

TEST_CASE("while pictures are only kept, a slow network of the past makes them neither small nor rare") {
  PrerollScene s;
  s.pass(20s);
  s.requests = RequestKind::record;
  s.answers = false;
  for (int i = 0; i < 120; ++i) {
    s.pass(600ms);
    if (!s.client.waiting.empty()) s.client.answer(fail(Errc::exhausted, "the queue is full"));
    s.client.settle();
  }
  REQUIRE(s.control.quality().min_interval > 200ms);
  s.answers = true;
  s.requests = RequestKind::motion;
  s.pass(30s);
  REQUIRE(s.publisher.picture_use() == PictureUse::preroll);
  CHECK(s.control.quality().min_interval <= 200ms);
  CHECK(s.control.quality().downscale == 0);
}

TEST_CASE("pictures for a recording wait for a slow network, pictures for a person do not") {
  PrerollScene s;
  s.requests = GENERATE(RequestKind::record, RequestKind::live);
  const bool live = s.requests == RequestKind::live;
  s.pass(3s);
  CHECK(s.publisher.leases().live == (live ? 1 : 0));
  CHECK(s.publisher.leases().record == (live ? 0 : 1));
  const auto before = s.video_of(s.hub).size();
  s.answers = false;
  s.pass(5s);
  s.client.settle();
  s.answers = true;
  s.pass(1s);
  const auto video = s.video_of(s.hub);
  CHECK(video.size() > before);
  const auto gap = std::ranges::adjacent_find(
      video, [](const auto& a, const auto& b) { return b.header.number != a.header.number.next(); });
  CHECK((gap == video.end()) == !live);
}

TEST_CASE("the kept pictures have a limited memory, and the camera allocates none for each of them") {
  PrerollScene s;
  s.requests.reset();
  s.receive_request(s.hub, RequestKind::motion);
  s.client.settle();
  s.client.recording = false;
  const Bytes unit(30'000, std::byte{1});
  const auto pictures = [&](int count) {
    for (int i = 0; i < count; ++i) {
      s.clock.advance(1ms);
      const auto now = s.clock.monotonic();
      s.queue.push(unit, {FrameNumber(s.number++), now, s.challenges.pick(now), {64, 48}, i % 30 == 0});
      s.publisher.frames_ready();
      s.publisher.tick();
    }
  };
  pictures(1000);
  const AllocationCounter allocations;
  pictures(2000);
  const auto made = allocations.count();
  CHECK(made == 0);
  CHECK(s.queue.size() * unit.size() <= 8U << 20);
  CHECK(s.queue.size() * unit.size() >= 6U << 20);
}
