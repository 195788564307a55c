// SPDX-License-Identifier: Apache-2.0
#include "hub/web/messages.hpp"

#include <unistd.h>

#include <format>
#include <nlohmann/json.hpp>

namespace sealcam::hub::web {
namespace {

using Json = nlohmann::json;

std::string to_text(const Json& json) {
  // A camera's name is its own affair: what is not UTF-8 in it must not end the program.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json to_json(const watch::RefusalCounts& counts) {
  Json json = Json::object();
  for (const auto why : watch::all_refusals) json[std::string(name(why))] = counts[why];
  return json;
}

template <class T, class Convert>
Json or_null(const std::optional<T>& value, Convert convert) {
  return value ? Json(convert(*value)) : Json(nullptr);
}

Json to_json(const watch::CameraStatus& c) {
  const auto& n = c.counters;
  return {
      {"id", c.id.to_string()},
      {"name", c.name},
      {"state", name(c.state)},
      {"reason", c.reason == watch::Reason::none ? Json(nullptr) : Json(name(c.reason))},
      {"age_ms", or_null(c.age, [](auto age) { return age.count(); })},
      {"captured_us", or_null(c.captured, [](auto t) { return t.since_epoch.count(); })},
      {"clock_ahead_s", or_null(c.clock_ahead, [](auto s) { return s.count(); })},
      {"width", c.width},
      {"height", c.height},
      {"member", c.member},
      {"wanted", c.wanted},
      {"says_online", or_null(c.says_online, [](bool b) { return b; })},
      {"privacy", c.privacy},
      {"privacy_heard_us", or_null(c.privacy_heard, [](auto t) { return t.since_epoch.count(); })},
      {"may_switch_privacy", c.may_switch_privacy},
      {"privacy_wish", or_null(c.privacy_wish, [](bool b) { return b; })},
      {"privacy_failed", or_null(c.privacy_failed, [](bool b) { return b; })},
      {"epoch", or_null(c.epoch, [](Epoch e) { return std::format("{:016x}", e.value()); })},
      {"roster_version", c.roster_version.value()},
      {"roster_conflict", c.roster_conflict},
      {"shown", {{"live", n.shown_live}, {"stale", n.shown_stale}}},
      {"waiting_for_key", n.waiting_for_key},
      {"held_back", n.held_back},
      {"nothing_new", n.nothing_new},
      {"overload", n.overload},
      {"asks", n.asks},
      {"refused", to_json(n.refused)},
      {"refused_control", to_json(n.refused_control)},
  };
}

}  // namespace

std::string hello_message(const watch::Watcher& watcher, std::string_view version) {
  return to_text({{"type", "hello"},
                  {"protocol", protocol_version},
                  {"version", version},
                  {"hub", watcher.id().to_string()},
                  {"account", watcher.account().to_string()}});
}

std::string state_message(const watch::Watcher& watcher, const ServerState& server, CaptureTime now) {
  Json cameras = Json::array();
  std::uint64_t live = 0, stale = 0;
  for (const auto& camera : watcher.cameras()) {
    live += camera.counters.shown_live;
    stale += camera.counters.shown_stale;
    cameras.push_back(to_json(camera));
  }
  return to_text({{"type", "state"},
                  {"time_us", now.since_epoch.count()},
                  {"pid", ::getpid()},
                  {"hub", watcher.id().to_string()},
                  {"account", watcher.account().to_string()},
                  {"listen", server.listen},
                  {"connected", watcher.connected()},
                  {"clients", server.clients},
                  {"dropped_for_slow_clients", server.dropped_for_slow_clients},
                  {"shown", {{"live", live}, {"stale", stale}}},
                  {"refused", to_json(watcher.refused())},
                  {"refused_control", to_json(watcher.refused_control())},
                  {"cameras", std::move(cameras)}});
}

std::string privacy_refused_message(const DeviceId& camera, const Error& error) {
  const auto why = error.code == Errc::permission   ? "not_allowed"
                   : error.code == Errc::connection ? "no_broker"
                                                    : "no_such_camera";
  return to_text({{"type", "privacy_refused"}, {"camera", camera.to_string()}, {"why", why}});
}

namespace {

/// Discarded when it is no JSON or too deep.
Json parse_shallow(std::string_view text) {
  if (text.size() > WatchRequest::max_size) return Json(Json::value_t::discarded);
  // Depth is bounded by the callback: deeper input is cut off and then refused by who reads it.
  const auto shallow = [](int depth, Json::parse_event_t, Json&) { return depth <= 2; };
  return Json::parse(text, shallow, false);
}

Result<WatchRequest> read_watch_request(const Json& json) {
  if (!json.is_object() || json.size() != 1 || !json.contains("watch"))
    return fail(Errc::malformed, "request of a page");
  WatchRequest request;
  const auto& watch = json["watch"];
  if (watch.is_string() && watch.get_ref<const std::string&>() == "all") {
    request.all = true;
    return request;
  }
  if (!watch.is_array() || watch.size() > WatchRequest::max_cameras) return fail(Errc::malformed, "list of cameras");
  for (const auto& entry : watch) {
    if (!entry.is_string()) return fail(Errc::malformed, "list of cameras");
    const auto id = DeviceId::parse(entry.get_ref<const std::string&>());
    if (!id) return std::unexpected(id.error());
    request.cameras.insert(*id);
  }
  return request;
}

}  // namespace

Result<ClientRequest> parse_client_request(std::string_view text) {
  const Json json = parse_shallow(text);
  if (!json.is_object() || !json.contains("privacy")) {
    auto watch = read_watch_request(json);
    if (!watch) return std::unexpected(watch.error());
    return ClientRequest(std::move(*watch));
  }
  const auto on = json.find("on");
  if (json.size() != 2 || on == json.end() || !on->is_boolean() || !json["privacy"].is_string())
    return fail(Errc::malformed, "wish of a page");
  const auto camera = DeviceId::parse(json["privacy"].get_ref<const std::string&>());
  if (!camera) return std::unexpected(camera.error());
  return PrivacyRequest{*camera, on->get<bool>()};
}

}  // namespace sealcam::hub::web
