// SPDX-License-Identifier: Apache-2.0
/// What every FrameSource owes its caller (hal/frame_source.hpp), as checks that any backend can be put through.
#pragma once

#include <functional>
#include <memory>

#include "core/clock.hpp"
#include "hal/frame_source.hpp"

namespace sealcam::test {

struct SourceUnderTest {
  /// Opens the source with the clock given. Called several times, never while another one is open.
  std::function<Result<std::unique_ptr<hal::FrameSource>>(const Clock&)> open;
  bool realtime = true;  ///< it keeps its rate
  /// A device whose pictures may be lost before they come here, on a processor that is busy or emulated: it keeps its
  /// rate by what it counts, the lost ones (gaps in the numbers) included.
  bool may_lose = false;
  bool moving = true;  ///< pictures half a second apart differ
  /// How long one picture may take to come; sensors need time to start.
  std::chrono::milliseconds patience{2000};
};

/// Runs the whole contract with Catch2's checks, within a test case of the caller. Takes a few seconds with sources in
/// real time.
void check_source_contract(const SourceUnderTest& subject);

}  // namespace sealcam::test
