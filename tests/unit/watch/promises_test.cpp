// SPDX-License-Identifier: Apache-2.0
// P1 to P4 at a hub. Each test has a control: the unmodified message is shown.
#include <catch2/catch_test_macros.hpp>

#include "support/hub_scene.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;

namespace {

/// True if this reason was counted `times` times, and no other reason.
bool rejected_only(const HubScene& scene, RejectReason why, std::uint64_t times = 1) {
  return scene.rejected(why) == times && scene.watcher->rejected().total() == times;
}

}  // namespace

TEST_CASE("the pictures of the account's camera are shown LIVE, once each and in order") {
  HubScene s;
  auto epoch = s.join();
  s.video(s.builder.gop(epoch, "IPPPIPP", s.challenge(epoch)));
  REQUIRE(s.sink.shown.size() == 7);
  CHECK(s.sink.live() == 7);
  CHECK(s.watcher->rejected().total() == 0);
  CHECK(s.sink.shown[6].picture.header.number == FrameNumber(7));
  CHECK(s.sink.shown[0].unit == Bytes(200, std::byte{0xab}));
  CHECK(s.status().state == CameraState::live);
  CHECK(s.status().name == "camera 100");
}

TEST_CASE("frames of another account's camera on this account's topic are rejected") {
  HubScene s, other;
  auto own = s.join();
  auto other_epoch = other.join();
  for (const auto& m : other.builder.gop(other_epoch, "IPP", other.challenge(other_epoch)).messages)
    s.deliver(Leaf::video, m);
  CHECK(rejected_only(s, RejectReason::wrong_account, 3));
  CHECK(s.sink.shown.empty());
  s.video(s.builder.gop(own, "IP", s.challenge(own)));
  CHECK(s.sink.live() == 2);

  SECTION("control: a hub with the keys of the other account shows them") {
    auto control = must(watch::Watcher::create(
        other.owner.identity(), other.hub.keys(),
        {s.checker, other.rosters, s.sequence, other.max_epochs, &other.prekeys, s.clock, s.log, s.sink}));
    FakeMqttClient client{FakeMqttClient::Answers::at_once};
    control->start(client);
    const auto send = [&](Leaf leaf, ByteView payload) {
      control->on_message({protocol::topic(other.route, leaf), payload, false});
    };
    s.sink.shown.clear();
    send(Leaf::roster, must(protocol::encode_roster(other.roster(), other.route, other.owner.keys().identity)));
    send(Leaf::grants, other.builder.grants(other_epoch, other.roster()));
    for (const auto& m : other.builder.gop(other_epoch, "IPP").messages) send(Leaf::video, m);
    CHECK(s.sink.shown.size() == 3);
  }
}

TEST_CASE("frames of a camera whose roster does not list this hub are rejected") {
  HubScene s;
  Actor other;
  auto epoch = s.builder.make_epoch(1);
  s.deliver_roster(roster_of(s.camera, 1, {&other}));
  s.deliver(Leaf::grants, s.builder.grants(epoch, s.roster()));
  s.video(s.builder.gop(epoch, "IP"));
  CHECK(rejected_only(s, RejectReason::not_member, 2));
  CHECK(s.sink.shown.empty());
  s.deliver_roster(s.roster(2));
  s.video(s.builder.gop(epoch, "IP", s.challenge(epoch)));
  CHECK(s.sink.shown.size() == 2);
}

TEST_CASE("a frame with any flipped bit is rejected, and the unmodified frame is shown") {
  HubScene s;
  auto epoch = s.join();
  s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
  const auto good = s.builder.gop(epoch, "I", s.challenge(epoch)).messages[0];
  for (std::size_t at = 0; at < good.size(); ++at) {
    auto bad = good;
    bad[at] ^= std::byte{1};
    s.deliver(Leaf::video, bad);
  }
  s.advance(1100ms);  // frames that name another epoch wait for its grants
  CHECK(s.sink.shown.size() == 1);
  CHECK(s.watcher->rejected().total() == good.size());
  CHECK(s.rejected(RejectReason::bad_signature) > good.size() / 2);
  CHECK(s.rejected(RejectReason::malformed) > 0);
  CHECK(s.rejected(RejectReason::wrong_account) == 20);
  CHECK(s.rejected(RejectReason::not_decryptable) == 0);
  s.deliver(Leaf::video, good);
  CHECK(s.sink.shown.size() == 2);
}

TEST_CASE("a truncated frame is rejected as malformed") {
  HubScene s;
  auto epoch = s.join();
  const auto good = s.builder.gop(epoch, "I", s.challenge(epoch)).messages[0];
  for (std::size_t size = 0; size < good.size(); ++size) s.deliver(Leaf::video, ByteView(good).first(size));
  CHECK(rejected_only(s, RejectReason::malformed, good.size()));
  s.deliver(Leaf::video, Bytes(protocol::max_message_size + 1));
  CHECK(s.sink.shown.empty());
  s.deliver(Leaf::video, good);
  CHECK(s.sink.shown.size() == 1);
}

