// SPDX-License-Identifier: Apache-2.0
#include "hub/web/messages.hpp"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/config.hpp"
#include "base/format.hpp"
#include "watch/freshness.hpp"

namespace sealcam::hub::web {
namespace {

using Json = nlohmann::json;

/// Rounded down, so that a picture is never newer for a client than for the hub.
std::int64_t microseconds_of(BootTime time) {
  return std::chrono::floor<std::chrono::microseconds>(time.since_boot).count();
}

std::string to_text(const Json& json) {
  // The name of a camera may contain invalid UTF-8. Without this option nlohmann-json throws.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json to_json(const watch::RejectCounts& counts) {
  Json json = Json::object();
  for (const auto why : protocol::hub_reject_reasons) json[std::string(name(why))] = counts[why];
  return json;
}

template <class T, class Convert>
Json or_null(const std::optional<T>& value, Convert convert) {
  return value ? Json(convert(*value)) : Json(nullptr);
}

Json to_json(const std::vector<watch::Member>& members) {
  Json json = Json::array();
  for (const auto& m : members)
    json.push_back(
        {{"hub", m.hub.to_string()},
         {"integration", or_null(m.integration, [](auto i) { return sealcam::format("{:016x}", i.value()); })},
         {"suspended", m.suspended},
         {"may_switch_privacy", m.may_switch_privacy}});
  return json;
}

/// Texts of a camera that may be hostile.
Json to_json(const protocol::SoftwareReport& software) {
  const auto clean = [](std::string_view text) { return printable(text, protocol::UpdateStatus::max_reason); };
  Json json = {{"version", clean(software.version)}, {"update", nullptr}};
  if (!software.update) return json;
  const auto& update = *software.update;
  json["update"] = {{"version", clean(update.version)},
                    {"state", name(update.state)},
                    {"offer", clean(update.offer)},
                    {"text", protocol::to_text(update)}};
  if (update.last)
    json["update"]["last"] = {{"version", clean(update.last->version)},
                              {"result", name(update.last->result)},
                              {"reason", clean(update.last->reason)},
                              {"at_us", update.last->at.since_epoch.count()}};
  return json;
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
      {"desired", c.watched},
      {"reports_online", or_null(c.reports_online, [](bool b) { return b; })},
      {"privacy", c.privacy},
      {"proven_until_us", or_null(c.proven_until, microseconds_of)},
      {"hint", c.hint == watch::Reason::none ? Json(nullptr) : Json(name(c.hint))},
      {"hint_since_us", or_null(c.hint_since, [](auto t) { return t.since_epoch.count(); })},
      {"detects_motion", or_null(c.detects_motion, [](bool b) { return b; })},
      {"software", c.software ? to_json(*c.software) : Json(nullptr)},
      {"may_switch_privacy", c.may_switch_privacy},
      {"requested_privacy", or_null(c.requested_privacy, [](bool b) { return b; })},
      {"privacy_failed", or_null(c.privacy_failed, [](bool b) { return b; })},
      {"epoch", or_null(c.epoch, [](protocol::Epoch e) { return sealcam::format("{:016x}", e.value()); })},
      {"roster_version", c.roster_version.value()},
      {"roster_conflict", c.roster_conflict},
      {"members", to_json(c.members)},
      {"members_changed_us", c.members_changed.since_epoch.count()},
      {"shown", {{"live", n.shown_live}, {"stale", n.shown_stale}}},
      {"waiting_for_key", n.waiting_for_key},
      {"held_back", n.held_back},
      {"nothing_new", n.nothing_new},
      {"overload", n.overload},
      {"requests", n.requests},
      {"rejected", to_json(n.rejected)},
      {"rejected_control", to_json(n.rejected_control)},
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
                  {"rejected", to_json(watcher.rejected())},
                  {"rejected_control", to_json(watcher.rejected_control())},
                  {"cameras", std::move(cameras)}});
}

