// SPDX-License-Identifier: Apache-2.0
/// Tests of the cache and of the criteria.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <set>

#include "album.hpp"
#include "devices.hpp"
#include "faulty_cache.hpp"
#include "forced_opening.hpp"
#include "hal/h264.hpp"
#include "incidents.hpp"
#include "judge.hpp"
#include "options.hpp"
#include "people.hpp"
#include "room.hpp"
#include "support/hub_stores.hpp"
#include "support/stream_builder.hpp"
#include "verdict.hpp"
#include "watched_checker.hpp"
#include "wrong_links.hpp"

using namespace sealcam;
using namespace sealcam::incident;

namespace {

Bytes message_of(std::uint32_t account) { return Bytes(4000, static_cast<std::byte>(account + 1)); }

/// Each account sends a request per round and receives a still. Returns the delivered messages.
std::vector<Handed> play(const CacheModel& model, std::uint64_t seed, int rounds) {
  constexpr std::uint32_t accounts = 12;
  FaultyCache cache(model, seed, accounts);
  std::vector<Handed> all;
  for (int round = 0; round < rounds; ++round)
    for (std::uint32_t i = 0; i < accounts; ++i) {
      cache.on_request(i);
      for (auto& handed : cache.pass(i, Kind::still, message_of(i))) all.push_back(std::move(handed));
    }
  return all;
}

/// Hub and camera of each delivery.
using Deliveries = std::set<std::pair<std::uint32_t, std::uint32_t>>;

/// Each camera of the wave sends one picture.
Deliveries deliveries(Fault& fault, const Wave& wave, Kind kind) {
  Deliveries all;
  for (auto i = wave.first; i < wave.last; ++i)
    for (const auto& handed : fault.pass(i, kind, message_of(i))) {
      CHECK(*handed.message == message_of(handed.source));
      all.emplace(handed.to, handed.source);
    }
  return all;
}

std::size_t wrong(const Deliveries& all) {
  return static_cast<std::size_t>(
      std::ranges::count_if(all, [](const auto& each) { return each.first != each.second; }));
}

RunResult good_run() {
  RunResult run;
  run.arms.resize(2);
  run.arms[0].arm = Arm::plain;
  run.arms[0].tally.wrong_stills = run.arms[0].tally.shown_wrongly = 10;
  run.arms[1].arm = Arm::sealed;
  auto& t = run.arms[1].tally;
  t.wrong_stills = t.forced = t.forced_control = 10;
  t.own_whole = t.own_whole_shown = 1000;
  return run;
}

}  // namespace

TEST_CASE("a cache with fast cameras delivers each picture to its account") {
  CacheModel model;
  model.poor_share = model.damaged_direct = 0;
  model.timeout_ms = 1e9;
  for (const auto& handed : play(model, 1, 20)) {
    CHECK(!handed.cached);
    CHECK(*handed.message == message_of(handed.source));
  }
}

TEST_CASE("the cache answers for slow cameras with strangers' stills, a different one for each request") {
  CacheModel model;
  model.poor_share = 1;
  model.damaged_from_cache = model.damaged_direct = 0;
  FaultyCache cache(model, 7, 12);
  std::vector<std::uint32_t> got;
  for (int round = 0; round < 30; ++round)
    for (std::uint32_t i = 0; i < 12; ++i) {
      cache.on_request(i);
      const auto handed = cache.pass(i, Kind::still, message_of(i));
      REQUIRE(handed.size() == 1);
      CHECK(handed[0].to == i);
      CHECK(*handed[0].message == message_of(handed[0].source));
      if (i == 0 && handed[0].cached && handed[0].source != 0) got.push_back(handed[0].source);
    }
  REQUIRE(got.size() > 3);
  CHECK(std::ranges::adjacent_find(got, std::not_equal_to<>()) != got.end());
  CHECK(cache.slow_requests() > 100);
  CHECK(cache.slow_requests() < cache.requests());
}

TEST_CASE("one seed gives one series of choices") {
  const auto same = [](const Handed& a, const Handed& b) {
    return a.source == b.source && a.cached == b.cached && a.damaged == b.damaged && *a.message == *b.message;
  };
  CHECK(std::ranges::equal(play({}, 3, 10), play({}, 3, 10), same));
  CHECK(!std::ranges::equal(play({}, 3, 10), play({}, 4, 10), same));
}

