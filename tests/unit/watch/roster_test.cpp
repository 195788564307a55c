// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "core/file.hpp"
#include "hub_world.hpp"
#include "support/temporary_folder.hpp"
#include "watch/file_stores.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;

TEST_CASE("a hub finds its cameras by the rosters that list it") {
  HubWorld w;
  CHECK(w.watcher->cameras().empty());
  w.deliver_roster(w.roster());
  REQUIRE(w.watcher->cameras().size() == 1);
  CHECK(w.watcher->cameras()[0].id == w.camera.id());
  CHECK(w.rosters.messages.contains(w.camera.id()));
}

TEST_CASE("rosters of anybody but the owner are refused") {
  HubWorld w;
  Actor stranger;
  w.deliver(Leaf::roster, must(protocol::encode_roster(w.roster(), w.route, stranger.keys().identity)));
  CHECK(w.watcher->refused_control()[Refusal::wrong_account] == 1);
  auto bad = must(protocol::encode_roster(w.roster(), w.route, w.owner.keys().identity));
  bad.back() ^= std::byte{1};
  w.deliver(Leaf::roster, bad);
  CHECK(w.watcher->refused_control()[Refusal::bad_signature] == 1);
  w.deliver(Leaf::roster, Bytes(10));
  CHECK(w.watcher->refused_control()[Refusal::malformed] == 1);
  CHECK(w.watcher->cameras().empty());
}

TEST_CASE("older rosters and empty ones change nothing") {
  HubWorld w;
  Actor other;
  w.deliver_roster(w.roster(5));
  w.deliver_roster(roster_of(w.camera, 4, {&other}));
  w.deliver(Leaf::roster, {});
  CHECK(w.watcher->cameras().size() == 1);
  CHECK(w.status().roster_version == RosterVersion(5));
  CHECK(w.status().counters.refused_control[Refusal::out_of_order] == 1);
  w.deliver_roster(roster_of(w.camera, 6, {&other}));  // control
  CHECK_FALSE(w.status().member);
}

TEST_CASE("the newest roster is kept over a restart, also when the broker lost it") {
  HubWorld w;
  w.deliver_roster(w.roster(5));
  w.restart();
  REQUIRE(w.watcher->cameras().size() == 1);
  CHECK(w.status().roster_version == RosterVersion(5));
  auto epoch = w.join();
  w.video(w.builder.gop(epoch, "I", w.challenge(epoch)));
  CHECK(w.sink.live() == 1);
  Actor other;
  w.deliver_roster(roster_of(w.camera, 4, {&other}));
  CHECK(w.watcher->cameras().size() == 1);
}

TEST_CASE("a damaged stored roster is an error, never a fresh start") {
  HubWorld w;
  w.deliver_roster(w.roster(5));
  w.watcher.reset();
  w.rosters.messages.begin()->second.back() ^= std::byte{1};
  const auto again = watch::Watcher::create(w.owner.identity(), w.hub.keys(),
                                            {w.checker, w.rosters, w.sequence, w.clock, w.log, w.sink});
  CHECK(again.error().code == Errc::bad_signature);
}

TEST_CASE("one version with two contents is an error that is shown") {
  HubWorld w;
  Actor other;
  w.deliver_roster(w.roster(5));
  w.deliver_roster(w.roster(5));  // the same content, signed once more: no conflict
  CHECK_FALSE(w.status().roster_conflict);
  w.deliver_roster(roster_of(w.camera, 5, {&w.hub, &other}));
  CHECK(w.status().roster_conflict);
  CHECK(w.status().member);
  CHECK(w.sink.states.back().roster_conflict);
  w.deliver_roster(w.roster(6));
  CHECK_FALSE(w.status().roster_conflict);

  SECTION("also when the first was seen before a restart") {
    w.restart();
    w.deliver_roster(roster_of(w.camera, 6, {&w.hub, &other}));
    REQUIRE(w.watcher->cameras().size() == 1);
    CHECK(w.watcher->cameras()[0].roster_conflict);
  }
}

