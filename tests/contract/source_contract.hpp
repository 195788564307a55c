// SPDX-License-Identifier: Apache-2.0
/// The contract of FrameSource (hal/frame_source.hpp) as a suite of checks for each back-end.
#pragma once

#include <functional>
#include <memory>

#include "base/clock.hpp"
#include "hal/frame_source.hpp"

namespace sealcam::test {

struct SourceUnderTest {
  /// Opens the source with this clock. Called several times, but never while another source is open.
  std::function<Result<std::unique_ptr<hal::FrameSource>>(const Clock&)> open;
  bool realtime = true;  ///< the source keeps its rate
  /// The device may lose pictures on a busy or emulated processor. The check of the rate then also counts the lost
  /// pictures, which are gaps in the numbers.
  bool may_lose = false;
  bool moving = true;  ///< pictures half a second apart differ
  /// Maximum time for one picture. Sensors need time to start.
  std::chrono::milliseconds timeout{2000};
};

/// Runs the whole contract with Catch2's checks, within a test case of the caller. Takes a few seconds with sources in
/// real time.
void check_source_contract(const SourceUnderTest& subject);

}  // namespace sealcam::test