TEST_CASE("the cache damages some pictures and marks them") {
  std::size_t damaged = 0;
  for (const auto& handed : play({}, 5, 40)) {
    CHECK((*handed.message != message_of(handed.source)) == handed.damaged);
    damaged += handed.damaged ? 1 : 0;
  }
  CHECK(damaged > 5);
}

TEST_CASE("the cache keeps the pictures of an earlier wave") {
  CacheModel model;
  model.poor_share = 1;
  model.timeout_ms = 0;
  FaultyCache cache(model, 1, 0);
  std::set<std::uint32_t> sources;
  for (const Wave wave : {Wave{0, 8}, Wave{8, 16}}) {
    cache.begin_wave(wave);
    for (auto i = wave.first; i < wave.last; ++i) {
      cache.on_request(i);
      for (const auto& handed : cache.pass(i, Kind::still, message_of(i)))
        if (i >= 8) sources.insert(handed.source);
    }
  }
  CHECK(*sources.begin() < 8);
}

TEST_CASE("after a mass reconnect each account receives the thumbnails of the next camera, once") {
  ShiftedLookups fault(1);
  const Wave wave{0, 100};
  fault.begin_wave(wave);
  for (std::uint32_t i = 0; i < 100; ++i) fault.on_online(99 - i);  // they connect in another order at first
  fault.on_restart();
  for (std::uint32_t i = 0; i < 100; ++i) fault.on_online(i);
  fault.begin_round(1);
  const auto stills = deliveries(fault, wave, Kind::still);
  CHECK(stills.size() == 100);
  CHECK(wrong(stills) == 100);
  CHECK(stills.contains({7, 8}));
  const auto opened = wrong(deliveries(fault, wave, Kind::key));
  CHECK(opened > 2);
  CHECK(opened < 30);
  CHECK(fault.counts().at("of these, opened by a person") == opened);
  fault.begin_round(2);
  CHECK(wrong(deliveries(fault, wave, Kind::still)) == 0);
}

TEST_CASE("an upgrade exchanges all sessions until the last round") {
  ExchangedSessions fault(1, 3);
  const Wave wave{256, 300};
  fault.begin_wave(wave);
  CHECK(wrong(deliveries(fault, wave, Kind::key)) == 0);
  for (const unsigned round : {1U, 2U}) {
    fault.begin_round(round);
    const auto all = deliveries(fault, wave, Kind::delta);
    CHECK(all.size() == wave.size());
    CHECK(wrong(all) == wave.size());
  }
  REQUIRE(fault.cameras(256).size() == 1);
  CHECK(fault.viewers(fault.cameras(256)[0]) == std::vector<std::uint32_t>{256});
  fault.begin_round(3);
  CHECK(wrong(deliveries(fault, wave, Kind::delta)) == 0);
  CHECK(fault.cameras(256).empty());
}

TEST_CASE("a web cache delivers one page to all users until it expires") {
  GlobalCache fault(40, 2);
  const Wave wave{0, 40};
  fault.begin_wave(wave);
  fault.begin_round(1);
  Deliveries all;
  for (std::uint32_t i = 0; i < 40; ++i) {
    fault.on_request(i);
    CHECK(fault.pass(i, Kind::key, message_of(i)).empty());
    for (const auto& handed : fault.pass(i, Kind::still, message_of(i))) all.emplace(handed.to, handed.source);
  }
  CHECK(all.size() == 40);
  CHECK(wrong(all) == 30);
  CHECK(fault.counts().at("pages stored for all users") == 10);
  fault.begin_round(2);
  CHECK(wrong(deliveries(fault, wave, Kind::still)) == 0);
}

TEST_CASE("a camera with the key of another one reaches the other owner too") {
  LinkedByKey fault(1);
  const Wave wave{0, 4};
  fault.begin_wave(wave);
  fault.begin_round(1);
  CHECK(deliveries(fault, wave, Kind::delta) == Deliveries{{0, 0}, {0, 1}, {1, 1}, {2, 2}, {2, 3}, {3, 3}});
  CHECK(fault.cameras(0).empty());
}

TEST_CASE("a sold camera sends stills to its previous owner") {
  SoldCameras fault(1);
  const Wave wave{0, 4};
  fault.begin_wave(wave);
  fault.begin_round(1);
  CHECK(wrong(deliveries(fault, wave, Kind::still)) == 0);
  CHECK(!fault.camera_gone(0));
  fault.begin_round(2);
  CHECK(wrong(deliveries(fault, wave, Kind::still)) == 2);
  CHECK(wrong(deliveries(fault, wave, Kind::key)) == 0);
  CHECK(fault.camera_gone(0));
  CHECK(!fault.camera_gone(1));
}

