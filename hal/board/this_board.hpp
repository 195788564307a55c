// SPDX-License-Identifier: Apache-2.0
/// The board that this runs on, for programs that need one part of its data.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "core/log.hpp"
#include "hal/board/catalogue.hpp"

namespace sealcam::hal::board {

/// Its model, as the catalogue has it. The error is why the catalogue cannot be read.
[[nodiscard]] std::expected<Model, std::string> this_model(const SystemView& system);

/// Its serial number; empty where it has none, which the log says. Nothing when the boards' data cannot be read and so
/// nobody knows, which the log says as well.
[[nodiscard]] std::optional<std::string> serial_number(const SystemView& system, Log& log);

}  // namespace sealcam::hal::board