TEST_CASE("a roster whose version cannot be stored is not obeyed") {
  HubWorld w;
  w.rosters.broken = true;
  w.deliver_roster(w.roster());
  CHECK(w.watcher->cameras().empty());
  w.rosters.broken = false;
  w.deliver_roster(w.roster());
  CHECK(w.watcher->cameras().size() == 1);
}

TEST_CASE("a hub that was taken off the roster forgets keys and pictures") {
  HubWorld w;
  auto epoch = w.join();
  w.video(w.builder.gop(epoch, "IP", w.challenge(epoch)));
  REQUIRE(w.watcher->newest(w.camera.id()) != nullptr);
  Actor other;
  w.deliver_roster(roster_of(w.camera, 2, {&other}));
  CHECK(w.watcher->newest(w.camera.id()) == nullptr);
  CHECK(w.sink.states.back().member == false);
  w.video(w.builder.gop(epoch, "I"));
  CHECK(w.refused(Refusal::not_member) == 1);
  CHECK(w.sink.shown.size() == 2);
  const auto asked = w.client.sent.size();
  w.advance(5s);
  CHECK(w.client.sent.size() == asked);
}

TEST_CASE("a suspended integration is no member") {
  HubWorld w;
  auto roster = w.roster();
  roster.hubs[0].integration = protocol::Integration(77);
  w.deliver_roster(roster);
  CHECK(w.watcher->cameras().size() == 1);
  roster.version = RosterVersion(2);
  roster.suspended = {protocol::Integration(77)};
  w.deliver_roster(roster);
  CHECK_FALSE(w.status().member);
}

TEST_CASE("grants and status that come before the roster are not lost") {
  HubWorld w;
  auto epoch = w.builder.make_epoch(3);
  w.deliver(Leaf::grants, w.builder.grants(epoch, w.roster()), true);
  w.deliver(Leaf::status, w.builder.status(true), true);
  w.deliver_roster(w.roster());
  CHECK(w.status().says_online == true);
  w.video(w.builder.gop(epoch, "I", w.challenge(epoch)));
  CHECK(w.sink.live() == 1);
}

TEST_CASE("a flood of grants is bounded in what it costs") {
  HubWorld w;
  auto epoch = w.join();
  auto forged = w.builder.grants(epoch, w.roster());
  forged.back() ^= std::byte{1};
  for (int i = 0; i < 1000; ++i) w.deliver(Leaf::grants, forged);
  CHECK(w.status().counters.refused_control[Refusal::bad_signature] < 30);
  CHECK(w.status().counters.refused_control[Refusal::bad_signature] + w.status().counters.overload == 1000);
  w.clock.advance(2s);
  auto next = w.join(101);
  w.video(w.builder.gop(next, "I", w.challenge(next)));
  CHECK(w.sink.live() == 1);
}

TEST_CASE("file stores keep what they were given and refuse what is damaged") {
  TemporaryFolder folder;
  const auto path = folder.path() / "rosters" / "account";
  const Actor a, b;
  const Bytes message{std::byte{1}, std::byte{2}};
  {
    auto store = must(watch::FileRosterStore::open(path));
    CHECK(must(store.load()).empty());
    must(store.save(a.id(), message));
    must(store.save(b.id(), Bytes(3)));
    must(store.save(b.id(), message));
  }
  const auto all = must(must(watch::FileRosterStore::open(path)).load());
  REQUIRE(all.size() == 2);
  CHECK(std::ranges::all_of(all, [&](const auto& s) { return s.message == message; }));

  const auto seq = folder.path() / "ask-seq";
  {
    auto numbers = must(watch::FileSequenceStore::open(seq));
    CHECK(must(numbers.reserve(1000)) == AskSeq(1));
    CHECK(must(numbers.reserve(1000)) == AskSeq(1001));
  }
  auto numbers = must(watch::FileSequenceStore::open(seq));
  CHECK(must(numbers.reserve(1)) == AskSeq(2001));
  must(write_file_durably(seq, as_bytes("SCQ1")));
  CHECK(watch::FileSequenceStore::open(seq).error().code == Errc::malformed);
}
