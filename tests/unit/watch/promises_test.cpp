// SPDX-License-Identifier: Apache-2.0
// P1 to P4 at a hub. Every test has a control: the same message, unharmed, is shown.
#include <catch2/catch_test_macros.hpp>

#include "hub_world.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;

namespace {

/// True when exactly this reason was counted `times` times, and no other.
bool refused_only(const HubWorld& world, Refusal why, std::uint64_t times = 1) {
  return world.refused(why) == times && world.watcher->refused().total() == times;
}

}  // namespace

TEST_CASE("pictures of one's own camera are shown LIVE, each once and in order") {
  HubWorld w;
  auto epoch = w.join();
  w.video(w.builder.gop(epoch, "IPPPIPP", w.challenge(epoch)));
  REQUIRE(w.sink.shown.size() == 7);
  CHECK(w.sink.live() == 7);
  CHECK(w.watcher->refused().total() == 0);
  CHECK(w.sink.shown[6].picture.header.number == FrameNumber(7));
  CHECK(w.sink.shown[0].unit == Bytes(200, std::byte{0xab}));
  CHECK(w.status().state == CameraState::live);
  CHECK(w.status().name == "camera 100");
}

TEST_CASE("a foreign camera's frames on one's own topic are refused as another account's") {
  HubWorld w, other;
  auto own = w.join();
  auto foreign = other.join();
  for (const auto& m : other.builder.gop(foreign, "IPP", other.challenge(foreign)).messages) w.deliver(Leaf::video, m);
  CHECK(refused_only(w, Refusal::wrong_account, 3));
  CHECK(w.sink.shown.empty());
  w.video(w.builder.gop(own, "IP", w.challenge(own)));
  CHECK(w.sink.live() == 2);

  SECTION("control: the same hub with the other's keys and membership shows them") {
    auto control = must(watch::Watcher::create(other.owner.identity(), other.hub.keys(),
                                               {w.checker, other.rosters, w.sequence, w.clock, w.log, w.sink}));
    RecordingClient client;
    control->start(client);
    const auto send = [&](Leaf leaf, ByteView payload) {
      control->on_message({protocol::topic(other.route, leaf), payload, false});
    };
    w.sink.shown.clear();
    send(Leaf::roster, must(protocol::encode_roster(other.roster(), other.route, other.owner.keys().identity)));
    send(Leaf::grants, other.builder.grants(foreign, other.roster()));
    for (const auto& m : other.builder.gop(foreign, "IPP").messages) send(Leaf::video, m);
    CHECK(w.sink.shown.size() == 3);
  }
}

TEST_CASE("frames of a camera whose roster does not list this hub are refused as not ours") {
  HubWorld w;
  Actor other;
  auto epoch = w.builder.make_epoch(1);
  w.deliver_roster(roster_of(w.camera, 1, {&other}));
  w.deliver(Leaf::grants, w.builder.grants(epoch, w.roster()));
  w.video(w.builder.gop(epoch, "IP"));
  CHECK(refused_only(w, Refusal::not_member, 2));
  CHECK(w.sink.shown.empty());
  w.deliver_roster(w.roster(2));
  w.video(w.builder.gop(epoch, "IP", w.challenge(epoch)));
  CHECK(w.sink.shown.size() == 2);
}

TEST_CASE("a flipped bit anywhere in a frame is refused, and the frame unharmed is shown") {
  HubWorld w;
  auto epoch = w.join();
  w.video(w.builder.gop(epoch, "I", w.challenge(epoch)));
  const auto good = w.builder.gop(epoch, "I", w.challenge(epoch)).messages[0];
  for (std::size_t at = 0; at < good.size(); ++at) {
    auto bad = good;
    bad[at] ^= std::byte{1};
    w.deliver(Leaf::video, bad);
  }
  w.advance(1100ms);  // what claimed another epoch waited for its grants
  CHECK(w.sink.shown.size() == 1);
  CHECK(w.watcher->refused().total() == good.size());
  CHECK(w.refused(Refusal::bad_signature) > good.size() / 2);
  CHECK(w.refused(Refusal::malformed) > 0);
  CHECK(w.refused(Refusal::wrong_account) == 20);
  CHECK(w.refused(Refusal::not_decryptable) == 0);
  w.deliver(Leaf::video, good);
  CHECK(w.sink.shown.size() == 2);
}

TEST_CASE("a truncated frame is malformed or forged, never shown") {
  HubWorld w;
  auto epoch = w.join();
  const auto good = w.builder.gop(epoch, "I", w.challenge(epoch)).messages[0];
  for (std::size_t size = 0; size < good.size(); ++size) w.deliver(Leaf::video, ByteView(good).first(size));
  CHECK(refused_only(w, Refusal::malformed, good.size()));
  w.deliver(Leaf::video, Bytes(protocol::max_message_size + 1));
  CHECK(w.sink.shown.empty());
  w.deliver(Leaf::video, good);
  CHECK(w.sink.shown.size() == 1);
}

