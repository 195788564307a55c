// SPDX-License-Identifier: Apache-2.0
/// The door between the program and the module sealcam-media.so.
#pragma once

#include "hal/media.hpp"

namespace sealcam::hal::media {

/// What crosses into the module. Both are of one build: `version` is compared.
struct ModuleCall {
  const char* version = nullptr;
  Error error{Errc::io, 0, ""};  ///< set when nothing comes back
};

/// The module's one symbol. Returns what the caller deletes, or null. Throws nothing.
using OpenFunction = Media*(ModuleCall*) noexcept;
inline constexpr const char* open_symbol = "sealcam_media_open";
inline constexpr const char* module_file = "sealcam-media.so";

}  // namespace sealcam::hal::media
