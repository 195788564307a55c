// SPDX-License-Identifier: Apache-2.0
#include "update/release.hpp"

#include <catch2/catch_test_macros.hpp>

#include "crypto/psa.hpp"
#include "device.hpp"

using namespace sealcam;
using update::parse_share, update::parse_version;

TEST_CASE("versions have three numbers and are compared as numbers") {
  CHECK(parse_version("0.1.0") == update::Version{0, 1, 0});
  CHECK(*parse_version("0.10.0") > *parse_version("0.9.99"));
  CHECK(to_string(*parse_version("12.0.999999999")) == "12.0.999999999");
  for (const auto* bad : {"", "1", "1.2", "1.2.3.4", "1.2.", ".2.3", "1.2.x", "01.2.3", "1.2.3 ", "-1.2.3", "+1.2.3",
                          "1.2.3-rc1", "1000000000.0.0"})
    CHECK_FALSE(parse_version(bad).has_value());
}

TEST_CASE("a share is a percentage with at most two decimals") {
  CHECK(parse_share("0")->value() == 0);
  CHECK(parse_share("1")->value() == 100);
  CHECK(parse_share("0.5")->value() == 50);
  CHECK(parse_share("0.05")->value() == 5);
  CHECK(parse_share("100") == update::everyone);
  for (const auto* bad : {"", "101", "100.01", "1.", ".5", "1.234", "-1", "1,5", "1e1", "1.-5", "0x1"})
    CHECK_FALSE(parse_share(bad).has_value());
  for (const auto* text : {"0", "0.05", "0.5", "10", "99.99", "100"}) CHECK(to_string(*parse_share(text)) == text);
}

TEST_CASE("the bucket of a device is SHA-256 of its id and the version") {
  REQUIRE(crypto::init());
  const auto id = DeviceId::parse("aaaqeayeaudaocajbifqydiob4ibceqt").value();  // bytes 0 to 19
  // Python: int.from_bytes(hashlib.sha256(bytes(range(20)) + b"0.2.0").digest()[:8]) % 10000
  CHECK(update::bucket(id, {0, 2, 0}).value() == 9303);
  CHECK(update::bucket(id, {0, 2, 1}).value() == 6368);
}

TEST_CASE("a release is read from RAUC's answer") {
  const auto release = update::parse_release(test::Bundle{.share = "2.5"}.info());
  REQUIRE(release.has_value());
  CHECK(release->compatible == "sealcam-testboard");
  CHECK(release->version == update::Version{0, 2, 0});
  CHECK(release->minimum == update::Version{0, 1, 0});
  CHECK(release->share.value() == 250);
  CHECK(release->hash.size() == 64);
}

TEST_CASE("an answer without a valid member is rejected, and the error names the member") {
  const auto problem = [](const test::Bundle& bundle) {
    const auto release = update::parse_release(bundle.info());
    return release ? std::string("accepted") : release.error();
  };
  CHECK(problem({.version = "2"}).contains("meta.sealcam.version"));
  CHECK(problem({.minimum = ""}).contains("minimum-version"));
  CHECK(problem({.minimum = "0.3.0"}).contains("minimum-version"));  // above the version itself
  CHECK(problem({.share = "all"}).contains("share"));
  CHECK(problem({}) == "accepted");
  for (const auto* text : {"", "[]", "null", "{}", R"({"update":[]})", R"({"update":{"compatible":1}})",
                           R"({"update":{"compatible":"x"},"manifest-hash":"00"})"})
    CHECK_FALSE(update::parse_release(text).has_value());
}

TEST_CASE("the running slot is the one that RAUC names, and its state tells whether it is selected") {
  const auto answer = [](std::string_view booted, std::string_view state) {
    return sealcam::format(R"({{"booted":"{}","slots":[{{"rootfs.1":{{"bootname":"b","boot_status":"{}",)"
                           R"("slot_status":{{"bundle":{{"hash":"22"}}}}}}}},{{"boot.0":{{"bootname":null}}}},)"
                           R"({{"rootfs.0":{{"bootname":"a","boot_status":"good"}}}}]}})",
                           booted, state);
  };
  const auto trial = update::parse_slots(answer("b", "bad"));
  REQUIRE(trial.has_value());
  CHECK(trial->running.name == "b");
  CHECK(trial->running.hash == "22");
  CHECK(trial->other.name == "a");
  CHECK_FALSE(trial->selected);
  CHECK(update::parse_slots(answer("b", "good"))->selected);
  CHECK(update::parse_slots(answer("a", "good"))->other.hash == "22");
  for (const auto* text : {"", "{}", R"({"booted":"a"})", R"({"booted":"a","slots":[]})", R"({"booted":"","slots":[]})",
                           R"({"booted":"a","slots":[{"x":{"bootname":"a"}}]})",
                           R"({"booted":"a","slots":[{"x":{"bootname":"a"}},{"y":{"bootname":"a"}}]})",
                           R"({"booted":"c","slots":[{"x":{"bootname":"a"}},{"y":{"bootname":"b"}}]})",
                           R"({"booted":"a","slots":[{"x":1},{}]})"})
    CHECK_FALSE(update::parse_slots(text).has_value());
}
