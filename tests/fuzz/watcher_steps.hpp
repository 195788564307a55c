// SPDX-License-Identifier: Apache-2.0
/// The steps of watcher_fuzz. Each step of the input is one byte, modulo the number of steps, followed by its operands.
#pragma once

#include <cstdint>

namespace sealcam::fuzz {

enum class Step : std::uint8_t {
  roster,      ///< which of 5: version 1, 2 without this hub, 3, another one with version 3, of another owner
  grants,      ///< which of 4 epochs
  frame,       ///< flags (withheld, no echo), epoch, kind, skipped numbers: sealed now, delivered unless withheld
  again,       ///< which sealed frame, flags (topic of stills, retained, topic of kept frames: then with grants before)
  tamper,      ///< which message, kind of change, position (2 bytes), leaf
  redirect,    ///< which sealed frame, topic: of another account or another camera
  forge,       ///< epoch, kind: sealed by a hub that has the epoch's key, in the name of the camera
  wait,        ///< tenths of seconds
  tick,        ///< no operand
  watch,       ///< on or off
  connection,  ///< lost or restored
  restart,     ///< of the hub, with its stored state
  status,      ///< online or offline
  raw,         ///< leaf, length, bytes
  flood,       ///< frames of an unknown epoch, or control messages of unknown cameras
  sleep,       ///< seconds: the hub's machine sleeps
  set_clock,   ///< which of two clocks (wall, monotonic), signed seconds times 100: only this clock moves
  steps
};

}  // namespace sealcam::fuzz
