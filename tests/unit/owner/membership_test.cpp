// SPDX-License-Identifier: Apache-2.0
// Changes of an account and the rosters that follow from them.
#include "owner/account/membership.hpp"

#include <catch2/catch_test_macros.hpp>

#include "sample_account.hpp"

namespace sealcam::owner {
namespace {

struct Rosters {
  test::SampleAccount sample;
  AccountFile& file = sample.file;
  [[nodiscard]] protocol::Roster door() const { return roster_of(file, file.cameras.at(0), {}); }
  [[nodiscard]] protocol::Roster yard() const { return roster_of(file, file.cameras.at(1), {}); }
};

TEST_CASE("an unlinked hub is on no roster, and its record stays until all cameras confirmed that") {
  Rosters r;
  REQUIRE(r.door().active(r.sample.display.id()) != nullptr);  // control
  CHECK(unlink_hub(r.file, "display") == r.sample.display.id());
  CHECK(r.door().active(r.sample.display.id()) == nullptr);
  CHECK(r.yard().active(r.sample.display.id()) == nullptr);
  CHECK_FALSE(unlink_hub(r.file, "display"));  // already unlinked
  CHECK_FALSE(set_allowed(r.file, "display", "Door", true));
  r.file.cameras[0].confirmed = r.file.cameras[0].version;
  note_confirmed(r.file);
  CHECK(r.file.hubs.size() == 2);
  r.file.cameras[1].confirmed = r.file.cameras[1].version;
  note_confirmed(r.file);
  CHECK(r.file.hubs.size() == 1);
}

TEST_CASE("a phone whose link is unfinished is on no roster, cannot be changed, and is deleted at once") {
  Rosters r;
  r.file.hubs[1].phone = true;
  REQUIRE(r.door().active(r.sample.display.id()) != nullptr);  // control
  r.file.hubs[1].unfinished = true;
  CHECK(r.door().active(r.sample.display.id()) == nullptr);
  CHECK(cameras_of(r.file, r.sample.display.id()).empty());
  CHECK_FALSE(set_may_switch_privacy(r.file, "display", true));
  CHECK_FALSE(set_allowed(r.file, "display", "Door", false));
  CHECK(unlink_hub(r.file, "display") == r.sample.display.id());
  CHECK(r.file.hubs.size() == 1);
}

TEST_CASE("a phone that waits for its removal gives its name to another one, and a hub or a linked phone does not") {
  Rosters r;
  free_name(r.file, "display");
  CHECK(find_hub(r.file, "display"));  // a hub
  r.file.hubs[1].phone = true;
  free_name(r.file, "display");
  CHECK(find_phone(r.file, "display"));  // linked
  REQUIRE(unlink_hub(r.file, "display"));
  free_name(r.file, "another");
  CHECK(find_phone(r.file, "display"));
  free_name(r.file, "display");
  CHECK_FALSE(find_phone(r.file, "display"));
  CHECK(find_phone(r.file, r.file.hubs[1].name));
  CHECK(find_phone(r.file, r.sample.display.id().to_string()));
}

TEST_CASE("a hub is not found as a phone") {
  Rosters r;
  const auto hub = find_phone(r.file, "display");
  REQUIRE_FALSE(hub);
  CHECK(hub.error().message.contains("sealcam hub unlink"));
  r.file.hubs[1].phone = true;
  CHECK(find_phone(r.file, "display"));
  const auto none = find_phone(r.file, "other");
  REQUIRE_FALSE(none);
  CHECK(none.error().message.contains("sealcam phone list"));
}

TEST_CASE("the hub of this machine cannot be unlinked") {
  Rosters r;
  const auto rejected = unlink_hub(r.file, "tablet");
  REQUIRE_FALSE(rejected);
  CHECK(rejected.error().message.contains("hub deny"));
  CHECK_FALSE(unlink_hub(r.file, "nobody"));
}

TEST_CASE("allow and deny change one hub and one camera only") {
  Rosters r;
  REQUIRE(set_allowed(r.file, "display", "Door", false));
  CHECK(r.door().active(r.sample.display.id()) == nullptr);
  CHECK(r.door().active(r.sample.tablet.id()) != nullptr);
  CHECK(r.yard().active(r.sample.display.id()) != nullptr);
  REQUIRE(set_allowed(r.file, "display", "Door", true));
  CHECK(r.door().active(r.sample.display.id()) != nullptr);
  CHECK_FALSE(set_allowed(r.file, "display", "Garden", true));
}

TEST_CASE("the list of a hub has the cameras whose rosters list it, also during a suspension") {
  Rosters r;
  std::vector both = {r.sample.door.id(), r.sample.yard.id()};
  std::ranges::sort(both);
  const auto display = r.sample.display.id();
  const auto owner = DeviceId(r.file.account.bytes());
  CHECK(cameras_of(r.file, display) == both);
  REQUIRE(add_integration(r.file, "Displays", {"display"}));
  REQUIRE(set_suspended(r.file, "Displays", true));
  CHECK(cameras_of(r.file, display) == both);
  REQUIRE(set_allowed(r.file, "display", "Door", false));
  CHECK(cameras_of(r.file, display) == std::vector{r.sample.yard.id()});
  REQUIRE(remove_camera(r.file, "Yard"));
  CHECK(cameras_of(r.file, display).empty());
  CHECK(cameras_of(r.file, r.sample.tablet.id()) == std::vector{r.sample.door.id()});
  CHECK(cameras_of(r.file, owner) == std::vector{r.sample.door.id()});
  REQUIRE(unlink_hub(r.file, "display"));
  REQUIRE(set_allowed(r.file, "tablet", "Door", false));
  CHECK(cameras_of(r.file, r.sample.tablet.id()).empty());
  CHECK(cameras_of(r.file, owner) == std::vector{r.sample.door.id()});
}

TEST_CASE("the permission to switch privacy is for one hub, and it changes the roster") {
  Rosters r;
  const auto before = r.door();
  REQUIRE(set_may_switch_privacy(r.file, "display", true));
  CHECK(r.door().active(r.sample.display.id())->may_switch_privacy);
  CHECK_FALSE(r.door().active(r.sample.tablet.id())->may_switch_privacy);
  CHECK_FALSE(same_members(before, r.door()));
}

TEST_CASE("an integration is suspended and resumed with all of its hubs") {
  Rosters r;
  REQUIRE(add_integration(r.file, "cloud", {"display"}));
  CHECK(r.door().active(r.sample.display.id()) != nullptr);
  REQUIRE(set_suspended(r.file, "cloud", true));
  CHECK(r.door().active(r.sample.display.id()) == nullptr);
  CHECK(r.door().active(r.sample.tablet.id()) != nullptr);
  REQUIRE(set_suspended(r.file, "cloud", false));
  CHECK(r.door().active(r.sample.display.id()) != nullptr);

  const auto count = r.file.integrations.size();
  CHECK_FALSE(add_integration(r.file, "cloud", {}));                // the name exists
  CHECK_FALSE(add_integration(r.file, "other", {"display"}));       // the hub is in another integration
  CHECK_FALSE(add_integration(r.file, "other", {"tablet", "??"}));  // one hub does not exist
  CHECK(r.file.integrations.size() == count);
  CHECK_FALSE(r.file.hubs[0].integration);
  CHECK_FALSE(set_suspended(r.file, "other", true));
}

TEST_CASE("the roster of a removed camera has no hubs, and its record can be deleted after the confirmation") {
  Rosters r;
  r.file.hubs[0].denied = {r.sample.door.id()};
  REQUIRE(remove_camera(r.file, "Door"));
  CHECK(r.door().hubs.empty());
  CHECK_FALSE(r.yard().hubs.empty());
  note_confirmed(r.file);
  CHECK_FALSE(r.file.cameras[0].gone);
  r.file.cameras[0].confirmed = r.file.cameras[0].version;
  note_confirmed(r.file);
  CHECK(r.file.cameras[0].gone);
  CHECK_FALSE(r.file.cameras[1].gone);
  forget_camera(r.file, r.sample.door.id());
  CHECK(r.file.cameras.size() == 1);
  CHECK(r.file.hubs[0].denied.empty());
}

}  // namespace
}  // namespace sealcam::owner
