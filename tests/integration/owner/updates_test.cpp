// SPDX-License-Identifier: Apache-2.0
// Versions and updates of cameras, and the owner's decision about updates.
#include <sysexits.h>

#include "owner_world.hpp"

namespace sealcam {
namespace {

using protocol::CommandSeq;
using protocol::UpdateAction;
using test::Json;
using test::OwnerWorld;

protocol::SoftwareReport offered() {
  return {"0.1.0",
          protocol::UpdateStatus{.version = "0.1.0",
                                 .state = protocol::UpdateState::offered,
                                 .offer = "0.2.0",
                                 .last = protocol::UpdateStatus::Last{.version = "0.1.9",
                                                                      .result = protocol::UpdateResult::rolled_back,
                                                                      .reason = "no sensor\n",
                                                                      .at = {std::chrono::seconds(1'790'000'000)}}}};
}

std::vector<std::string> update(const std::string& option, const std::string& value = "") {
  std::vector<std::string> arguments{"camera", "update", "Door", option, "--wait", "0"};
  if (!value.empty()) arguments.insert(arguments.begin() + 4, value);
  return arguments;
}

TEST_CASE("the list of cameras shows version, offer, state and result of the last update") {
  OwnerWorld w;
  w.settle();
  const auto software = [&] { return w.json({"camera", "list"}, 0)[0].at("software"); };
  CHECK(software().at("text").get<std::string>().contains("older"));
  w.camera.software = offered();
  w.camera.reports_grants();
  (void)w.json({"sync"}, 0);
  const Json shown = software();
  CHECK(shown.at("version") == "0.1.0");
  CHECK(shown.at("state") == "offered");
  CHECK(shown.at("offer") == "0.2.0");
  CHECK(shown.at("last").at("result") == "rolled_back");
  CHECK(shown.at("last").at("reason") == "no sensor?");
  const auto text = test::sealcam({"--account", w.path("account"), "camera", "list"});
  CHECK(
      text.output.contains("version 0.1.0, update 0.2.0 is offered; 0.1.9 failed its check and was rolled back on "
                           "2026-09-21: no sensor?"));
}

TEST_CASE("a decision about updates is in each command to a camera that reports its version") {
  OwnerWorld w;
  w.settle();
  // An older camera would reject the command.
  CHECK(w.owner(update("--start")).exit_code == EX_UNAVAILABLE);
  CHECK_FALSE(w.file().cameras[0].command.update);

  w.camera.software = offered();
  w.camera.reports_grants();
  (void)w.json({"sync"}, 0);
  (void)w.json(update("--start"), EX_TEMPFAIL);
  REQUIRE(w.camera.receives_command(CommandSeq(1)));
  CHECK(w.camera.command()->update->value == protocol::UpdateConsent{.action = UpdateAction::start});
  (void)w.json(update("--reject", "0.2.0"), EX_TEMPFAIL);
  (void)w.json({"camera", "privacy", "Door", "on", "--wait", "0"}, EX_TEMPFAIL);
  REQUIRE(w.camera.receives_command(CommandSeq(3)));
  CHECK(w.camera.command()->update->since == CommandSeq(2));
  CHECK(w.camera.command()->update->value ==
        protocol::UpdateConsent{.action = UpdateAction::reject, .version = "0.2.0"});
  (void)w.json(update("--defer", "7"), EX_TEMPFAIL);
  REQUIRE(w.camera.receives_command(CommandSeq(4)));
  CHECK(w.camera.command()->update->value.action == UpdateAction::defer);
  CHECK(w.camera.command()->update->value.until.since_epoch > std::chrono::days(7));
  (void)w.json(update("--automatic"), EX_TEMPFAIL);
  REQUIRE(w.camera.receives_command(CommandSeq(5)));
  CHECK(w.camera.command()->update->value == protocol::UpdateConsent{});
  w.camera.reports_grants(CommandSeq(5));
  (void)w.json({"sync"}, 0);

  // The program of the camera was replaced by an older one.
  w.camera.software.reset();
  w.camera.reports_grants(CommandSeq(5));
  (void)w.json({"sync"}, 0);
  (void)w.json({"camera", "privacy", "Door", "off", "--wait", "0"}, EX_TEMPFAIL);
  REQUIRE(w.camera.receives_command(CommandSeq(6)));
  CHECK_FALSE(w.camera.command()->update);
  // It was updated again, and still has the decision that it applied.
  w.camera.software = offered();
  w.camera.reports_grants(CommandSeq(6));
  (void)w.json({"sync"}, 0);
  CHECK(w.file().cameras[0].command.newest == CommandSeq(6));
}

TEST_CASE("a decision that waits for a newer camera is sent once the camera reports its version") {
  OwnerWorld w;
  w.settle();
  w.camera.software = offered();
  w.camera.reports_grants();
  (void)w.json({"sync"}, 0);
  (void)w.json(update("--reject", "0.2.0"), EX_TEMPFAIL);
  REQUIRE(w.camera.receives_command(CommandSeq(1)));
  REQUIRE(w.camera.command()->update);

  // The program of the camera was replaced by an older one, which rejects the command.
  w.camera.software.reset();
  w.camera.reports_grants();
  (void)w.owner({"sync"});
  REQUIRE(w.camera.receives_command(CommandSeq(2)));
  CHECK_FALSE(w.camera.command()->update);
  w.camera.reports_grants(CommandSeq(2));
  (void)w.json({"sync"}, 0);
  const auto why = [&] { return w.json({"camera", "list"}, 0)[0].at("why_pending").get<std::string>(); };
  CHECK(why().contains("the decision about updates waits"));

  w.camera.software = offered();
  w.camera.reports_grants(CommandSeq(2));
  (void)w.owner({"sync"});
  REQUIRE(w.camera.receives_command(CommandSeq(3)));
  REQUIRE(w.camera.command()->update);
  CHECK(w.camera.command()->update->since == CommandSeq(3));
  CHECK(w.camera.command()->update->value ==
        protocol::UpdateConsent{.action = UpdateAction::reject, .version = "0.2.0"});
  w.camera.reports_grants(CommandSeq(3));
  (void)w.json({"sync"}, 0);
  CHECK(why().empty());
  CHECK(w.file().cameras[0].command.newest == CommandSeq(3));
}

TEST_CASE("confirmations are stored before the grants, and the next sync stores the grants") {
  OwnerWorld w;
  w.camera.software = offered();
  w.camera.reports_grants();
  // Storing the grants fails, as after a power cut.
  test::must(write_file_durably(w.path("account/grants"), {}));
  CHECK(w.owner({"sync"}).exit_code != 0);
  CHECK(w.file().cameras[0].confirmed == w.file().cameras[0].version);
  std::filesystem::remove(w.path("account/grants"));
  (void)w.json({"sync"}, 0);
  CHECK(std::filesystem::exists(w.path("account/grants/" + w.camera.keys.id().to_string())));
}

TEST_CASE("a decision about updates needs exactly one option and a version") {
  OwnerWorld w;
  CHECK(w.owner({"camera", "update", "Door"}).exit_code == EX_USAGE);
  CHECK(w.owner({"camera", "update", "Door", "--start", "--automatic"}).exit_code == EX_USAGE);
  CHECK(w.owner(update("--defer", "91")).exit_code == EX_USAGE);
  for (const auto* version : {"", "newest", "0.2", "0.2.0.", "...", "01.2.0", "0.2.0\n", "1234567890.1.0"})
    CHECK(w.owner(update("--reject", version)).exit_code == EX_USAGE);
}

}  // namespace
}  // namespace sealcam
