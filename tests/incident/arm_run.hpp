// SPDX-License-Identifier: Apache-2.0
/// Runs one arm of the test with the accounts of one wave, from the start of its brokers to the tally.
#pragma once

#include <memory>
#include <vector>

#include "album.hpp"
#include "incidents.hpp"
#include "judge.hpp"
#include "options.hpp"
#include "people.hpp"
#include "progress.hpp"
#include "provenance.hpp"

namespace sealcam::incident {

/// The data that an arm of the test keeps over its waves.
struct ArmState {
  std::unique_ptr<Fault> fault;
  Provenance provenance;
  ArmResult result;
};

struct WaveInput {
  const Options& options;
  const Incident& incident;
  const People& people;
  const std::vector<std::shared_ptr<const Album>>& albums;  ///< of the accounts in `people`
  const std::vector<protocol::Route>& routes;               ///< of all accounts up to the last one in `people`
  Judge& judge;
  Progress& progress;
};

/// Number of hubs on the contact sheet.
inline constexpr std::size_t sheet_hubs = 40;

/// Adds the wave to the result of the arm. Throws std::runtime_error if brokers or connections fail, or if a hub does
/// not receive the roster of its camera.
void run_wave(const WaveInput& input, ArmState& state);

}  // namespace sealcam::incident
