// SPDX-License-Identifier: Apache-2.0
/// What a whole run came to, and whether it shows what it is to show.
#pragma once

#include <string>
#include <vector>

#include "options.hpp"
#include "tally.hpp"

namespace sealcam::incident {

struct RunResult {
  std::vector<ArmResult> arms;
  double prepare_seconds = 0;  ///< keys, certificates, pictures
  double seconds = 0;
  std::uint64_t peak_kib = 0;  ///< largest resident memory of this process
  [[nodiscard]] const ArmResult* find(Arm arm) const noexcept {
    for (const auto& a : arms)
      if (a.arm == arm) return &a;
    return nullptr;
  }
};

/// Share of own pictures that arrived whole and must have been shown.
inline constexpr double least_share = 0.99;

/// Sentences about what is wrong; none: the run shows what it is to show.
[[nodiscard]] std::vector<std::string> failures(const RunResult& run);

/// Reasons for which frames were refused, in the order of their names.
[[nodiscard]] std::vector<std::string> refusal_reasons(const RunResult& run);
/// How often in this arm; "-" where nothing is refused by reason.
[[nodiscard]] std::string refused(const ArmResult& arm, const std::string& reason);

/// Prints the table of both arms to standard output.
void print_table(const RunResult& run, const Options& options);

}  // namespace sealcam::incident