TEST_CASE("a hub that holds the content key cannot forge the camera's frames") {
  HubWorld w;
  auto epoch = w.join();
  Actor insider;
  // Signed by another key in its own name, then with the camera's name put over it.
  StreamBuilder forger(w.route, insider);
  auto forged = forger.gop(epoch, "I", w.challenge(epoch)).messages[0];
  w.deliver(Leaf::video, forged);
  CHECK(refused_only(w, Refusal::wrong_account));
  const auto at = std::ranges::search(forged, insider.id().bytes());
  REQUIRE(!at.empty());
  std::ranges::copy(w.camera.id().bytes(), at.begin());
  w.deliver(Leaf::video, forged);
  CHECK(w.refused(Refusal::bad_signature) == 1);
  CHECK(w.sink.shown.empty());
  w.video(w.builder.gop(epoch, "I", w.challenge(epoch)));
  CHECK(w.sink.shown.size() == 1);
}

TEST_CASE("a replayed frame is refused") {
  HubWorld w;
  auto epoch = w.join();
  const auto gop = w.builder.gop(epoch, "IPP", w.challenge(epoch));
  w.video(gop);
  w.video(gop);
  CHECK(refused_only(w, Refusal::replayed, 3));
  CHECK(w.sink.shown.size() == 3);
}

TEST_CASE("an unseen frame older than the one shown is out of order, and replayed when it comes again") {
  HubWorld w;
  auto epoch = w.join();
  auto gop = w.builder.gop(epoch, "II", w.challenge(epoch));
  w.video(gop.swap(0, 1));
  CHECK(refused_only(w, Refusal::out_of_order));
  w.deliver(Leaf::video, gop.messages[1]);
  CHECK(w.refused(Refusal::replayed) == 1);
  REQUIRE(w.sink.shown.size() == 1);
  CHECK(w.sink.shown[0].picture.header.number == FrameNumber(2));
}

TEST_CASE("frames of a closed epoch are refused") {
  HubWorld w;
  auto old = w.join(100);
  w.video(w.builder.gop(old, "IP", w.challenge(old)));
  auto late = w.builder.gop(old, "IP", w.challenge(old));
  auto fresh = w.join(200);
  SECTION("once the new one echoed") {
    w.video(w.builder.gop(fresh, "I", w.challenge(fresh)));
    w.video(late);
    CHECK(refused_only(w, Refusal::closed_epoch, 2));
    CHECK(w.sink.shown.size() == 3);
    w.video(late.flip_bit(0, 0));
    CHECK(w.refused(Refusal::bad_signature) == 1);
    w.deliver(Leaf::grants, w.builder.grants(old, w.roster()));
    w.video(w.builder.gop(old, "I", w.challenge(fresh)));
    CHECK(w.sink.shown.size() == 3);
    CHECK(w.status().counters.refused_control[Refusal::closed_epoch] == 1);
  }
  SECTION("control: not before") {
    w.video(late);
    CHECK(w.sink.shown.size() == 4);
  }
}

TEST_CASE("grants rolled back to an older epoch change nothing") {
  HubWorld w;
  auto older = w.builder.make_epoch(50);
  auto current = w.join(100);
  const auto recorded = w.builder.gop(older, "IPP");
  w.video(w.builder.gop(current, "I", w.challenge(current)));
  w.deliver(Leaf::grants, w.builder.grants(older, w.roster()));
  w.video(recorded);
  CHECK(w.sink.shown.size() == 1);
  CHECK(w.status().counters.held_back == 3);
  CHECK(w.status().epoch == current.epoch);
  w.video(w.builder.gop(current, "I", w.challenge(current)));
  CHECK(w.sink.live() == 2);

  SECTION("control: an epoch with a lower counter that echoes is a camera that was reset") {
    w.video(w.builder.gop(older, "I", w.challenge(older)));
    CHECK(w.status().epoch == older.epoch);
    CHECK(w.sink.live() == 3);  // the held group comes with it, STALE
  }
}

