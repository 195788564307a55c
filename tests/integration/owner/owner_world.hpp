// SPDX-License-Identifier: Apache-2.0
/// An account with a scripted camera and two hubs at a running broker, driven by the real `sealcam`.
#pragma once

#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "owner/account_file.hpp"
#include "pairing/device_state.hpp"
#include "scripted_camera.hpp"
#include "support/temporary_folder.hpp"

namespace sealcam::test {

using Json = nlohmann::json;

struct OwnerWorld {
  TemporaryFolder folder;
  std::uint16_t port = free_port();
  std::unique_ptr<BrokerProcess> broker;
  ScriptedCamera camera{folder.path() / "cam"};

  /// `--account` is in front of every command.
  [[nodiscard]] Ran owner(std::vector<std::string> words, const std::string& account = "account") const {
    words.insert(words.begin(), {"--account", path(account), "--json"});
    return sealcam(std::move(words));
  }
  void need(std::vector<std::string> words) const {
    const auto ran = owner(std::move(words));
    INFO(ran.output);
    REQUIRE(ran.exit_code == 0);
  }
  /// Runs it, checks the exit code, returns its JSON.
  [[nodiscard]] Json json(std::vector<std::string> words, int exit_code, const std::string& account = "account") const {
    const auto ran = owner(std::move(words), account);
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
    const auto enrolment = pairing::read_enrolment({folder.path() / "cam"});
    REQUIRE(enrolment);
    return enrolment->owner;
  }

  OwnerWorld() {
    if (::access("/usr/sbin/mosquitto", X_OK) != 0) SKIP("mosquitto is not installed");
    need({"broker", "init", path("B"), "--port", std::to_string(port)});
    broker = std::make_unique<BrokerProcess>(folder.path() / "B" / "mosquitto.conf", port);
    need({"account", "create"});
    need({"camera", "enroll", path("cam"), "--name", "Door", "--broker", path("B")});
    need({"hub", "enroll", path("tablet"), "--name", "tablet", "--broker", path("B")});
    need({"hub", "enroll", path("display"), "--name", "display", "--broker", path("B")});
    REQUIRE(camera.connect(owner_key()));
    REQUIRE(camera.receives_roster(file().cameras.at(0).version));
  }
  /// The camera follows what it received, and the owner hears it.
  void settle() {
    camera.says_grants();
    (void)json({"sync"}, 0);
  }
};

}  // namespace sealcam::test
