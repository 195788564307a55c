// SPDX-License-Identifier: Apache-2.0
// What every change of the account makes of the rosters.
#include "owner/membership.hpp"

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

TEST_CASE("an unlinked hub is on no roster, and its record stays until every camera confirmed that") {
  Rosters r;
  REQUIRE(r.door().active(r.sample.display.id()) != nullptr);  // the control
  CHECK(unlink_hub(r.file, "display") == r.sample.display.id());
  CHECK(r.door().active(r.sample.display.id()) == nullptr);
  CHECK(r.yard().active(r.sample.display.id()) == nullptr);
  CHECK_FALSE(unlink_hub(r.file, "display"));  // twice
  CHECK_FALSE(set_allowed(r.file, "display", "Door", true));
  r.file.cameras[0].confirmed = r.file.cameras[0].version;
  CHECK(drop_finished(r.file).empty());
  CHECK(r.file.hubs.size() == 2);
  r.file.cameras[1].confirmed = r.file.cameras[1].version;
  CHECK(drop_finished(r.file).empty());
  CHECK(r.file.hubs.size() == 1);
}

TEST_CASE("this machine's own hub is denied, never unlinked") {
  Rosters r;
  const auto refused = unlink_hub(r.file, "tablet");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.contains("hub deny"));
  CHECK_FALSE(unlink_hub(r.file, "nobody"));
}

TEST_CASE("allowing and denying concern one hub and one camera") {
  Rosters r;
  REQUIRE(set_allowed(r.file, "display", "Door", false));
  CHECK(r.door().active(r.sample.display.id()) == nullptr);
  CHECK(r.door().active(r.sample.tablet.id()) != nullptr);
  CHECK(r.yard().active(r.sample.display.id()) != nullptr);
  REQUIRE(set_allowed(r.file, "display", "Door", true));
  CHECK(r.door().active(r.sample.display.id()) != nullptr);
  CHECK_FALSE(set_allowed(r.file, "display", "Garden", true));
}

TEST_CASE("switching privacy is a right of one hub, and a roster that says so is another roster") {
  Rosters r;
  const auto before = r.door();
  REQUIRE(set_may_switch_privacy(r.file, "display", true));
  CHECK(r.door().active(r.sample.display.id())->may_switch_privacy);
  CHECK_FALSE(r.door().active(r.sample.tablet.id())->may_switch_privacy);
  CHECK_FALSE(same_members(before, r.door()));
}

TEST_CASE("an integration is suspended with all of its hubs and resumed") {
  Rosters r;
  REQUIRE(add_integration(r.file, "cloud", {"display"}));
  CHECK(r.door().active(r.sample.display.id()) != nullptr);
  REQUIRE(set_suspended(r.file, "cloud", true));
  CHECK(r.door().active(r.sample.display.id()) == nullptr);
  CHECK(r.door().active(r.sample.tablet.id()) != nullptr);
  REQUIRE(set_suspended(r.file, "cloud", false));
  CHECK(r.door().active(r.sample.display.id()) != nullptr);

  const auto count = r.file.integrations.size();
  CHECK_FALSE(add_integration(r.file, "cloud", {}));                // the name is taken
  CHECK_FALSE(add_integration(r.file, "other", {"display"}));       // the hub is
  CHECK_FALSE(add_integration(r.file, "other", {"tablet", "??"}));  // changes nothing
  CHECK(r.file.integrations.size() == count);
  CHECK_FALSE(r.file.hubs[0].integration);
  CHECK_FALSE(set_suspended(r.file, "other", true));
}

TEST_CASE("a removed camera's roster names no hub, and its record goes with the confirmation") {
  Rosters r;
  r.file.hubs[0].denied = {r.sample.door.id()};
  REQUIRE(remove_camera(r.file, "Door"));
  CHECK(r.door().hubs.empty());
  CHECK_FALSE(r.yard().hubs.empty());
  CHECK(drop_finished(r.file).empty());
  r.file.cameras[0].confirmed = r.file.cameras[0].version;
  CHECK(drop_finished(r.file) == std::vector{r.sample.door.id()});
  CHECK(r.file.cameras.size() == 1);
  CHECK(r.file.hubs[0].denied.empty());
}

}  // namespace
}  // namespace sealcam::owner