TEST_CASE("an epoch whose frames were held back does not replace the one that came after it") {
  HubWorld w;
  auto first = w.join(100);
  const auto held = w.builder.gop(first, "IP", w.challenge(first));
  w.advance(1s);
  auto second = w.join(101);
  const auto early = w.challenge(second);
  w.video(w.builder.gop(second, "I", early));
  CHECK(w.status().epoch == second.epoch);
  w.video(held);
  CHECK(w.status().epoch == second.epoch);
  CHECK(w.sink.shown.size() == 1);
  CHECK(w.status().counters.held_back == 2);
  w.video(w.builder.gop(second, "P", early));
  CHECK(w.sink.live() == 2);

  SECTION("control: with a later echo it does, as a camera's that was reset") {
    w.advance(1s);
    w.video(w.builder.gop(first, "I", w.challenge(first)));
    CHECK(w.status().epoch == first.epoch);
  }
}

TEST_CASE("a group that began before the first echo is shown with it, STALE until the echo") {
  HubWorld w;
  auto current = w.join(100);
  w.video(w.builder.gop(current, "I", w.challenge(current)));
  auto next = w.join(101);
  w.video(w.builder.gop(next, "IPP"));
  CHECK(w.sink.shown.size() == 1);
  w.video(w.builder.gop(next, "P", w.challenge(next)));
  REQUIRE(w.sink.shown.size() == 5);
  CHECK(w.sink.shown[3].picture.state == CameraState::stale);
  CHECK(w.sink.shown[4].picture.state == CameraState::live);
}

TEST_CASE("a hub keeps two candidates and the current epoch, whatever a broker offers") {
  HubWorld w;
  auto current = w.join(100);
  w.video(w.builder.gop(current, "I", w.challenge(current)));
  std::vector<TestEpoch> old;
  for (std::uint64_t i = 1; i < 6; ++i) old.push_back(w.join(i));
  w.video(w.builder.gop(current, "P", w.challenge(current)));
  CHECK(w.sink.live() == 2);
  w.video(w.builder.gop(old[0], "I"));  // forgotten: waits for its grants, then has no key
  w.advance(1100ms);
  CHECK(refused_only(w, Refusal::not_decryptable));
}

TEST_CASE("old epochs in turn do not make a hub that knows no current one show a picture twice or go back") {
  HubWorld w;
  std::vector<TestEpoch> old;
  std::vector<Stream> tapes;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    old.push_back(w.join(i));
    tapes.push_back(w.builder.gop(old.back(), "IP"));
  }
  w.video(tapes[2]);
  CHECK(w.sink.shown.size() == 2);
  for (int turn = 0; turn < 6; ++turn) {
    const auto i = static_cast<std::size_t>(turn) % 3;
    w.deliver(Leaf::grants, w.builder.grants(old[i], w.roster()));
    w.video(tapes[i]);
  }
  CHECK(w.sink.shown.size() == 2);
  CHECK(w.refused(Refusal::replayed) == 4);

  SECTION("control: a higher epoch is newer, and shown") {
    auto next = w.join(4);
    w.video(w.builder.gop(next, "I"));
    CHECK(w.sink.shown.size() == 3);
  }
}

TEST_CASE("frames wait for their grants at most 1 s and 2 MiB") {
  HubWorld w;
  w.deliver_roster(w.roster());
  auto epoch = w.builder.make_epoch(7);
  const auto gop = w.builder.gop(epoch, "IPP");
  SECTION("in time they are shown") {
    w.video(gop);
    w.advance(900ms);
    w.deliver(Leaf::grants, w.builder.grants(epoch, w.roster()));
    CHECK(w.sink.shown.size() == 3);
    CHECK(w.watcher->refused().total() == 0);
  }
  SECTION("too late they are gone") {
    w.video(gop);
    w.advance(1100ms);
    CHECK(refused_only(w, Refusal::not_decryptable, 3));
    w.deliver(Leaf::grants, w.builder.grants(epoch, w.roster()));
    CHECK(w.sink.shown.empty());
  }
  SECTION("too many push out the oldest") {
    for (std::uint32_t i = 1; i <= 5; ++i)
      w.deliver(Leaf::video, w.builder.frame(epoch, FrameKind::key, {.number = 100 + i, .size = 900'000}));
    CHECK(refused_only(w, Refusal::not_decryptable, 3));
    w.deliver(Leaf::grants, w.builder.grants(epoch, w.roster()));
    CHECK(w.sink.shown.size() == 2);
  }
}

TEST_CASE("a grant for another hub opens nothing here") {
  HubWorld w;
  Actor other;
  w.deliver_roster(w.roster());
  auto epoch = w.builder.make_epoch(7);
  w.deliver(Leaf::grants, w.builder.grants(epoch, roster_of(w.camera, 1, {&other})));
  w.video(w.builder.gop(epoch, "IP"));
  w.advance(1100ms);
  CHECK(refused_only(w, Refusal::not_decryptable, 2));
  CHECK(w.status().counters.refused_control[Refusal::not_decryptable] == 1);
}
