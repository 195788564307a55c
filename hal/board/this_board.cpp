// SPDX-License-Identifier: Apache-2.0
#include "hal/board/this_board.hpp"

namespace sealcam::hal::board {

std::expected<Model, std::string> this_model(const SystemView& system) {
  const auto folder = find_catalogue();
  const auto catalogue = folder ? read_catalogue(*folder) : std::unexpected(folder.error());
  if (!catalogue) return std::unexpected(catalogue.error());
  return choose(*catalogue, identify(system));
}

std::optional<std::string> serial_number(const SystemView& system, Log& log) {
  const auto model = this_model(system);
  if (!model) {
    log.warning("the board's serial number is not compared: {}", model.error());
    return std::nullopt;
  }
  if (!model->serial) {
    log.info("no serial number: {}", model->serial.error().why);
    return "";
  }
  auto serial = system.read(model->serial->path).value_or("");
  if (serial.empty())
    log.info("no serial number: {} is missing; a copied card cannot be told by it", model->serial->path.string());
  return serial;
}

}  // namespace sealcam::hal::board
