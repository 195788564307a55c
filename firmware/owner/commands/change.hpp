// SPDX-License-Identifier: Apache-2.0
/// The common course of all commands that change an account: change and store it, publish, wait for the cameras,
/// report. For the option --json, the report is a JSON text. Members keep their order. Text that is not UTF-8 appears
/// with replacement characters.
#pragma once

#include <concepts>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/format.hpp"
#include "base/types.hpp"
#include "owner/commands/commands.hpp"
#include "owner/enrollment/enrollment.hpp"

namespace sealcam::owner {

[[nodiscard]] std::string json_text(std::string_view text);
[[nodiscard]] std::string json_text(double number);
[[nodiscard]] std::string json_text(const std::vector<DeviceId>& ids);

class JsonObject {
 public:
  template <class T>
  JsonObject& add(std::string_view name, const T& value) {
    members_ += (members_.empty() ? "" : ",") + json_text(name) + ":";
    if constexpr (std::same_as<T, bool>) members_ += value ? "true" : "false";
    else if constexpr (std::integral<T>) members_ += sealcam::format("{}", value);
    else if constexpr (requires { value.json(); }) members_ += value.json();
    else members_ += json_text(value);
    return *this;
  }
  [[nodiscard]] std::string json() const { return "{" + members_ + "}"; }

 private:
  std::string members_;
};

class JsonArray {
 public:
  void add(const JsonObject& object) { items_ += (items_.empty() ? "" : ",") + object.json(); }
  [[nodiscard]] std::string json() const { return "[" + items_ + "]"; }

 private:
  std::string items_;
};

/// Prints one line on standard output.
template <class Json>
void print_json(const Json& json) {
  sealcam::println("{}", json.json());
}

/// The change. If it fails, nothing is stored.
using Change = std::function<Outcome<>(const Account& account, AccountFile& next)>;
/// A step after the exchange with the broker. Returns a note for the owner.
using Afterwards = std::function<Outcome<std::string>(Account& account, const SyncReport& report)>;

/// Succeeds if all affected cameras confirmed the change. If the change is stored but not confirmed, the exit code is
/// 75 (EX_TEMPFAIL) and `sealcam sync` continues.
[[nodiscard]] Outcome<> make_change(const Dependencies& deps, const ChangeOptions& options, const Change& change,
                                    const Afterwards& afterwards = {});

/// Publishes the rosters with a new device, which is enrolled, and prints the result. `kind`: camera, hub or phone.
[[nodiscard]] Outcome<> publish_new(const Dependencies& deps, Account& account, std::string_view kind,
                                    const std::string& name, const Enrolled& enrolled);

/// Fails if a restored account is out of sync.
[[nodiscard]] Outcome<> check_in_sync(const AccountFile& account);

/// Stores the folder of a broker on this machine in the account, so that later commands do not need --broker.
[[nodiscard]] Outcome<> remember_broker(Account& account, const Operator& broker);

/// Revokes a device if the broker's folder is known. Returns a note: the result, or the request to the operator.
[[nodiscard]] Outcome<std::string> revoke_at_broker(const AccountFile& account, const ChangeOptions& options,
                                                    const DeviceId& device);

[[nodiscard]] JsonObject report_json(const SyncReport& report);

}  // namespace sealcam::owner
