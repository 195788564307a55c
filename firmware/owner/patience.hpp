// SPDX-License-Identifier: Apache-2.0
/// Waiting for a folder that another command has locked, as happens when a script starts two at once.
#pragma once

#include <chrono>
#include <thread>
#include <utility>

#include "core/result.hpp"

namespace sealcam::owner {

/// Calls `attempt` again every 50 ms, for at most five seconds, while it fails with conflict.
template <class Attempt>
auto patiently(Attempt attempt) -> decltype(attempt()) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  for (;;) {
    auto result = attempt();
    if (result || result.error().code != Errc::conflict || std::chrono::steady_clock::now() >= until) return result;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace sealcam::owner
