// SPDX-License-Identifier: Apache-2.0
/// The card's first partition, which people see on a PC, and what is kept of it on the data partition.
#pragma once

#include <filesystem>
#include <string>

#include "core/log.hpp"
#include "core/result.hpp"

namespace sealcam::appliance {

struct CardFolders {
  std::filesystem::path card;         ///< sealcam.json, pairing.txt, sealcam-settings-error.txt
  std::filesystem::path settings;     ///< host-name and country
  std::filesystem::path connections;  ///< NetworkManager's
  std::filesystem::path rules;        ///< wireless-regdb's file, the countries that the kernel knows; may be missing
};

enum class Taken { none, taken, refused };

/// Takes sealcam.json: what it says is made durable first, then the file is overwritten and deleted, so that a start
/// which is cut short takes it again. One that is wrong, or names a country without rules, stays, and
/// sealcam-settings-error.txt beside it says why, for as long as it is there. So it does of a sealcam.json.txt, which
/// is never read and changes no result. Errors: permission, io.
[[nodiscard]] Result<Taken> take_settings(const CardFolders& folders, Log& log);

/// What the router shows; "sealcam" when none was given.
[[nodiscard]] std::string host_name(const CardFolders& folders);

/// Overwrites (the first 64 KiB), deletes, and waits for the card. A flash card may keep the old content in a place
/// that only its own controller sees. A file that is not there is none to delete. Errors: permission, io.
[[nodiscard]] Result<> erase_file(const std::filesystem::path& path);

}  // namespace sealcam::appliance
