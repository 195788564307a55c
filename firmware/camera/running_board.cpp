// SPDX-License-Identifier: Apache-2.0
#include "camera/running_board.hpp"

#include "hal/board/this_board.hpp"

namespace sealcam::camera {

namespace board = hal::board;

std::expected<board::Model, std::string> running_board(const board::SystemView& system) {
  return board::this_model(system);
}

std::optional<hal::EncoderLimits> encoder_limits(const board::SystemView& system) {
  const auto model = running_board(system);
  if (!model || !model->encoder) return std::nullopt;
  const board::Encoder& encoder = *model->encoder;
  return hal::EncoderLimits{
      .min_side = encoder.min_side,
      .max_side = encoder.max_side,
      .min_bitrate = encoder.min_bitrate,
      .max_bitrate = encoder.max_bitrate,
      .largest_unit_above_720p = static_cast<std::size_t>(encoder.buffer_kib_above_720p) * 1024,
  };
}

}  // namespace sealcam::camera
