// SPDX-License-Identifier: Apache-2.0
/// The common course of all commands that change an account: change and store it, publish, wait for the cameras,
/// report.
#pragma once

#include <functional>
#include <string>

#include "owner/commands/commands.hpp"
#include "owner/commands/json_output.hpp"

namespace sealcam::owner {

/// The change. If it fails, nothing is stored.
using Change = std::function<Outcome<>(const Account& account, AccountFile& next)>;
/// A step after the exchange with the broker. Returns a note for the owner.
using Afterwards = std::function<Outcome<std::string>(Account& account, const SyncReport& report)>;

/// Succeeds if all affected cameras confirmed the change. If the change is stored but not confirmed, the exit code is
/// 75 (EX_TEMPFAIL) and `sealcam sync` continues.
[[nodiscard]] Outcome<> make_change(const Dependencies& deps, const ChangeOptions& options, const Change& change,
                                    const Afterwards& afterwards = {});

/// Fails if a restored account is out of sync.
[[nodiscard]] Outcome<> check_in_sync(const AccountFile& account);

/// Stores the folder of a broker on this machine in the account, so that later commands do not need --broker.
[[nodiscard]] Outcome<> remember_broker(Account& account, const Operator& broker);

/// Revokes a device if the broker's folder is known. Returns a note: the result, or the request to the operator.
[[nodiscard]] Outcome<std::string> revoke_at_broker(const AccountFile& account, const ChangeOptions& options,
                                                    const DeviceId& device);

[[nodiscard]] JsonObject report_json(const SyncReport& report);

}  // namespace sealcam::owner
