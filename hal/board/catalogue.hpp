// SPDX-License-Identifier: Apache-2.0
/// All boards that are known, and which of them this is.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <vector>

#include "hal/board/board_data.hpp"
#include "hal/board/system_view.hpp"

namespace sealcam::hal::board {

/// Reads <folder>/*/board.json. The error is a sentence that names the file and the place: unreadable data, none at
/// all, two models for one 'compatible', not exactly one model for unknown boards.
[[nodiscard]] std::expected<std::vector<Model>, std::string> read_catalogue(const std::filesystem::path& folder);

/// Where the data lies: $SEALCAM_BOARDS (absolute); for a program in a build folder the source beside it; else where
/// it is installed, beside the program first. The error lists the places.
[[nodiscard]] std::expected<std::filesystem::path, std::string> find_catalogue();

/// What the board says of itself.
struct Identity {
  std::vector<std::string> compatible;  ///< of the device tree's root, the most exact first; empty: no device tree
  std::string model;                    ///< for people; empty when it says nothing
  std::string kernel;                   ///< release
};
[[nodiscard]] Identity identify(const SystemView& system);

/// The one model for boards that nothing else matches. `catalogue` as read_catalogue() gives it, also below.
[[nodiscard]] const Model& fallback(const std::vector<Model>& catalogue);

/// The model that matches the most exact word; else the one for unknown boards.
[[nodiscard]] const Model& choose(const std::vector<Model>& catalogue, const Identity& identity);

}  // namespace sealcam::hal::board
