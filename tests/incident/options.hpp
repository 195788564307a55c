// SPDX-License-Identifier: Apache-2.0
/// Options of a run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tally.hpp"

namespace sealcam::incident {

struct Options {
  std::string scenario;  ///< name of an incident
  std::size_t accounts = 24;
  unsigned requests = 0;  ///< of each hub; one in each round
  std::uint64_t seed = 2020;
  std::filesystem::path output = "build/incident";
  std::vector<Arm> arms{Arm::plain, Arm::sealed};
  bool json = false;
  unsigned at_once = 64;    ///< hubs that send requests at the same time
  std::size_t wave = 256;   ///< accounts whose devices are connected at the same time
  std::size_t control = 0;  ///< accounts of the plain arm; 0: all
  double max_minutes = 0;   ///< no new wave starts after this time; 0: no limit
};

}  // namespace sealcam::incident
