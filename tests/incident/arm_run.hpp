// SPDX-License-Identifier: Apache-2.0
/// One arm of the experiment from the start of its brokers to the sum of what was counted.
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

/// Hubs whose pictures are kept for the contact sheet.
inline constexpr std::size_t sheet_hubs = 40;

/// Throws std::runtime_error when the arm cannot be set up: brokers, connections, or hubs that never learn of their
/// camera.
[[nodiscard]] ArmResult run_arm(const ArmInput& input);

}  // namespace sealcam::incident
