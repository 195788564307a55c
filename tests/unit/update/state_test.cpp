// SPDX-License-Identifier: Apache-2.0
#include "update/state.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fstream>

#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace std::chrono_literals;
using update::Consent, update::parse_consent, update::parse_state, update::Version;

namespace {

update::State full() {
  return {
      .minimum = {0, 1, 0},
      .worked = {.sensor = true, .epoch = true, .broker = false},
      .started = 12,
      .waiting = update::Waiting{{0, 2, 0}, 3600s},
      .trial = update::Trial{.version = {0, 2, 0},
                             .minimum = {0, 1, 5},
                             .slot = "b",
                             .starts = 2,
                             .spent = 90s,
                             .seen = true,
                             .required = {.sensor = true, .epoch = false, .broker = true},
                             .verdict = "the camera does not run",
                             .transient = true},
      .failed = {{.version = {0, 1, 8}, .tries = 1, .final = false}, {.version = {0, 1, 9}, .tries = 3, .final = true}},
      .last = update::Last{Version{0, 1, 9}, update::Outcome::rolled_back, "no epoch begins", 1'800'000'000}};
}

}  // namespace

TEST_CASE("a state survives a round trip") {
  const auto text = to_json(full());
  const auto again = parse_state(text);
  REQUIRE(again.has_value());
  CHECK(to_json(*again) == text);
  CHECK(again->trial->slot == "b");
  CHECK(again->trial->spent == 90s);
  CHECK(again->trial->required.broker);
  REQUIRE(again->failed.size() == 2);
  CHECK(again->failure_of({0, 1, 9})->final);
  CHECK_FALSE(again->failure_of({0, 1, 8})->final);
  CHECK_FALSE(again->failure_of({0, 1, 7}).has_value());
  CHECK(again->last->outcome == update::Outcome::rolled_back);
  CHECK(to_json(parse_state(to_json(update::State{})).value()) == to_json(update::State{}));
}

TEST_CASE("members of a later version are ignored, and another format is not read") {
  CHECK(parse_state(R"({"format":1,"minimum":"0.1.0","later":{"x":[1]}})").has_value());
  CHECK(parse_state(R"({"format":2,"minimum":"0.1.0"})").error().code == Errc::unsupported);
  CHECK(parse_state(R"({"minimum":"0.1.0"})").error().code == Errc::unsupported);
}

TEST_CASE("a damaged state is an error") {
  for (const auto* bad :
       {"", "[]", R"({"format":1})", R"({"format":1,"minimum":"1"})", R"({"format":1,"minimum":"0.1.0","worked":[]})",
        R"({"format":1,"minimum":"0.1.0","started":-1})",
        R"({"format":1,"minimum":"0.1.0","started":18446744073709551615})",
        R"({"format":1,"minimum":"0.1.0","started":1.5})", R"({"format":1,"minimum":"0.1.0","waiting":{}})",
        R"({"format":1,"minimum":"0.1.0","trial":{"version":"0.2.0","minimum":"0.1.0"}})",
        R"({"format":1,"minimum":"0.1.0","failed":{"version":"0.2.0"}})",
        R"({"format":1,"minimum":"0.1.0","failed":[{"version":"x"}]})",
        R"({"format":1,"minimum":"0.1.0","failed":[1]})",
        R"({"format":1,"minimum":"0.1.0","failed":[{"version":"0.2.0"},{"version":"0.2.1"},{"version":"0.2.2"},)"
        R"({"version":"0.2.3"},{"version":"0.2.4"}]})",
        R"({"format":1,"minimum":"0.1.0","last":{"result":"unknown"}})",
        R"({"format":1,"minimum":"0.1.0","last":{"result":"failed","reason":"\u001b[31m"}})"})
    CHECK_FALSE(parse_state(bad).has_value());
}

TEST_CASE("the state file keeps the state, also if no space is left for a new file") {
  const test::TemporaryFolder folder;
  update::StateFile store(folder.path() / "state.json");
  CHECK_FALSE(store.load().value().has_value());
  REQUIRE(store.prepare());
  CHECK_FALSE(store.load().value().has_value());
  REQUIRE(store.store(full()));
  CHECK(to_json(*store.load().value()) == to_json(full()));
  std::ofstream(folder.path() / "state.json") << "{\"format\":1,";
  CHECK(store.load().error().code == Errc::malformed);
}

TEST_CASE("the report for the camera has the documented members") {
  update::Status status{.version = {0, 1, 0}, .slot = "a"};
  CHECK(to_json(status) == "{\"version\":\"0.1.0\",\"slot\":\"a\",\"state\":\"idle\"}\n");
  status.phase = update::Status::Phase::offered;
  status.offer = update::Release{.compatible = "x", .version = {0, 2, 0}, .share = update::Share(1050)};
  status.last = update::Last{Version{0, 2, 0}, update::Outcome::failed, "why", 5};
  CHECK(to_json(status) ==
        "{\"version\":\"0.1.0\",\"slot\":\"a\",\"state\":\"offered\",\"offer\":\"0.2.0\",\"share\":10.5,"
        "\"last\":{\"version\":\"0.2.0\",\"result\":\"failed\",\"reason\":\"why\",\"at\":5}}\n");
  status.offer.reset();
  status.last.reset();
  status.poll = update::Poll{.at = 7, .error = "HTTP error 404"};
  CHECK(to_json(status).contains("\"poll\":{\"at\":7,\"error\":\"HTTP error 404\"}"));
}

TEST_CASE("the state keeps the last four failed versions, and drops those that a confirmed version replaces") {
  update::State state;
  const auto fails = [&](std::uint32_t patch, bool transient) {
    state.trial = update::Trial{.version = {0, 2, patch}, .minimum = {}, .slot = "b", .transient = transient};
    state.roll_back();
    CHECK_FALSE(state.trial.has_value());
  };
  for (const auto patch : {1U, 2U, 1U, 3U, 4U}) fails(patch, true);
  CHECK(state.failed.size() == 4);
  CHECK(state.failure_of({0, 2, 1})->tries == 2);
  CHECK_FALSE(state.failure_of({0, 2, 1})->final);
  fails(1, true);
  CHECK(state.failure_of({0, 2, 1})->final);
  fails(5, false);
  CHECK(state.failed.size() == update::max_failed);
  CHECK_FALSE(state.failure_of({0, 2, 2}).has_value());  // the oldest failure
  CHECK(state.failure_of({0, 2, 5})->final);
  state.trial = update::Trial{.version = {0, 2, 4}, .minimum = {0, 1, 5}, .slot = "b"};
  state.complete_trial();
  CHECK(state.minimum == Version{0, 1, 5});
  CHECK(state.failed.size() == 1);
  CHECK(state.failure_of({0, 2, 5}).has_value());
}

TEST_CASE("the owner's decision is read from the camera's file") {
  using enum Consent::Action;
  CHECK(parse_consent(R"({"action":"automatic"})").value() == Consent{});
  CHECK(parse_consent(R"({"action":"start","version":"0.2.0","number":4})").value() ==
        Consent{start, Version{0, 2, 0}, 0, 4});
  CHECK(parse_consent(R"({"action":"defer","until":1800000000,"number":5})").value() ==
        Consent{defer, {}, 1'800'000'000, 5});
  CHECK(parse_consent(R"({"action":"reject","version":"0.2.0"})").value() == Consent{reject, Version{0, 2, 0}, 0, 0});
  for (const auto* bad : {"", "{}", "[]", R"({"action":"now"})", R"({"action":"reject"})",
                          R"({"action":"start","version":"x"})", R"({"action":"defer","until":-5})"})
    CHECK_FALSE(parse_consent(bad).has_value());
}
