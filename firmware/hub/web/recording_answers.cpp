// SPDX-License-Identifier: Apache-2.0
#include "hub/web/recordings.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/format.hpp"
#include "base/types.hpp"
#include "hub/web/live_stream.hpp"

namespace sealcam::hub::web {
namespace {

using Json = nlohmann::json;
using Kind = RecordingRequest::Kind;

/// The archive knows motion up to ten seconds late.
constexpr std::chrono::seconds event_end = recordings::MotionSpans::max_pause + std::chrono::seconds(10);
constexpr std::uint8_t unit_version = 1, unit_picture = 2, unit_end = 3;

Response json_response(const Json& json) {
  // As in messages.cpp: the name of a camera may contain invalid UTF-8.
  return respond_with(200, "application/json", json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::int64_t us(CaptureTime time) { return time.since_epoch.count(); }
Json us_or_null(const std::optional<CaptureTime>& time) { return time ? Json(us(*time)) : Json(nullptr); }

Json status_json(const recordings::Status& s, CaptureTime now) {
  return {{"type", "recordings"},
          {"time_us", us(now)},
          {"enabled", s.enabled},
          {"fault", name(s.fault)},
          {"fault_since_us", us_or_null(s.fault_since)},
          {"fault_text", s.fault_text},
          {"bytes", s.bytes},
          {"files", s.files},
          {"quota", s.quota},
          {"disk_free", s.disk_free},
          {"oldest_us", us_or_null(s.oldest)},
          {"stored_frames", s.stored_frames},
          {"stored_bytes", s.stored_bytes},
          {"dropped_frames", s.dropped_frames},
          {"deleted_files", s.deleted_files},
          {"cameras", Json::array()}};
}

Json new_camera(const DeviceId& id, const KnownCameras& known) {
  const auto camera = std::ranges::find(known, id, &KnownCamera::id);
  const auto detects = camera == known.end() ? std::nullopt : camera->detects_motion;
  return {{"id", id.to_string()},
          {"name", camera == known.end() ? "" : camera->name},
          {"mode", name(recordings::Mode::off)},
          {"detects_motion", detects ? Json(*detects) : Json(nullptr)},
          {"recording", false},
          {"newest_us", nullptr},
          {"begin_us", nullptr},
          {"end_us", nullptr},
          {"bytes", 0},
          {"files", 0},
          {"ended", nullptr},
          {"suspended", camera != known.end() && camera->suspended}};
}

Response list(recordings::Archive& archive, const KnownCameras& known, CaptureTime now) {
  const auto stored = archive.cameras();
  if (!stored) return recording_failure(stored.error());
  const auto status = archive.status();
  std::map<DeviceId, Json> cameras;
  for (const auto& c : *stored) {
    auto& json = cameras.try_emplace(c.camera, new_camera(c.camera, known)).first->second;
    if (json["name"] == "") json["name"] = c.name;
    json["begin_us"] = us(c.time.begin);
    json["end_us"] = us(c.time.end);
    json["bytes"] = c.bytes;
    json["files"] = c.files;
    json["ended"] = name(c.ended);
  }
  for (const auto& c : status.cameras) {
    auto& json = cameras.try_emplace(c.camera, new_camera(c.camera, known)).first->second;
    json["mode"] = name(c.mode);
    json["recording"] = c.recording;
    json["newest_us"] = us_or_null(c.newest);
  }
  auto out = status_json(status, now);
  for (auto& [id, json] : cameras) out["cameras"].push_back(std::move(json));
  return json_response(out);
}

// strftime() and formatting of chrono types are avoided for the reason in live_stream.cpp.
std::string date_text(std::chrono::sys_days date) {
  const std::chrono::year_month_day d(date);
  return sealcam::format("{:04}-{:02}-{:02}", static_cast<int>(d.year()), static_cast<unsigned>(d.month()),
                         static_cast<unsigned>(d.day()));
}

Json event_json(const recordings::Motion& motion) {
  return {{"begin_us", us(motion.begin)}, {"end_us", us(motion.end)}, {"peak_us", us(motion.peak)}};
}

struct CameraEvent {
  DeviceId camera;
  recordings::Motion motion;
};

/// The newest events of one camera or of all, in the order of their begin. A suspended camera has none.
Response events(recordings::Archive& archive, const RecordingRequest& request, const KnownCameras& known,
                CaptureTime now) {
  std::map<DeviceId, std::string> names;
  if (request.camera.empty()) {
    const auto stored = archive.cameras();
    if (!stored) return recording_failure(stored.error());
    for (const auto& c : *stored) names.emplace(c.camera, c.name);
  } else {
    const auto camera = find_recorded_camera(archive, known, request.camera);
    if (!camera) return recording_failure(camera.error());
    names.emplace(*camera, "");
  }
  for (const auto& c : known) {
    if (c.suspended) names.erase(c.id);
    else if (const auto found = names.find(c.id); found != names.end() && !c.name.empty()) found->second = c.name;
  }
  std::vector<CameraEvent> found;
  for (const auto& [camera, name] : names) {
    const auto motion = archive.motion(camera, request.range, request.limit + 1);
    if (!motion) return recording_failure(motion.error());
    for (const auto& one : *motion) found.push_back({camera, one});
  }
  std::ranges::stable_sort(found, {}, [](const CameraEvent& e) { return e.motion.begin; });
  const bool truncated = found.size() > request.limit;
  if (truncated) found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(request.limit));
  Json out = {{"type", "events"},
              {"from_us", us(request.range.begin)},
              {"to_us", us(request.range.end)},
              {"events", Json::array()},
              {"truncated", truncated}};
  for (const auto& [camera, motion] : found) {
    auto json = event_json(motion);
    json["camera"] = camera.to_string();
    json["name"] = names[camera];
    json["ended"] = now.since_epoch - motion.end.since_epoch > event_end;
    out["events"].push_back(std::move(json));
  }
  return json_response(out);
}

Response timeline(recordings::Archive& archive, const DeviceId& camera, const RecordingRequest& request) {
  const auto days = archive.days(camera);
  if (!days) return recording_failure(days.error());
  Json out = {{"type", "timeline"},
              {"camera", camera.to_string()},
              {"from_us", us(request.range.begin)},
              {"to_us", us(request.range.end)},
              {"days", Json::array()},
              {"spans", Json::array()},
              {"gaps", Json::array()},
              {"events", Json::array()},
              {"truncated", false}};
  for (const auto& day : *days)
    out["days"].push_back({{"date", date_text(day.date)}, {"recorded_us", day.recorded.count()}, {"bytes", day.bytes}});
  if (request.range.empty()) return json_response(out);
  const auto found = archive.timeline(camera, request.range);
  if (!found) return recording_failure(found.error());
  for (const auto& span : found->spans) {
    if (out["spans"].size() == max_timeline_entries) break;
    out["spans"].push_back({{"begin_us", us(span.time.begin)},
                            {"end_us", us(span.time.end)},
                            {"bytes", span.bytes},
                            {"openable", span.openable}});
  }
  for (const auto& gap : found->gaps) {
    if (out["gaps"].size() == max_timeline_entries) break;
    out["gaps"].push_back({{"begin_us", us(gap.time.begin)},
                           {"end_us", us(gap.time.end)},
                           {"epoch", sealcam::format("{:016x}", gap.epoch.value())},
                           {"first", gap.first.value()},
                           {"frames", gap.frames}});
  }
  const auto motion = archive.motion(camera, request.range, max_timeline_entries);
  if (!motion) return recording_failure(motion.error());
  for (const auto& one : *motion) out["events"].push_back(event_json(one));
  out["truncated"] = std::max(found->spans.size(), found->gaps.size()) > max_timeline_entries;
  return json_response(out);
}

Response erase(recordings::Archive& archive, const DeviceId& camera, const recordings::TimeRange& range) {
  const auto erased = archive.erase(camera, range);
  if (!erased) return recording_failure(erased.error());
  return json_response({{"type", "deleted"},
                        {"camera", camera.to_string()},
                        {"files", erased->files},
                        {"bytes", erased->bytes},
                        {"begin_us", erased->files == 0 ? Json(nullptr) : Json(us(erased->time.begin))},
                        {"end_us", erased->files == 0 ? Json(nullptr) : Json(us(erased->time.end))}});
}

Response key_unit(recordings::Archive& archive, const DeviceId& camera, CaptureTime at) {
  const auto moment = archive.picture_at(camera, at, recordings::Pictures::keys);
  if (!moment) return recording_failure(moment.error());
  if (moment->group.size() != 1) return recording_failure({Errc::not_found, 0, "no key frame"});
  Bytes out;
  append_unit(out, moment->facts, moment->group.front());
  return respond_with(200, "application/octet-stream", std::string(as_text(out)));
}

}  // namespace

KnownCameras known_cameras(const std::vector<watch::CameraStatus>& cameras) {
  KnownCameras known;
  for (const auto& c : cameras)
    known.push_back({c.id, c.name, c.listed(), c.reason == watch::Reason::suspended, c.detects_motion});
  return known;
}

Result<DeviceId> find_recorded_camera(recordings::Archive& archive, const KnownCameras& known,
                                      std::string_view id_or_name) {
  auto found = as_device_id(id_or_name);
  if (!found) {
    const auto stored = archive.cameras();
    if (!stored) return std::unexpected(stored.error());
    std::vector<NamedDevice> devices;
    for (const auto& camera : known)
      if (camera.listed) devices.push_back({camera.id, camera.name});
    for (const auto& camera : *stored)  // of cameras that the hub no longer has
      if (!std::ranges::contains(devices, camera.camera, &NamedDevice::id))
        devices.push_back({camera.camera, camera.name});
    const auto selected = select_device(id_or_name, devices, IdLetters::all);
    if (!selected) return selected;
    found = *selected;
  }
  const auto camera = std::ranges::find(known, *found, &KnownCamera::id);
  if (camera != known.end() && camera->suspended) return fail(Errc::permission, "the integration is suspended");
  return *found;
}

Response answer_recording(recordings::Archive& archive, const RecordingRequest& request, const KnownCameras& known,
                          CaptureTime now) {
  if (request.kind == Kind::list) return list(archive, known, now);
  if (request.kind == Kind::events) return events(archive, request, known, now);
  const auto camera = find_recorded_camera(archive, known, request.camera);
  if (!camera) return recording_failure(camera.error());
  if (request.kind == Kind::erase) return erase(archive, *camera, request.range);
  if (request.kind == Kind::key_unit) return key_unit(archive, *camera, request.at);
  return timeline(archive, *camera, request);
}

Result<RecordedStill> read_still(recordings::Archive& archive, const RecordingRequest& request,
                                 const KnownCameras& known) {
  const auto camera = find_recorded_camera(archive, known, request.camera);
  if (!camera) return std::unexpected(camera.error());
  auto moment = archive.picture_at(*camera, request.at);
  if (!moment) return std::unexpected(moment.error());
  return RecordedStill{*camera, std::move(*moment)};
}

Response answer_without_archive(const RecordingRequest& request, CaptureTime now) {
  if (request.kind == Kind::list) return json_response(status_json({}, now));
  return plain(404, "This hub does not record. To turn recordings on, see the page 'Hub' of the documentation.");
}

Response recording_failure(const Error& error) {
  const auto later = [](std::string_view text) {
    auto response = plain(503, text);
    response.set("Retry-After", "2");
    return response;
  };
  switch (error.code) {
    case Errc::not_found:
      return plain(404,
                   "This hub has no recording of this camera at this time. /api/recordings lists the cameras, and "
                   "/api/recordings/CAMERA?from=TIME&to=TIME the times.");
    case Errc::permission:
      return plain(403, "The owner suspended the integration of this hub, or the hub may not read its recordings.");
    case Errc::exhausted: return later("The hub is busy with other requests for recordings. Try again in two seconds.");
    case Errc::timeout: return later("The disk with the recordings does not answer. /api/recordings has its state.");
    case Errc::io:
      return plain(500, "The hub cannot read the recordings. /api/recordings and the hub's log have the reason.");
    default: return media_failure(error);
  }
}

Response recorded_still(const recordings::PictureFacts& facts, ByteView jpeg) {
  auto response = respond_with(200, "image/jpeg", std::string(as_text(jpeg)));
  response.set("X-Sealcam-State", "RECORDED");
  if (auto text = rfc3339(facts.captured)) response.set("X-Sealcam-Captured", std::move(*text));
  if (auto text = rfc3339(facts.at)) response.set("X-Sealcam-At", std::move(*text));
  return response;
}

void append_unit(Bytes& out, const recordings::PictureFacts& facts, ByteView access_unit) {
  std::array<std::byte, unit_header_size> head{};
  const MutableBytes view(head);
  unsigned flags = 0;
  if (facts.key) flags |= unit_key;
  if (facts.motion) flags |= unit_motion;
  if (facts.continues) flags |= unit_continues;
  head[0] = std::byte{unit_version};
  head[1] = std::byte{unit_picture};
  head[2] = static_cast<std::byte>(flags);
  store_be(view.subspan(4), static_cast<std::uint32_t>(access_unit.size()));
  store_be(view.subspan(8), static_cast<std::uint64_t>(us(facts.at)));
  store_be(view.subspan(16), static_cast<std::uint64_t>(us(facts.captured)));
  store_be(view.subspan(24), facts.epoch.value());
  store_be(view.subspan(32), facts.counter.value());
  store_be(view.subspan(40), facts.width);
  store_be(view.subspan(42), facts.height);
  out.insert(out.end(), head.begin(), head.end());
  out.insert(out.end(), access_unit.begin(), access_unit.end());
}

void append_end(Bytes& out, const recordings::Skipped& skipped) {
  std::array<std::byte, unit_header_size> head{};
  const MutableBytes view(head);
  head[0] = std::byte{unit_version};
  head[1] = std::byte{unit_end};
  store_be(view.subspan(8), skipped.altered);
  store_be(view.subspan(16), skipped.no_key);
  store_be(view.subspan(24), skipped.undecodable);
  out.insert(out.end(), head.begin(), head.end());
}

}  // namespace sealcam::hub::web
