// SPDX-License-Identifier: Apache-2.0
#include "owner/commands/json_output.hpp"

#include <nlohmann/json.hpp>

namespace sealcam::owner {

std::string json_text(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_text(double number) { return nlohmann::json(number).dump(); }

std::string json_text(const std::vector<DeviceId>& ids) {
  auto json = nlohmann::json::array();
  for (const auto& id : ids) json.push_back(id.to_string());
  return json.dump();
}

}  // namespace sealcam::owner
