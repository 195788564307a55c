// SPDX-License-Identifier: Apache-2.0
// What a page says over the WebSocket, judged by a reader that builds the whole text.
#include <nlohmann/json.hpp>

#include "hub/web/messages.hpp"
#include "input.hpp"

using namespace sealcam;
using Json = nlohmann::json;
using hub::web::WatchRequest;

namespace {

bool means(const Json& json, const WatchRequest& request) {
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

bool means(const Json& json, const hub::web::PrivacyRequest& request) {
  return json.is_object() && json.size() == 2 && json.value("privacy", Json()) == request.camera.to_string() &&
         json.value("on", Json()) == request.on;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::Input(data, size).text();
  const auto request = [&] {
    // Of this most is the parser's sentence about what it did not like, in several copies.
    const fuzz::AllocationLimit limit(256 * text.size() + 16384);
    return hub::web::parse_client_request(text);
  }();
  if (!request) return 0;
  SC_ASSERT(text.size() <= WatchRequest::max_size);
  const auto json = Json::parse(text, nullptr, false);
  SC_ASSERT(std::visit([&](const auto& one) { return means(json, one); }, *request));
  return 0;
}