TEST_CASE("the hubs of one group receive the cameras of the second group") {
  MergedGroups fault(1, 2);
  const Wave wave{0, 100};
  fault.begin_wave(wave);
  fault.begin_round(1);
  const auto all = deliveries(fault, wave, Kind::delta);
  CHECK(wrong(all) == 51);
  CHECK(all.contains({0, 51}));
  CHECK(all.contains({0, 0}));
  CHECK(fault.viewers(0).empty());
  fault.begin_round(2);
  CHECK(wrong(deliveries(fault, wave, Kind::key)) == 0);
}

TEST_CASE("a guessed password gives an attacker the cameras of accounts with a common password") {
  GuessedPasswords fault(1);
  const Wave wave{0, 200};
  fault.begin_wave(wave);
  fault.begin_round(1);
  const auto all = deliveries(fault, wave, Kind::key);
  CHECK(wrong(all) > 5);
  CHECK(wrong(all) == fault.counts().at("accounts that a guess opened"));
  CHECK(fault.counts().at("passwords guessed") > 1000);
  for (const auto& [hub, camera] : all) CHECK((hub == camera || (hub < 20 && camera >= 20)));
}

TEST_CASE("each incident has sources, a model and a fault") {
  for (const auto& incident : incidents()) {
    Options options;
    options.requests = incident.requests;
    CHECK(!incident.published.empty());
    for (const auto& each : incident.published) CHECK(each.source.starts_with("https://"));
    CHECK(!incident.fault(options)->model().empty());
    CHECK(find_incident(incident.name) == &incident);
  }
  CHECK(find_incident("other") == nullptr);
}

TEST_CASE("twins have the keys of one camera, and each has its account and its connection") {
  const People people({10, 14}, true);
  CHECK(people[10].camera.id() == people[11].camera.id());
  CHECK(people[10].camera_name != people[11].camera_name);
  CHECK(people[10].route.account != people[11].route.account);
  CHECK(people[11].camera.id() != people[12].camera.id());
}

TEST_CASE("the camera of a picture is read from pixels, also in a stream") {
  const auto albums = make_albums(3);
  Judge judge;
  FilmJudge film;
  for (const auto& album : albums) {
    for (std::size_t i = 0; i < album->units.size(); ++i) {
      const auto& unit = album->units[i];
      CHECK(hal::check_access_unit(unit.bytes));
      CHECK(unit.bytes.size() < Album::max_unit);
      const auto shown = film.look(unit.bytes);
      REQUIRE(shown);
      CHECK(*shown == hal::fake::PictureMark{FrameNumber(static_cast<std::uint32_t>(i)), album->camera});
      if (!unit.keyframe) continue;
      const auto sight = judge.look(unit.bytes, true);
      REQUIRE(sight.mark);
      CHECK(sight.mark->camera == album->camera);
      CHECK(judge.look(unit.bytes, true).image == sight.image);
    }
  }
  CHECK(judge.gallery().size() == albums.size() * Album::groups);
  CHECK(judge.gallery().front().front() == std::byte{0xff});
}

TEST_CASE("a lenient decoder shows a damaged picture") {
  const auto albums = make_albums(1);
  Bytes cut = albums[0]->units[0].bytes;
  cut.resize(cut.size() / 2);
  Judge judge;
  CHECK(judge.look(cut, false).picture);
  CHECK(!judge.look(Bytes(300, std::byte{7}), false).picture);
}

TEST_CASE("forced opening opens frames that are granted to the hub, and no stranger's frame") {
  const Person first, second;
  const auto roster = test::roster_of(first.camera, 1, {&first.hub});
  test::StreamBuilder own(first.route, first.camera), other(second.route, second.camera);
  auto own_epoch = own.make_epoch(5), other_epoch = other.make_epoch(5);
  ForcedOpening forced(first);
  const auto own_frame = own.frame(own_epoch, protocol::FrameKind::still, {.number = 9});
  CHECK(!forced.open(own_frame, first.route));
  forced.on_grants(own.grants(own_epoch, roster));
  const auto header = forced.open(own_frame, first.route);
  REQUIRE(header);
  CHECK(header->number == FrameNumber(9));
  CHECK(!forced.open(other.frame(other_epoch, protocol::FrameKind::still, {}), second.route));
  // Control: with the stranger's base key, the same function opens the stranger's frame.
  test::TestEpoch leaked{own_epoch.epoch, {}, std::move(own_epoch.key)};
  std::ranges::copy(other_epoch.content.base_key.reveal(), leaked.content.base_key.fill().begin());
  forced.on_grants(own.grants(leaked, roster));
  CHECK(forced.open(other.frame(other_epoch, protocol::FrameKind::still, {}), second.route));
}

