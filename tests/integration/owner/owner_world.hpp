// SPDX-License-Identifier: Apache-2.0
/// An account with a scripted camera and two hubs at a running broker, driven by the real `sealcam`.
#pragma once

#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "device/enrollment.hpp"
#include "owner/account/account.hpp"
#include "scripted_camera.hpp"
#include "support/mosquitto.hpp"
#include "support/temporary_folder.hpp"

namespace sealcam::test {

using Json = nlohmann::json;

struct OwnerWorld {
  TemporaryFolder folder;
  std::uint16_t port = free_port();
  std::unique_ptr<BrokerProcess> broker;
  ScriptedCamera camera{folder.path() / "cam"};

  /// Runs `sealcam --account …` with JSON output.
  [[nodiscard]] Ran owner(std::vector<std::string> arguments, const std::string& account = "account") const {
    arguments.insert(arguments.begin(), {"--account", path(account), "--json"});
    return sealcam(std::move(arguments));
  }
  void must_run(std::vector<std::string> arguments) const {
    const auto ran = owner(std::move(arguments));
    INFO(ran.output);
    REQUIRE(ran.exit_code == 0);
  }
  /// Runs owner(), checks the exit code and returns the JSON.
  [[nodiscard]] Json json(std::vector<std::string> arguments, int exit_code,
                          const std::string& account = "account") const {
    const auto ran = owner(std::move(arguments), account);
    INFO(ran.output);
    REQUIRE(ran.exit_code == exit_code);
    return Json::parse(ran.output);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return (folder.path() / name).string(); }
  [[nodiscard]] owner::AccountFile file(const std::string& account = "account") const {
    const auto read = owner::read_account(folder.path() / account / "account.json");
    REQUIRE(read);
    return *read;
  }
  [[nodiscard]] crypto::PublicKey owner_key() const {
    const auto enrollment = device::read_enrollment({folder.path() / "cam"});
    REQUIRE(enrollment);
    return enrollment->owner;
  }

  OwnerWorld() {
    if (::access("/usr/sbin/mosquitto", X_OK) != 0) SKIP("mosquitto is not installed");
    must_run({"broker", "init", path("B"), "--port", std::to_string(port)});
    broker = std::make_unique<BrokerProcess>(folder.path() / "B" / "mosquitto.conf", port);
    must_run({"account", "create"});
    must_run({"camera", "enroll", path("cam"), "--name", "Door", "--broker", path("B")});
    must_run({"hub", "enroll", path("tablet"), "--name", "tablet", "--broker", path("B")});
    must_run({"hub", "enroll", path("display"), "--name", "display", "--broker", path("B")});
    REQUIRE(camera.connect(owner_key()));
    REQUIRE(camera.receives_roster(file().cameras.at(0).version));
  }
  /// The camera confirms its roster, and the owner receives the confirmation.
  void settle() {
    camera.reports_grants();
    (void)json({"sync"}, 0);
  }
};

}  // namespace sealcam::test
