// SPDX-License-Identifier: Apache-2.0
/// The sub commands of `sealcam`. Each adds itself to the command line and, when it was asked for, leaves its
/// work in `action`; main runs it after parsing.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "owner/account.hpp"
#include "owner/broker_setup.hpp"
#include "owner/operator.hpp"
#include "owner/sync.hpp"

namespace CLI {
class App;
}

namespace sealcam::owner {

struct Context {
  const Clock& clock;
  std::string account_folder;  ///< empty: the default
  bool json = false;
  std::function<Outcome<>()> action;

  [[nodiscard]] AccountFiles account() const;
};

/// Absolute and tidy. Every path is made so before an account is opened, since that changes the working folder.
[[nodiscard]] std::filesystem::path absolute(const std::string& path);

/// Ids as texts.
[[nodiscard]] std::vector<std::string> texts(const std::vector<DeviceId>& ids);
/// Sentences about how far everything got; empty when there is nothing to say.
[[nodiscard]] std::string describe(const SyncReport& report, const AccountFile& account);
/// The same as a JSON object.
[[nodiscard]] std::string report_json(const SyncReport& report);

/// Fails after a restore, as long as the cameras were not heard: nothing may be changed before.
[[nodiscard]] Outcome<> may_change(const AccountFile& account);
/// Notes in the account where its broker's folder is, if it has one, so that it need not be said again.
[[nodiscard]] Outcome<> remember_broker(Account& account, const Operator& broker);

void add_account_commands(CLI::App& app, Context& context);
void add_broker_commands(CLI::App& app, Context& context);
void add_device_commands(CLI::App& app, Context& context);
/// These add to what add_device_commands() made.
void add_camera_commands(CLI::App& app, Context& context);
void add_hub_commands(CLI::App& app, Context& context);
void add_integration_commands(CLI::App& app, Context& context);
void add_doctor_command(CLI::App& app, Context& context);
void add_watch_command(CLI::App& app, Context& context);
void add_inspect_command(CLI::App& app, Context& context);

}  // namespace sealcam::owner