TEST_CASE("a hub with the base key cannot forge frames of the camera") {
  HubScene s;
  auto epoch = s.join();
  Actor insider;
  // Signed with another key: first in the name of its owner, then in the camera's name.
  StreamBuilder forger(s.route, insider);
  auto forged = forger.gop(epoch, "I", s.challenge(epoch)).messages[0];
  s.deliver(Leaf::video, forged);
  CHECK(rejected_only(s, RejectReason::wrong_account));
  const auto at = std::ranges::search(forged, insider.id().bytes());
  REQUIRE(!at.empty());
  std::ranges::copy(s.camera.id().bytes(), at.begin());
  s.deliver(Leaf::video, forged);
  CHECK(s.rejected(RejectReason::bad_signature) == 1);
  CHECK(s.sink.shown.empty());
  s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
  CHECK(s.sink.shown.size() == 1);
}

TEST_CASE("a replayed frame is rejected") {
  HubScene s;
  auto epoch = s.join();
  const auto gop = s.builder.gop(epoch, "IPP", s.challenge(epoch));
  s.video(gop);
  s.video(gop);
  CHECK(rejected_only(s, RejectReason::replayed, 3));
  CHECK(s.sink.shown.size() == 3);
}

TEST_CASE("a late frame is rejected as out of order, and as replayed the second time") {
  HubScene s;
  auto epoch = s.join();
  auto gop = s.builder.gop(epoch, "II", s.challenge(epoch));
  s.video(gop.swap(0, 1));
  CHECK(rejected_only(s, RejectReason::out_of_order));
  s.deliver(Leaf::video, gop.messages[1]);
  CHECK(s.rejected(RejectReason::replayed) == 1);
  REQUIRE(s.sink.shown.size() == 1);
  CHECK(s.sink.shown[0].picture.header.number == FrameNumber(2));
}

TEST_CASE("frames of a closed epoch are rejected") {
  HubScene s;
  auto old = s.join(100);
  s.video(s.builder.gop(old, "IP", s.challenge(old)));
  auto late = s.builder.gop(old, "IP", s.challenge(old));
  auto fresh = s.join(200);
  SECTION("after the first echo of the new epoch") {
    s.video(s.builder.gop(fresh, "I", s.challenge(fresh)));
    s.video(late);
    CHECK(rejected_only(s, RejectReason::closed_epoch, 2));
    CHECK(s.sink.shown.size() == 3);
    s.video(late.flip_bit(0, 0));
    CHECK(s.rejected(RejectReason::bad_signature) == 1);
    s.deliver(Leaf::grants, s.builder.grants(old, s.roster()));
    s.video(s.builder.gop(old, "I", s.challenge(fresh)));
    CHECK(s.sink.shown.size() == 3);
    CHECK(s.status().counters.rejected_control[RejectReason::closed_epoch] == 1);
  }
  SECTION("control: before the echo they are shown") {
    s.video(late);
    CHECK(s.sink.shown.size() == 4);
  }
}

TEST_CASE("grants of an older epoch change nothing") {
  HubScene s;
  auto older = s.builder.make_epoch(50);
  auto current = s.join(100);
  const auto recorded = s.builder.gop(older, "IPP");
  s.video(s.builder.gop(current, "I", s.challenge(current)));
  s.deliver(Leaf::grants, s.builder.grants(older, s.roster()));
  s.video(recorded);
  CHECK(s.sink.shown.size() == 1);
  CHECK(s.status().counters.held_back == 3);
  CHECK(s.status().epoch == current.epoch);
  s.video(s.builder.gop(current, "I", s.challenge(current)));
  CHECK(s.sink.live() == 2);

  SECTION("control: an epoch with a lower number that echoes belongs to a camera that was reset") {
    s.video(s.builder.gop(older, "I", s.challenge(older)));
    CHECK(s.status().epoch == older.epoch);
    CHECK(s.sink.live() == 3);  // the held group is shown with it, as STALE
  }
}

TEST_CASE("an epoch whose frames were held back does not replace a later epoch") {
  HubScene s;
  auto first = s.join(100);
  const auto held = s.builder.gop(first, "IP", s.challenge(first));
  s.advance(1s);
  auto second = s.join(101);
  const auto early = s.challenge(second);
  s.video(s.builder.gop(second, "I", early));
  CHECK(s.status().epoch == second.epoch);
  s.video(held);
  CHECK(s.status().epoch == second.epoch);
  CHECK(s.sink.shown.size() == 1);
  CHECK(s.status().counters.held_back == 2);
  s.video(s.builder.gop(second, "P", early));
  CHECK(s.sink.live() == 2);

  SECTION("control: an epoch with a later echo replaces it, like that of a camera after a reset") {
    s.advance(1s);
    s.video(s.builder.gop(first, "I", s.challenge(first)));
    CHECK(s.status().epoch == first.epoch);
  }
}

