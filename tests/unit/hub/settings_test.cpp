// SPDX-License-Identifier: Apache-2.0
#include "hub/app.hpp"

#include <catch2/catch_test_macros.hpp>

#include "base/file.hpp"
#include "base/format.hpp"
#include "support/actors.hpp"
#include "support/temporary_folder.hpp"

namespace sealcam::hub {
namespace {

using recordings::Mode;

struct Read {
  std::optional<Settings> settings;
  std::string why;
};
Read read(const std::string& json) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "hub.json";
  test::must(write_file_durably(file, as_bytes(json)));
  Read result;
  result.settings = read_settings(file, false, result.why);
  return result;
}

TEST_CASE("without settings, the hub records nothing") {
  const auto result = read("{}");
  REQUIRE(result.settings);
  CHECK_FALSE(result.settings->recordings.enabled());
  CHECK(result.settings->recordings.mode_of(DeviceId()) == Mode::off);
}

TEST_CASE("a camera has its own mode, or that of all cameras") {
  const test::Actor camera, other;
  const auto id = camera.id().to_string();
  auto result = read(R"({"recordings": {"mode": "continuous", "cameras": {")" + id + R"(": "off"}}})");
  REQUIRE(result.settings);
  CHECK(result.settings->recordings.enabled());
  CHECK(result.settings->recordings.mode_of(camera.id()) == Mode::off);
  CHECK(result.settings->recordings.mode_of(other.id()) == Mode::continuous);
  result = read(R"({"recordings": {"cameras": {")" + id + R"(": "continuous"}, "max_gib": 5, "max_days": 7}})");
  REQUIRE(result.settings);
  CHECK(result.settings->recordings.enabled());
  CHECK(result.settings->recordings.mode_of(other.id()) == Mode::off);
  CHECK(result.settings->recordings.max_gib == 5);
  CHECK(result.settings->recordings.max_days == 7);
}

TEST_CASE("events are sent only with an address, and without names unless the owner allows them") {
  auto result = read("{}");
  REQUIRE(result.settings);
  CHECK_FALSE(result.settings->event_post.url);
  result = read(R"({"events": {"post_url": "https://ntfy.sh", "post_topic": "x"}})");
  REQUIRE(result.settings);
  CHECK(result.settings->event_post.url->tls);
  CHECK(result.settings->event_post.topic == "x");
  CHECK_FALSE(result.settings->event_post.names);
  CHECK(read(R"({"events": {"post_url": "ntfy.sh"}})").why.contains("/events/post_url"));
  CHECK(read(R"({"events": {"post_authority": "ca.pem"}})").why.contains("must be an absolute path"));
}

TEST_CASE(
    "a mode that this version does not have, a name and a relative folder are errors that explain the next step") {
  CHECK(read(R"({"recordings": {"mode": "motion"}})").settings->recordings.mode_of(DeviceId()) == Mode::motion);
  CHECK(read(R"({"recordings": {"mode": "always"}})").why.contains("must be 'off', 'motion' or 'continuous'"));
  CHECK(
      read(R"({"recordings": {"cameras": {"Front door": "continuous"}}})").why.contains("must be the id of a camera"));
  CHECK(read(R"({"recordings": {"folder": "recordings"}})").why.contains("must be an absolute path"));
  CHECK(read(R"({"recordings": {"max_gib": -1}})").why.contains("/recordings/max_gib"));
}

TEST_CASE(
    "the listener for phones is off unless certificate and key are set together, and has the folder of the package") {
  auto result = read("{}");
  REQUIRE(result.settings);
  CHECK_FALSE(result.settings->app.enabled());
  result = read(R"({"app": {"folder": "/a", "certificate": "/c", "key": "/k"}})");
  REQUIRE(result.settings);
  CHECK(result.settings->app.enabled());
  CHECK(result.settings->app.folder == "/a");
  CHECK(result.settings->app.address == "0.0.0.0");
  CHECK(result.settings->app.port == 8444);
  CHECK(read(R"({"app": {"folder": "/a", "certificate": "/c"}})").why.contains("/app/key"));
  CHECK(read(R"({"app": {"key": "/k"}})").why.contains("/app/key"));
  CHECK(read(R"({"app": {"folder": "/a"}})").why.contains("/app/certificate"));
  result = read(R"({"app": {"certificate": "/c", "key": "/k"}})");
  REQUIRE(result.settings);
  CHECK(result.settings->app.enabled());
  CHECK(result.settings->app.folder == "/usr/share/sealcam/app");
  CHECK(read(R"({"app": {"folder": "a", "certificate": "/c", "key": "/k"}})").why.contains("/app/folder"));
  CHECK(read(R"({"app": {"listen": "hub.local"}})").why.contains("/app/listen"));
  CHECK(read(R"({"app": {"listen": "::"}})").settings);
  for (const char* broker : {"https://b:1", "wss://b", "wss://b:0", "wss://b:1/x", "b:1"})
    CHECK(read(sealcam::format(R"({{"app": {{"broker": "{}"}}}})", broker)).why.contains("/app/broker"));
  CHECK(read(R"({"app": {"broker": "wss://[2001:db8::1]:8884"}})").settings);  // control
}

}  // namespace
}  // namespace sealcam::hub
