// SPDX-License-Identifier: Apache-2.0
#include "camera/reports.hpp"

#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/format.hpp"
#include "hal/backends.hpp"

namespace sealcam::camera {

using namespace hal;
using namespace hal::v4l2;

namespace {

std::string text_of(Size size) { return sealcam::format("{}x{}", size.width, size.height); }

std::string text_of(std::span<const RateRange> rates) {
  std::string text;
  for (const RateRange& r : rates) {
    text += text.empty() ? " at " : ", ";
    text += r.min == r.max ? sealcam::format("{:.4g}", r.max) : sealcam::format("{:.4g} to {:.4g}", r.min, r.max);
  }
  return text.empty() ? text : text + "/s";
}

std::string text_of(const SizeRange& s) { return to_string(s) + text_of(s.rates); }

std::string text_of(const libcamera::CameraEntry& c) {
  std::string text = sealcam::format("{}\n  {}, libcamera{}\n", c.id, c.model.empty() ? "unknown sensor" : c.model,
                                     c.location.empty() ? "" : ", " + c.location);
  for (const auto& f : c.formats) {
    const std::string sizes = f.min == f.max ? text_of(f.max) : text_of(f.min) + " to " + text_of(f.max);
    text += sealcam::format("  {}  {}{}\n", f.fourcc, sizes, f.usable ? "" : " (not used)");
  }
  for (const ControlInfo& info : c.controls) text += sealcam::format("  {}\n", to_string(info));
  return text;
}

}  // namespace

std::string as_text(const Survey& survey, Cameras cameras) {
  std::string text;
  for (const Sensor& s : survey.sensors) {
    text += sealcam::format("{}\n  {}, driver {}, bus {}{}\n", s.node.path, s.identity.card, s.identity.driver,
                            s.identity.bus, s.identity.multi_planar ? ", multi-planar" : "");
    if (s.node.path != s.node.device) text += sealcam::format("  now {}\n", s.node.device);
    for (const Offer& o : s.offers) {
      for (const SizeRange& size : o.sizes) text += sealcam::format("  {}  {}\n", o.fourcc, text_of(size));
    }
    for (const ControlInfo& info : s.controls) text += sealcam::format("  {}\n", to_string(info));
  }
  for (const auto& camera : cameras) text += text_of(camera);
  for (const LeftOut& l : survey.left_out) text += sealcam::format("no sensor: {}: {}\n", l.node.path, l.why);
  return text;
}

std::string advice(const Survey& survey, Cameras cameras) {
  switch (exit_code(survey, cameras)) {
    case EX_OK: return {};
    case EX_NOPERM:
      return "this user may not open the devices: add it to the group video (sudo usermod -aG video USER), then sign "
             "in "
             "again; in a systemd unit, set SupplementaryGroups=video";
    default: break;
  }
  if (survey.left_out.empty())
    return "there is no camera: plug in a USB camera, or check the camera's cable and driver (lsmod, dmesg); for a "
           "test "
           "picture start sealcam-camera with --source fake";
  return "none of the V4L2 devices is a sensor; a camera module may need libcamera and its module for sealcam-camera; "
         "for a "
         "test picture start sealcam-camera with --source fake";
}

int exit_code(const Survey& survey, Cameras cameras) {
  if (!survey.sensors.empty() || !cameras.empty()) return EX_OK;
  return std::ranges::any_of(survey.left_out, &LeftOut::permission) ? EX_NOPERM : EX_UNAVAILABLE;
}

using namespace hal;
using namespace hal::v4l2;
using Json = nlohmann::ordered_json;

namespace {

Json json_of(const SizeRange& s) {
  Json rates = Json::array();
  for (const RateRange& r : s.rates) {
    if (r.min == r.max) rates.push_back(r.max);
    else rates.push_back({{"min", r.min}, {"max", r.max}});
  }
  Json json = s.min == s.max ? Json{{"size", text_of(s.max)}}
                             : Json{{"min", text_of(s.min)}, {"max", text_of(s.max)}, {"step", text_of(s.step)}};
  json["rates"] = std::move(rates);
  return json;
}

Json json_of(const ControlInfo& info) {
  constexpr std::array kinds = {"toggle", "number", "action"};
  const auto value = [&](const ControlValue& v) -> Json {
    if (v.automatic) return "auto";
    if (info.kind == ControlKind::toggle) return v.value != 0;
    return v.value;
  };
  Json json{{"name", name(info.control)}, {"kind", kinds[static_cast<std::size_t>(info.kind)]}};
  if (info.kind == ControlKind::action) return json;
  if (!unit(info.control).empty()) json["unit"] = unit(info.control);
  if (info.min != info.max) json.update({{"min", info.min}, {"max", info.max}, {"step", info.step}});
  json["auto"] = info.can_be_automatic;
  json["read_only"] = info.read_only;
  json["default"] = value(info.default_value);
  json["value"] = value(info.value);
  return json;
}

Json json_of(const Sensor& s) {
  Json formats = Json::array();
  for (const Offer& o : s.offers) {
    Json sizes = Json::array();
    for (const SizeRange& size : o.sizes) sizes.push_back(json_of(size));
    formats.push_back({{"fourcc", o.fourcc}, {"sizes", std::move(sizes)}});
  }
  Json controls = Json::array();
  for (const ControlInfo& info : s.controls) controls.push_back(json_of(info));
  return {{"backend", find_backend(SourceKind::node).name},
          {"path", s.node.path},
          {"device", s.node.device},
          {"card", s.identity.card},
          {"driver", s.identity.driver},
          {"bus", s.identity.bus},
          {"multi_planar", s.identity.multi_planar},
          {"formats", std::move(formats)},
          {"controls", std::move(controls)}};
}

Json json_of(const libcamera::CameraEntry& c) {
  Json formats = Json::array(), controls = Json::array();
  for (const auto& f : c.formats)
    formats.push_back({{"fourcc", f.fourcc},
                       {"sizes", Json::array({{{"min", text_of(f.min)}, {"max", text_of(f.max)}}})},
                       {"usable", f.usable}});
  for (const ControlInfo& info : c.controls) controls.push_back(json_of(info));
  return {{"backend", find_backend(SourceKind::camera).name},
          {"id", c.id},
          {"model", c.model},
          {"location", c.location},
          {"formats", std::move(formats)},
          {"controls", std::move(controls)}};
}

/// The resources that this process uses.
struct Usage {
  std::chrono::microseconds cpu{};  ///< user and system, all threads, since the start
  std::uint64_t rss_kib = 0;
  std::uint64_t peak_rss_kib = 0;
};

std::uint64_t resident_kib() noexcept {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/statm", "re"), &std::fclose);
  std::array<char, 64> line{};
  if (!file || std::fgets(line.data(), line.size(), file.get()) == nullptr) return 0;
  char* rest = nullptr;
  (void)std::strtoul(line.data(), &rest, 10);  // the size of the address space
  return std::uint64_t{std::strtoul(rest, nullptr, 10)} * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

std::chrono::microseconds duration(const timeval& t) noexcept {
  return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
}

Usage usage() noexcept {
  rusage all{};
  if (::getrusage(RUSAGE_SELF, &all) != 0) return {};
  return {duration(all.ru_utime) + duration(all.ru_stime), resident_kib(), static_cast<std::uint64_t>(all.ru_maxrss)};
}

std::int64_t milliseconds(std::chrono::nanoseconds d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

Json requests_of(const stream::RequestCounters& counters) {
  Json rejected = Json::object();
  for (const auto reason : protocol::request_reject_reasons)
    rejected[std::string(protocol::name(reason))] = counters.rejected[reason];
  return {{"accepted", counters.accepted}, {"verified", counters.verified}, {"rejected", std::move(rejected)}};
}

void put_capture(Json& json, const stream::CaptureLoop& capture, const stream::CaptureControl& control) {
  const stream::Quality quality = control.quality();
  const auto& c = capture.counters();
  json["captured"] = c.captured.load();
  json["encoded"] = c.encoded.load();
  json["encoded_bytes"] = c.encoded_bytes.load();
  json["corrupt"] = c.corrupt.load();
  json["timeouts"] = c.timeouts.load();
  json["source_opened"] = c.source_opened.load();
  json["encoder_opened"] = c.encoder_opened.load();
  json["encoder"] = capture.encoder_name();
  json["fault"] = capture.fault();
  const stream::AreaSettings areas = control.areas().first;
  json["masks"] = areas.masks.list().size();
  json["motion_sensitivity"] = areas.sensitivity;
  json["motion_zones"] = areas.zones.list().size();
  json["detects_motion"] = control.detects_motion();
  json["motion"] = c.motion.load();
  json["motions"] = c.motions.load();
  json["encode_ms"] =
      static_cast<double>(c.encode_ns.load()) / 1e6 / std::max(1.0, static_cast<double>(c.encoded.load()));
  json["bitrate"] = quality.bitrate.value();
  json["keyframe_interval"] = quality.keyframe_interval;
  json["downscale"] = quality.downscale;
  json["keyframes_alone"] = control.keyframes_alone();
  json["min_interval_ms"] = quality.min_interval.count();
}

void put_network(Json& json, const StatusReport::Dependencies& deps) {
  const auto& c = deps.publisher.counters();
  const auto queue = deps.queue.counters();
  const auto leases = deps.publisher.leases();
  json["leases"] = leases.live;
  json["record_leases"] = leases.record;
  json["motion_leases"] = leases.motion;
  json["still_leases"] = leases.still;
  json["pictures"] = stream::name(deps.publisher.picture_use());
  json["published"] = c.published;
  json["published_bytes"] = c.published_bytes;
  json["stills"] = c.stills;
  json["reports"] = c.reports;
  json["failed"] = c.failed;
  json["dropped"] = queue.dropped;
  json["dropped_groups"] = queue.dropped_groups;
  json["rejected"] = queue.rejected;
  json["queue"] = deps.queue.size();
  json["congested"] = deps.publisher.rate().congested();
  json["epochs"] = c.epochs;
  json["grants"] = c.grants;
  json["grants_failed"] = c.grants_failed;
  json["rosters"] = c.rosters;
  json["rosters_rejected"] = c.rosters_rejected;
  json["unexpected_topics"] = c.unexpected_topics;
  json["past_bytes"] = deps.publisher.past().bytes();
  json["past_sent"] = deps.publisher.past().sent();
  json["requests"] = requests_of(deps.requests.counters());
}

}  // namespace

std::string as_json(const Survey& survey, Cameras cameras) {
  Json sensors = Json::array(), left_out = Json::array();
  for (const Sensor& s : survey.sensors) sensors.push_back(json_of(s));
  for (const auto& camera : cameras) sensors.push_back(json_of(camera));
  for (const LeftOut& l : survey.left_out) left_out.push_back({{"path", l.node.path}, {"why", l.why}});
  return Json{{"sensors", std::move(sensors)}, {"left_out", std::move(left_out)}}.dump(-1, ' ', false,
                                                                                       Json::error_handler_t::replace);
}

std::string to_json(const Diagnosis& diagnosis) {
  auto findings = nlohmann::ordered_json::array();
  for (const auto& finding : diagnosis.findings)
    findings.push_back({{"check", finding.check},
                        {"severity", name(finding.severity)},
                        {"what", finding.what},
                        {"next", finding.next}});
  const nlohmann::ordered_json all = {{"board", diagnosis.board},
                                      {"kernel", diagnosis.kernel},
                                      {"healthy", diagnosis.healthy()},
                                      {"findings", std::move(findings)}};
  // The names of devices may contain invalid UTF-8. Without this option nlohmann-json throws.
  return all.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string StatusReport::line(bool connected) {
  const Usage now = usage();
  const std::uint64_t published = deps_.publisher.counters().published;
  if (!streaming_ && published > 0) {
    // The mean per frame does not include the start of the program.
    streaming_ = true;
    cpu_before_ = now.cpu;
    published_before_ = published;
  }
  const auto epoch = deps_.epochs.current();
  const auto* roster = deps_.roster.current();
  const auto first = deps_.publisher.first_published();
  Json json{{"camera", deps_.route.camera.to_string()},
            {"account", deps_.route.account.to_string()},
            {"pid", ::getpid()},
            {"uptime_ms", milliseconds(deps_.clock.monotonic() - deps_.started)},
            {"connected", connected},
            {"epoch", epoch ? Json(sealcam::format("{:016x}", epoch->value())) : Json(nullptr)},
            {"epoch_open", deps_.epochs.is_open()},
            {"epoch_fault", deps_.publisher.epoch_fault()},
            {"epoch_numbers_left", deps_.epochs.numbers_left()},
            {"stored", deps_.publisher.stored()},
            {"roster_version", roster != nullptr ? Json(roster->version.value()) : Json(nullptr)},
            {"first_publish_ms", first ? Json(milliseconds(*first - deps_.started)) : Json(nullptr)}};
  put_network(json, deps_);
  put_capture(json, deps_.capture, deps_.control);
  const std::uint64_t frames = published - published_before_;
  json["cpu_ms"] = milliseconds(now.cpu);
  json["cpu_ms_per_frame"] =
      frames > 0 ? Json(static_cast<double>((now.cpu - cpu_before_).count()) / 1000 / static_cast<double>(frames))
                 : Json(nullptr);
  json["wifi"] = deps_.wifi.state();
  json["rss_kib"] = now.rss_kib;
  json["peak_rss_kib"] = now.peak_rss_kib;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace sealcam::camera
