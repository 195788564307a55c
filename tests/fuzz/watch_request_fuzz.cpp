// SPDX-License-Identifier: Apache-2.0
// Messages of a page over the WebSocket, compared with the result of a general JSON parser.
#include <nlohmann/json.hpp>

#include "hub/web/messages.hpp"
#include "input.hpp"

using namespace sealcam;
using Json = nlohmann::json;
using hub::web::WatchRequest;

namespace {

bool same(const Json& json, const WatchRequest& request) {
  if (!json.is_object() || json.size() != 1 || !json.contains("watch")) return false;
  const auto& watch = json["watch"];
  if (request.all) return watch == "all" && request.cameras.empty();
  if (!watch.is_array() || watch.size() > WatchRequest::max_cameras) return false;
  std::set<DeviceId> cameras;
  for (const auto& each : watch) {
    const auto id = each.is_string() ? DeviceId::parse(each.get<std::string>()) : fail(Errc::malformed, "");
    if (!id) return false;
    cameras.insert(*id);
  }
  return cameras == request.cameras;
}

bool same(const Json& json, const hub::web::PrivacyRequest& request) {
  return json.is_object() && json.size() == 2 && json.value("privacy", Json()) == request.camera.to_string() &&
         json.value("on", Json()) == request.on;
}

bool same(const Json& json, const hub::web::PingRequest& request) {
  return json.is_object() && json.size() == 1 && json.value("ping", Json()) == request.number;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::Input(data, size).text();
  const auto request = [&] {
    // Most of this memory is the parser's error message, of which several copies exist.
    const fuzz::AllocationLimit limit(256 * text.size() + 16384);
    return hub::web::parse_client_request(text);
  }();
  if (!request) return 0;
  SC_ASSERT(text.size() <= WatchRequest::max_size);
  const auto json = Json::parse(text, nullptr, false);
  SC_ASSERT(std::visit([&](const auto& one) { return same(json, one); }, *request));
  return 0;
}