TEST_CASE("an opened frame of another camera is counted") {
  const Person person;
  test::StreamBuilder builder(person.route, person.camera);
  auto epoch = builder.make_epoch(5);
  const auto frame = builder.frame(epoch, protocol::FrameKind::still, {.number = 1});
  Provenance provenance;
  Judge judge;
  Tally tally;
  Witness witness(0, {provenance, judge, tally});
  test::InlineChecker inner;
  WatchedChecker checker(inner, witness);
  int handled = 0;
  const auto queue = checker.add_queue([&](watch::FrameCheck&) { ++handled; });
  const auto check = [&](const Origin& origin, bool with_key) {
    provenance.note(frame, origin);
    auto one = checker.make();
    one->message = frame;
    one->frame = test::must(protocol::parse_frame(one->message));
    one->camera =
        std::make_shared<const watch::CameraKeys>(protocol::FrameOpener(person.route), person.camera.verifier());
    if (with_key)
      one->key = std::make_shared<const crypto::sframe::OpeningKey>(test::must(crypto::sframe::OpeningKey::open(
          crypto::sframe::CipherSuite::aes_128_gcm_sha256_128, epoch.epoch, epoch.content.base_key)));
    (void)checker.submit(queue, std::move(one));
    checker.drain();
    return tally.opened_wrongly;
  };
  CHECK(check({0, Kind::still, false}, true) == 0);
  CHECK(check({1, Kind::still, false}, false) == 0);
  CHECK(check({1, Kind::still, false}, true) == 1);
  CHECK(check({0, Kind::still, true}, true) == 2);
  CHECK(handled == 4);
  CHECK(tally.unchecked == 0);
}

TEST_CASE("each violated criterion fails the run") {
  CHECK(failures(good_run()).empty());
  const auto with = [](const std::function<void(Tally & plain, Tally & sealed)>& change) {
    auto run = good_run();
    change(run.arms[0].tally, run.arms[1].tally);
    return failures(run).size();
  };
  CHECK(with([](Tally&, Tally& t) { t.shown_wrongly = 1; }) == 1);
  CHECK(with([](Tally&, Tally& t) { t.shown_unreadable = 1; }) == 1);
  CHECK(with([](Tally&, Tally& t) { t.film_wrong = 1; }) == 1);
  CHECK(with([](Tally&, Tally& t) { t.opened_wrongly = 1; }) == 1);
  CHECK(with([](Tally&, Tally& t) { t.forced_opened = 1; }) == 1);
  CHECK(with([](Tally&, Tally& t) { t.forced_control = 0; }) == 1);
  CHECK(with([](Tally&, Tally& t) { t.wrong_stills = 0; }) == 1);
  CHECK(with([](Tally&, Tally& t) { t.own_whole_shown = 989; }) == 1);
  CHECK(with([](Tally&, Tally& t) { t.own_whole_shown = 990; }) == 0);
  CHECK(with([](Tally& t, Tally&) { t.shown_wrongly = 0; }) == 1);
  CHECK(with([](Tally& t, Tally&) { t.wrong_stills = 0; }) == 1);
}

TEST_CASE("the witness counts a stranger's picture by its pixels, not by its message") {
  const auto albums = make_albums(2);
  Provenance provenance;
  Judge judge;
  Tally tally;
  Witness witness(0, {provenance, judge, tally, true, true});
  witness.begin_request();
  witness.own_arrived(FrameNumber(1));
  witness.shown(FrameNumber(1), true, albums[0]->units[0].bytes);
  CHECK(tally.shown_own == 1);
  witness.own_arrived(FrameNumber(2));
  witness.shown(FrameNumber(2), true, albums[1]->units[0].bytes);
  CHECK(tally.shown_wrongly == 1);
  CHECK(tally.film_wrong == 1);
  const auto answers = witness.finish();
  CHECK(tally.own_whole == 2);
  CHECK(tally.own_whole_shown == 1);
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].shown.back().camera == 2);
}
