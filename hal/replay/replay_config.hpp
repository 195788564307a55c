// SPDX-License-Identifier: Apache-2.0
/// What to replay, and the door between the program and the module that does it.
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "core/result.hpp"
#include "hal/frame_source.hpp"

namespace sealcam::hal::replay {

struct ReplayConfig {
  std::filesystem::path file;  ///< anything FFmpeg opens
  Size size{1920, 1080};       ///< pictures are stretched to it
  double rate = 0;             ///< pictures per second, whatever the file says; 0: what the file says
  bool loop = true;            ///< false: end_of_stream after the file's last picture
  bool realtime = true;        ///< false: as fast as next() is called
};

/// What crosses from the program into the module. Both are of one build: `version` is compared.
struct ModuleCall {
  const char* version = nullptr;
  const ReplayConfig* config = nullptr;
  const Clock* clock = nullptr;
  Log* log = nullptr;
  Error error{Errc::io, 0, ""};  ///< set when no source comes back
};

/// The module's one symbol. Returns a source that the caller deletes, or null. Throws nothing.
using OpenFunction = FrameSource*(ModuleCall*) noexcept;
inline constexpr const char* open_symbol = "sealcam_replay_open";
inline constexpr const char* module_file = "sealcam-replay.so";

}  // namespace sealcam::hal::replay