TEST_CASE("a group that began before the first echo is shown with the echo, as STALE up to it") {
  HubScene s;
  auto current = s.join(100);
  s.video(s.builder.gop(current, "I", s.challenge(current)));
  auto next = s.join(101);
  s.video(s.builder.gop(next, "IPP"));
  CHECK(s.sink.shown.size() == 1);
  s.video(s.builder.gop(next, "P", s.challenge(next)));
  REQUIRE(s.sink.shown.size() == 5);
  CHECK(s.sink.shown[3].picture.state == CameraState::stale);
  CHECK(s.sink.shown[4].picture.state == CameraState::live);
}

TEST_CASE("a hub keeps the current epoch and two candidates, whatever a broker offers") {
  HubScene s;
  auto current = s.join(100);
  s.video(s.builder.gop(current, "I", s.challenge(current)));
  std::vector<TestEpoch> old;
  for (std::uint64_t i = 1; i < 6; ++i) old.push_back(s.join(i));
  s.video(s.builder.gop(current, "P", s.challenge(current)));
  CHECK(s.sink.live() == 2);
  s.video(s.builder.gop(old[0], "I"));  // no longer stored: the frame waits for its grants, then has no key
  s.advance(1100ms);
  CHECK(rejected_only(s, RejectReason::not_decryptable));
}

TEST_CASE("a broker that offers old epochs in turn cannot make a hub without a current epoch show a picture twice") {
  HubScene s;
  std::vector<TestEpoch> old;
  std::vector<Stream> recordings;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    old.push_back(s.join(i));
    recordings.push_back(s.builder.gop(old.back(), "IP"));
  }
  s.video(recordings[2]);
  CHECK(s.sink.shown.size() == 2);
  for (int turn = 0; turn < 6; ++turn) {
    const auto i = static_cast<std::size_t>(turn) % 3;
    s.deliver(Leaf::grants, s.builder.grants(old[i], s.roster()));
    s.video(recordings[i]);
  }
  CHECK(s.sink.shown.size() == 2);
  CHECK(s.rejected(RejectReason::replayed) == 4);

  SECTION("control: an epoch with a higher number is newer and is shown") {
    auto next = s.join(4);
    s.video(s.builder.gop(next, "I"));
    CHECK(s.sink.shown.size() == 3);
  }
}

TEST_CASE("frames wait for their grants for at most 1 s and 2 MiB") {
  HubScene s;
  s.deliver_roster(s.roster());
  auto epoch = s.builder.make_epoch(7);
  const auto gop = s.builder.gop(epoch, "IPP");
  SECTION("frames are shown if the grants arrive in time") {
    s.video(gop);
    s.advance(900ms);
    s.deliver(Leaf::grants, s.builder.grants(epoch, s.roster()));
    CHECK(s.sink.shown.size() == 3);
    CHECK(s.watcher->rejected().total() == 0);
  }
  SECTION("frames are dropped if the grants arrive too late") {
    s.video(gop);
    s.advance(1100ms);
    CHECK(rejected_only(s, RejectReason::not_decryptable, 3));
    s.deliver(Leaf::grants, s.builder.grants(epoch, s.roster()));
    CHECK(s.sink.shown.empty());
  }
  SECTION("the oldest frames are dropped if there are too many") {
    for (std::uint32_t i = 1; i <= 5; ++i)
      s.deliver(Leaf::video, s.builder.frame(epoch, FrameKind::key, {.number = 100 + i, .size = 900'000}));
    CHECK(rejected_only(s, RejectReason::not_decryptable, 3));
    s.deliver(Leaf::grants, s.builder.grants(epoch, s.roster()));
    CHECK(s.sink.shown.size() == 2);
  }
}

TEST_CASE("grants without an entry for this hub open no frame") {
  HubScene s;
  Actor other;
  s.deliver_roster(s.roster());
  auto epoch = s.builder.make_epoch(7);
  s.deliver(Leaf::grants, s.builder.grants(epoch, roster_of(s.camera, 1, {&other})));
  s.video(s.builder.gop(epoch, "IP"));
  s.advance(1100ms);
  CHECK(rejected_only(s, RejectReason::not_decryptable, 2));
  CHECK(s.status().counters.rejected_control[RejectReason::not_decryptable] == 1);
}
