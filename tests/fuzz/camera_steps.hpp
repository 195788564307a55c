// SPDX-License-Identifier: Apache-2.0
/// The steps of camera_fuzz. Each step of the input is one byte, modulo the number of steps, followed by its operands.
#pragma once

#include <cstdint>

namespace sealcam::fuzz {

enum class CameraStep : std::uint8_t {
  roster,      ///< bits 0 and 1: hubs on the roster; bit 2: the first hub may not switch privacy; then the version: the
               ///< next one or an earlier one
  request,     ///< hub, kind, flags (earlier number, other epoch, prekey, cannot open, signed by the other hub, other
               ///< kept frames than the camera lists)
  command,     ///< items (bit 0: name, bit 1: privacy on, bit 2: privacy off), number: next one or earlier
  again,       ///< which of the delivered messages
  tamper,      ///< which of them, position (2 bytes), bit
  wait,        ///< tenths of seconds, with a tick after each second
  hours,       ///< number
  sleep,       ///< seconds: the camera's machine sleeps
  set_clock,   ///< signed seconds times 100: the wall clock moves
  capture,     ///< bit 0: delta, else key frame; bit 1: motion
  answers,     ///< the broker acknowledges, or does not
  connection,  ///< lost or restored
  storage,     ///< which stores fail: bit 0 roster, 1 command, 2 privacy, 3 epoch counter, 4 prekeys, 5 kept frames
  restart,     ///< of the camera, with its stored state
  raw,         ///< leaf, length, bytes
  steps
};

}  // namespace sealcam::fuzz
