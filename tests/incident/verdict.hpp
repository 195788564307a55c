// SPDX-License-Identifier: Apache-2.0
/// The result of a run, and its criteria.
#pragma once

#include <string>
#include <vector>

#include "options.hpp"
#include "tally.hpp"

namespace sealcam::incident {

struct RunResult {
  std::vector<ArmResult> arms;
  std::size_t accounts = 0;        ///< of the waves that ran
  std::vector<std::string> model;  ///< of the fault, in sentences
  double prepare_seconds = 0;      ///< keys, certificates, pictures
  double seconds = 0;
  std::uint64_t peak_kib = 0;  ///< maximum resident memory of this process
  /// Memory of the process and of one arm's brokers, for each connected account.
  double kib_per_account = 0;
  [[nodiscard]] const ArmResult* find(Arm arm) const noexcept {
    for (const auto& a : arms)
      if (a.arm == arm) return &a;
    return nullptr;
  }
};

/// Minimum share of undamaged own pictures that must be shown.
inline constexpr double min_share = 0.99;

/// A message per failed criterion.
[[nodiscard]] std::vector<std::string> failures(const RunResult& run);

/// Reasons for which frames were rejected, in alphabetical order.
[[nodiscard]] std::vector<std::string> reject_reasons(const RunResult& run);
/// Number of rejections for this reason. "-" for the plain arm.
[[nodiscard]] std::string rejected(const ArmResult& arm, const std::string& reason);

/// Names of the counters of the fault, in alphabetical order, and their values.
[[nodiscard]] std::vector<std::string> relay_counters(const RunResult& run);
[[nodiscard]] std::string relayed(const ArmResult& arm, const std::string& counter);

/// Prints the table of both arms to standard output.
void print_table(const RunResult& run, const Options& options);

}  // namespace sealcam::incident
