// SPDX-License-Identifier: Apache-2.0
/// The data of all known boards, and the choice of the model that this program runs on.
#pragma once

#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "hal/board/board_data.hpp"
#include "hal/board/system_view.hpp"

namespace sealcam::hal::board {

/// Reads <folder>/*/board.json. The error is a sentence with file and place: unreadable data, no data, two models for
/// one 'compatible', or not exactly one model for unknown boards.
[[nodiscard]] std::expected<std::vector<Model>, std::string> read_catalog(const std::filesystem::path& folder);

/// Returns the folder of the data: $SEALCAM_BOARDS (absolute), the source tree of a build folder, or the installed
/// folder. The error lists the folders that were searched.
[[nodiscard]] std::expected<std::filesystem::path, std::string> find_catalog();

/// How the board identifies itself.
struct Identity {
  std::vector<std::string> compatible;  ///< of the device tree's root, the most specific first; empty: no device tree
  std::string model;                    ///< for users; may be empty
  std::string kernel;                   ///< release
};
[[nodiscard]] Identity identify(const SystemView& system);

/// Returns the model for unknown boards. `catalog` is a result of read_catalog().
[[nodiscard]] const Model& fallback(const std::vector<Model>& catalog);

/// Returns the model that matches the most specific name, otherwise the model for unknown boards.
[[nodiscard]] const Model& choose(const std::vector<Model>& catalog, const Identity& identity);

/// Returns the model of this board. The error is the reason why the catalog cannot be read.
[[nodiscard]] std::expected<Model, std::string> this_model(const SystemView& system);

/// Returns the board's serial number, or an empty text if the board has none. Returns nothing if the data of the boards
/// cannot be read. Both cases are logged.
[[nodiscard]] std::optional<std::string> serial_number(const SystemView& system, Log& log);

}  // namespace sealcam::hal::board
