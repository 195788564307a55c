// SPDX-License-Identifier: Apache-2.0
/// The language of watcher_fuzz: a run is a list of steps, each one byte (modulo their number) and its operands.
#pragma once

#include <cstdint>

namespace sealcam::fuzz {

enum class Step : std::uint8_t {
  roster,      ///< which (5 of them): older, newer, without us, contradicting, another owner's
  grants,      ///< of which epoch (4 of them)
  frame,       ///< flags (withheld, echo), epoch, kind, numbers left out: sealed now, delivered unless withheld
  again,       ///< which of the frames made, flags (still's topic, retained)
  tamper,      ///< which, how, where (2 bytes), leaf
  elsewhere,   ///< which, on which other topic: a stranger's camera, another account
  forge,       ///< epoch, kind: by a hub that holds the content key, in the camera's name
  wait,        ///< tenths of seconds
  tick,        ///<
  want,        ///< on or off
  connection,  ///< lost or back
  restart,     ///< the hub, with what it stored
  status,      ///< online or offline
  raw,         ///< leaf, length, bytes
  flood,       ///< what: frames of an unknown epoch, control messages of unknown cameras
  steps
};

}  // namespace sealcam::fuzz
