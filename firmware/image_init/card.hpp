// SPDX-License-Identifier: Apache-2.0
/// Takes settings from the first partition of the SD card, which a PC shows, and stores them on the data partition.
#pragma once

#include <filesystem>
#include <string>

#include "base/log.hpp"
#include "base/result.hpp"

namespace sealcam::image_init {

struct CardFolders {
  std::filesystem::path card;         ///< sealcam.json, pairing.txt, sealcam-settings-error.txt
  std::filesystem::path settings;     ///< host-name and country
  std::filesystem::path connections;  ///< NetworkManager's
  std::filesystem::path rules;        ///< regulatory.db of wireless-regdb; may be missing
};

enum class Taken { none, taken, rejected };

/// Takes sealcam.json: stores its settings durably, then overwrites and deletes the file. After an interruption, the
/// next start takes the file again. A file with an error or a country without radio rules stays, and
/// sealcam-settings-error.txt beside it gives the reason. The same file reports a sealcam.json.txt, which is not read
/// and does not change the result. Errors: permission, io.
[[nodiscard]] Result<Taken> take_settings(const CardFolders& folders, Log& log);

/// The stored host name, which routers show; "sealcam" if none is stored.
[[nodiscard]] std::string host_name(const CardFolders& folders);

/// Overwrites the first 64 KiB, deletes the file and waits for the card. The card's controller may keep an old copy
/// that the system cannot see. Succeeds if there is no file. Errors: permission, io.
[[nodiscard]] Result<> erase_file(const std::filesystem::path& path);

}  // namespace sealcam::image_init
