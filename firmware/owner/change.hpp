// SPDX-License-Identifier: Apache-2.0
/// How every command that changes something goes: change the account, publish, wait a while for the cameras, say how
/// far it got.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "owner/commands.hpp"

namespace sealcam::owner {

struct ChangeOptions {
  double wait = 10;     ///< seconds for the cameras to confirm
  std::string broker;   ///< absolute; folder of the broker, where devices lose their access; empty: as remembered
  bool forget = false;  ///< do not wait for the camera before its record goes
};

/// Adds --wait.
void add_wait_option(CLI::App& command, const std::shared_ptr<ChangeOptions>& options);
/// Adds --wait and --broker.
void add_expel_options(CLI::App& command, const std::shared_ptr<ChangeOptions>& options);

/// The change; on failure nothing is stored.
using Change = std::function<Outcome<>(const Account& account, AccountFile& next)>;
/// What else is done when the broker was visited, with sentences for people.
using Afterwards = std::function<Outcome<std::string>(Account& account, const SyncReport& report)>;

/// Exit code 0 when every camera concerned confirmed it; 75 (EX_TEMPFAIL) when it is stored and waits: `sealcam sync`
/// goes on with it.
[[nodiscard]] Outcome<> make_change(const Context& context, const ChangeOptions& options, const Change& change,
                                    const Afterwards& afterwards = {});

/// Takes a device's access away where the broker's folder is known, and says so; else what to ask the operator for.
[[nodiscard]] Outcome<std::string> expel_where_known(const AccountFile& account, const ChangeOptions& options,
                                                     const DeviceId& device);

}  // namespace sealcam::owner
