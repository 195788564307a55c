// SPDX-License-Identifier: Apache-2.0
/// What is known of the board that this runs on.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "hal/board/board_data.hpp"
#include "hal/board/system_view.hpp"
#include "hal/video_encoder.hpp"

namespace sealcam::camera {

/// The model of the board's data that fits best. The error is a sentence: the data are missing or damaged.
[[nodiscard]] std::expected<hal::board::Model, std::string> running_board(const hal::board::SystemView& system);

/// What the board's own encoder takes; nothing where it has none or is not known.
[[nodiscard]] std::optional<hal::EncoderLimits> encoder_limits(const hal::board::SystemView& system);

}  // namespace sealcam::camera
