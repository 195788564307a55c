// SPDX-License-Identifier: Apache-2.0
/// Runs one arm of the test, from the start of its brokers to the tally.
#pragma once

#include <memory>
#include <vector>

#include "album.hpp"
#include "judge.hpp"
#include "options.hpp"
#include "people.hpp"
#include "progress.hpp"

namespace sealcam::incident {

struct ArmInput {
  Arm arm;
  const Options& options;
  const People& people;
  const std::vector<std::shared_ptr<const Album>>& albums;
  Judge& judge;
  Progress& progress;
};

/// Number of hubs on the contact sheet.
inline constexpr std::size_t sheet_hubs = 40;

/// Throws std::runtime_error if brokers or connections fail, or if a hub does not receive the roster of its camera.
[[nodiscard]] ArmResult run_arm(const ArmInput& input);

}  // namespace sealcam::incident
