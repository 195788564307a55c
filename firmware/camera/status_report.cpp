// SPDX-License-Identifier: Apache-2.0
#include "camera/status_report.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <format>
#include <nlohmann/json.hpp>

#include "core/file.hpp"

namespace sealcam::camera {

using Json = nlohmann::ordered_json;

static std::int64_t milliseconds(std::chrono::nanoseconds d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

static Json asks_of(const stream::AskCounters& counters) {
  Json refused = Json::object();
  for (std::size_t i = 0; i < stream::ask_refusals; ++i)
    refused[stream::name(static_cast<stream::AskRefusal>(i))] = counters.refused[i];
  return {{"accepted", counters.accepted}, {"verified", counters.verified}, {"refused", std::move(refused)}};
}

static void put_capture(Json& json, const stream::CaptureLoop& capture, const stream::Quality& quality) {
  const auto& c = capture.counters();
  json["captured"] = c.captured.load();
  json["encoded"] = c.encoded.load();
  json["encoded_bytes"] = c.encoded_bytes.load();
  json["corrupt"] = c.corrupt.load();
  json["timeouts"] = c.timeouts.load();
  json["source_opened"] = c.source_opened.load();
  json["encoder_opened"] = c.encoder_opened.load();
  json["encoder"] = capture.encoder_name();
  json["encode_ms"] =
      static_cast<double>(c.encode_ns.load()) / 1e6 / std::max(1.0, static_cast<double>(c.encoded.load()));
  json["bitrate"] = quality.bitrate.value();
  json["keyframe_interval"] = quality.keyframe_interval;
  json["shrink"] = quality.shrink;
}

static void put_network(Json& json, const StatusReport::Parts& parts) {
  const auto& c = parts.publisher.counters();
  const auto queue = parts.queue.counters();
  const auto leases = parts.publisher.leases();
  json["leases"] = leases.live;
  json["still_leases"] = leases.still;
  json["published"] = c.published;
  json["published_bytes"] = c.published_bytes;
  json["stills"] = c.stills;
  json["reports"] = c.reports;
  json["failed"] = c.failed;
  json["dropped"] = queue.dropped;
  json["dropped_groups"] = queue.dropped_groups;
  json["refused"] = queue.refused;
  json["queue"] = parts.queue.size();
  json["congested"] = parts.publisher.pace().congested();
  json["epochs"] = c.epochs;
  json["grants"] = c.grants;
  json["grants_failed"] = c.grants_failed;
  json["rosters"] = c.rosters;
  json["rosters_refused"] = c.rosters_refused;
  json["foreign"] = c.foreign;
  json["asks"] = asks_of(parts.asks.counters());
}

std::string StatusReport::line(bool connected) {
  const Usage now = usage();
  const std::uint64_t published = parts_.publisher.counters().published;
  if (!streaming_ && published > 0) {
    // Counted from here on: what the start costs is no cost of a frame.
    streaming_ = true;
    cpu_before_ = now.cpu;
    published_before_ = published;
  }
  const auto epoch = parts_.epochs.current();
  const auto* roster = parts_.roster.current();
  const auto first = parts_.publisher.first_published();
  Json json{{"camera", parts_.route.camera.to_string()},
            {"account", parts_.route.account.to_string()},
            {"pid", ::getpid()},
            {"uptime_ms", milliseconds(parts_.clock.monotonic() - parts_.started)},
            {"connected", connected},
            {"epoch", epoch ? Json(std::format("{:016x}", epoch->value())) : Json(nullptr)},
            {"epoch_open", parts_.epochs.is_open()},
            {"roster_version", roster != nullptr ? Json(roster->version.value()) : Json(nullptr)},
            {"first_publish_ms", first ? Json(milliseconds(*first - parts_.started)) : Json(nullptr)}};
  put_network(json, parts_);
  put_capture(json, parts_.capture, parts_.control.quality());
  const std::uint64_t frames = published - published_before_;
  json["cpu_ms"] = milliseconds(now.cpu);
  json["cpu_ms_per_frame"] =
      frames > 0 ? Json(static_cast<double>((now.cpu - cpu_before_).count()) / 1000 / static_cast<double>(frames))
                 : Json(nullptr);
  json["wifi"] = parts_.wifi.state();
  json["rss_kib"] = now.rss_kib;
  json["peak_rss_kib"] = now.peak_rss_kib;
  return json.dump();
}

Result<> replace_file(const std::filesystem::path& file, std::string_view content) {
  std::filesystem::path part = file;
  part += ".new";
  {
    const UniqueFd fd(::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!fd) return fail(errno == EACCES ? Errc::permission : Errc::io, "writing the status file", errno);
    if (::write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()))
      return fail(Errc::io, "writing the status file", errno);
  }
  if (::rename(part.c_str(), file.c_str()) != 0) return fail(Errc::io, "replacing the status file", errno);
  return {};
}

}  // namespace sealcam::camera
