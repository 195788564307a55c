// SPDX-License-Identifier: Apache-2.0
/// How a command is told who admits its devices: --broker, or --request and later --answer.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "owner/commands.hpp"

namespace sealcam::owner {

struct OperatorOptions {
  std::string broker;   ///< folder on this machine
  std::string request;  ///< file to write for an operator elsewhere
  std::string answer;   ///< and the one that came back

  [[nodiscard]] bool asks() const noexcept { return !request.empty(); }
  /// Paths become absolute; `out` stays null when the operator is only asked. Fails unless exactly one is given.
  [[nodiscard]] Outcome<> resolve(std::shared_ptr<const Operator>& out) const;
};

void add_operator_options(CLI::App& command, OperatorOptions& options);

/// Writes the file and says what comes next. `device`: the one that it is about, beside this machine's.
[[nodiscard]] Outcome<> send_requests(const Context& context, const OperatorOptions& options,
                                      const std::vector<AdmissionRequest>& requests,
                                      const std::optional<DeviceId>& device);

}  // namespace sealcam::owner