std::string privacy_rejected_message(const DeviceId& camera, const Error& error) {
  const auto why = error.code == Errc::permission   ? "not_allowed"
                   : error.code == Errc::connection ? "no_broker"
                                                    : "no_such_camera";
  return to_text({{"type", "privacy_rejected"}, {"camera", camera.to_string()}, {"why", why}});
}

std::string pong_message(const PingRequest& ping, BootTime now) {
  return to_text({{"type", "pong"}, {"ping", ping.number}, {"boot_us", microseconds_of(now)}});
}

namespace {

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
  if (text.size() > WatchRequest::max_size) return fail(Errc::malformed, "a message of a page is too long");
  if (json_error(text, {.max_depth = 2})) return fail(Errc::malformed, "a message of a page is not JSON");
  const Json json = Json::parse(text);
  if (json.is_object() && json.contains("ping")) {
    const auto& number = json["ping"];
    if (json.size() != 1 || !number.is_number_unsigned()) return fail(Errc::malformed, "ping of a page");
    return ClientRequest(PingRequest{number.get<std::uint64_t>()});
  }
  if (!json.is_object() || !json.contains("privacy")) {
    auto watch = read_watch_request(json);
    if (!watch) return std::unexpected(watch.error());
    return ClientRequest(std::move(*watch));
  }
  const auto on = json.find("on");
  if (json.size() != 2 || on == json.end() || !on->is_boolean() || !json["privacy"].is_string())
    return fail(Errc::malformed, "privacy request of a page");
  const auto camera = DeviceId::parse(json["privacy"].get_ref<const std::string&>());
  if (!camera) return std::unexpected(camera.error());
  return PrivacyRequest{*camera, on->get<bool>()};
}

FreshnessNow freshness_at(const watch::PictureInfo& picture, BootTime now) noexcept {
  using namespace std::chrono;
  if (!picture.age) return {};
  const auto age = std::max(0ms, *picture.age + ceil<milliseconds>(now - picture.handed_out));
  return {picture.state == watch::CameraState::live && age <= watch::Freshness::live_for, age};
}

PictureHeader make_picture_header(const DeviceId& camera, const watch::PictureInfo& picture, bool cached, BootTime now,
                                  CaptureTime wall) noexcept {
  const auto [live, age] = freshness_at(picture, now);
  unsigned flags = 0;
  if (cached) flags |= flag_cached;
  if (picture.starts_group()) flags |= flag_key;
  if (picture.kind == protocol::FrameKind::still) flags |= flag_still;
  if (age) flags |= flag_age;

  PictureHeader out{};
  const MutableBytes view(out);
  const auto clip32 = [](auto ms) {
    return static_cast<std::uint32_t>(std::min<std::int64_t>(ms.count(), 0xffffffff));
  };
  out[0] = std::byte{picture_message_version};
  out[1] = std::byte{picture_message_type};
  out[2] = static_cast<std::byte>(live ? watch::CameraState::live : watch::CameraState::stale);
  out[3] = static_cast<std::byte>(flags);
  std::ranges::copy(camera.bytes(), out.begin() + 4);
  store_be(view.subspan(24), picture.header.number.value());
  store_be(view.subspan(28), static_cast<std::uint64_t>(picture.header.captured.since_epoch.count()));
  store_be(view.subspan(36), age ? clip32(*age) : 0xffffffffU);
  store_be(view.subspan(40), picture.epoch.value());
  store_be(view.subspan(48), picture.counter.value());
  store_be(view.subspan(56), static_cast<std::uint64_t>(wall.since_epoch.count()));
  store_be(view.subspan(64), picture.header.width);
  store_be(view.subspan(66), picture.header.height);
  store_be(view.subspan(68), clip32(picture.header.age));
  store_be(view.subspan(72), static_cast<std::uint64_t>(microseconds_of(now)));
  return out;
}

}  // namespace sealcam::hub::web
