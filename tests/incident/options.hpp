// SPDX-License-Identifier: Apache-2.0
/// Options of a run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "faulty_cache.hpp"
#include "tally.hpp"

namespace sealcam::incident {

struct Options {
  std::string scenario;
  std::size_t accounts = 40;
  unsigned requests = 4;  ///< of each hub
  std::uint64_t seed = 2020;
  std::filesystem::path output = "build/incident";
  std::vector<Arm> arms{Arm::plain, Arm::sealed};
  bool json = false;
  unsigned at_once = 64;  ///< hubs that send requests at the same time
  FaultModel fault;
};

}  // namespace sealcam::incident
