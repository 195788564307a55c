// SPDX-License-Identifier: Apache-2.0
/// A broker of `sealcam broker init`, and accounts, made by the real `sealcam`.
#pragma once

#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <string>

#include "command_line.hpp"
#include "owner/account/account.hpp"
#include "protocol/envelope.hpp"
#include "support/mosquitto.hpp"
#include "support/temporary_folder.hpp"

#define NEED(ran)                 \
  do {                            \
    const auto ran_ = (ran);      \
    INFO(ran_.output);            \
    REQUIRE(ran_.exit_code == 0); \
  } while (false)

namespace sealcam::test {

/// A broker, and accounts with one camera and one hub each.
struct BrokerWorld {
  TemporaryFolder folder;
  std::filesystem::path broker = folder.path() / "B";
  std::uint16_t port = free_port();
  std::unique_ptr<BrokerProcess> process;

  BrokerWorld() {
    if (::access("/usr/sbin/mosquitto", X_OK) != 0) SKIP("mosquitto is not installed");
    NEED(sealcam({"broker", "init", broker.string(), "--port", std::to_string(port)}));
  }
  void start() { process = std::make_unique<BrokerProcess>(broker / "mosquitto.conf", port); }
  [[nodiscard]] std::string path(const std::string& name) const { return (folder.path() / name).string(); }
  void add_account(const std::string& name) const {
    NEED(sealcam({"--account", path(name), "account", "create"}));
    NEED(enroll_camera(name, name + "-cam"));
    NEED(sealcam({"--account", path(name), "hub", "enroll", path(name + "-hub"), "--broker", broker.string()}));
  }
  [[nodiscard]] Ran enroll_camera(const std::string& account, const std::string& state) const {
    return sealcam({"--account", path(account), "--json", "camera", "enroll", path(state), "--name",
                    "Camera of " + account, "--broker", broker.string()});
  }
  [[nodiscard]] owner::AccountFile account(const std::string& name) const {
    const auto file = owner::read_account(folder.path() / name / "account.json");
    REQUIRE(file);
    return *file;
  }
  [[nodiscard]] protocol::Route route(const std::string& name) const {
    const auto file = account(name);
    return {file.account, file.cameras.at(0).id};
  }
  [[nodiscard]] DeviceId hub(const std::string& name) const { return account(name).hubs.at(1).id; }
};

}  // namespace sealcam::test
