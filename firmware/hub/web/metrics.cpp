// SPDX-License-Identifier: Apache-2.0
#include "hub/web/messages.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <initializer_list>
#include <string>
#include <tuple>
#include <utility>

#include "base/format.hpp"

namespace sealcam::hub::web {
namespace {

using watch::CameraState;
using watch::CameraStatus;

struct Label {
  std::string_view name;
  std::string_view value;
};
using Labels = std::initializer_list<Label>;

class Writer {
 public:
  /// Starts a metric. `name` has no prefix. The calls of sample() follow.
  void metric(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    out_ += sealcam::format("# HELP sealcam_hub_{0} {1}\n# TYPE sealcam_hub_{0} {2}\n", name, help, type);
  }
  template <class Number>
  void sample(Labels labels, Number value) {
    out_ += "sealcam_hub_";
    out_ += name_;
    char separator = '{';
    for (const auto& label : labels) {
      out_ += sealcam::format("{}{}=\"{}\"", separator, label.name, escaped_label(label.value));
      separator = ',';
    }
    if (labels.size() > 0) out_ += '}';
    out_ += sealcam::format(" {}\n", value);
  }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  std::string_view name_;
  std::string out_;
};

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

void write_hub(Writer& w, const Metrics& m) {
  w.metric("build_info", "gauge", "Always 1; the version is a label.");
  w.sample({{"version", m.version}}, 1);
  w.metric("process_start_time_seconds", "gauge", "Start of the hub, in seconds since the Unix epoch.");
  w.sample({}, sealcam::format("{:.3f}", static_cast<double>(m.started.since_epoch.count()) / 1e6));
  w.metric("broker_connected", "gauge", "1 while the hub is connected to its broker.");
  w.sample({}, m.connected ? 1 : 0);
  w.metric("clients", "gauge", "Open WebSockets and streams.");
  w.sample({}, m.clients);
  w.metric("pictures_dropped_total", "counter", "Pictures dropped because a client was too slow.");
  w.sample({}, m.dropped_for_slow_clients);
  w.metric("frames_rejected_total", "counter", "Frames that the hub rejected, of known and unknown cameras.");
  for (const auto why : protocol::hub_reject_reasons) w.sample({{"reason", name(why)}}, m.rejected[why]);
  w.metric("control_rejected_total", "counter", "Rosters, grants and status messages that the hub rejected.");
  for (const auto why : protocol::hub_reject_reasons) w.sample({{"reason", name(why)}}, m.rejected_control[why]);
}

void write_states(Writer& w, const std::vector<CameraStatus>& cameras) {
  w.metric("camera_state", "gauge", "1 for the current state of the camera, 0 for the others.");
  for (const auto& c : cameras)
    for (const auto state : {CameraState::live, CameraState::stale, CameraState::offline})
      w.sample({{"camera", c.id.to_string()}, {"state", lower(name(state))}}, c.state == state ? 1 : 0);
  w.metric("camera_privacy", "gauge", "1 while a fresh report of the camera proves that its sensor is closed.");
  for (const auto& c : cameras) w.sample({{"camera", c.id.to_string()}}, c.privacy ? 1 : 0);
  w.metric("camera_unconfirmed", "gauge", "1 while only a status, which may be old, reports privacy or a fault.");
  for (const auto& c : cameras)
    w.sample({{"camera", c.id.to_string()}}, c.reason == watch::Reason::unconfirmed ? 1 : 0);
  w.metric("camera_picture_age_seconds", "gauge", "Upper bound of the newest picture's age; missing if it is unknown.");
  for (const auto& c : cameras)
    if (c.age)
      w.sample({{"camera", c.id.to_string()}}, sealcam::format("{:.3f}", static_cast<double>(c.age->count()) / 1e3));
  w.metric("camera_pictures_shown_total", "counter", "Verified pictures that the hub showed.");
  for (const auto& c : cameras) {
    w.sample({{"camera", c.id.to_string()}, {"state", "live"}}, c.counters.shown_live);
    w.sample({{"camera", c.id.to_string()}, {"state", "stale"}}, c.counters.shown_stale);
  }
}

void write_rejections(Writer& w, const std::vector<CameraStatus>& cameras) {
  w.metric("camera_frames_rejected_total", "counter", "Frames on this camera's topics that the hub rejected.");
  for (const auto& c : cameras)
    for (const auto why : protocol::hub_reject_reasons)
      w.sample({{"camera", c.id.to_string()}, {"reason", name(why)}}, c.counters.rejected[why]);
  w.metric("camera_control_rejected_total", "counter", "Rosters, grants and status messages that the hub rejected.");
  for (const auto& c : cameras)
    for (const auto why : protocol::hub_reject_reasons)
      w.sample({{"camera", c.id.to_string()}, {"reason", name(why)}}, c.counters.rejected_control[why]);
}

void write_recordings(Writer& w, const recordings::Status& s) {
  using enum recordings::RecorderFault;
  w.metric("recordings_enabled", "gauge", "1 if the hub records a camera.");
  w.sample({}, s.enabled ? 1 : 0);
  w.metric("recordings_fault", "gauge", "1 for the reason why the hub does not record, 0 for the others.");
  for (const auto fault : {full, read_only, missing, io, slow, index})
    w.sample({{"reason", name(fault)}}, s.fault == fault ? 1 : 0);
  const std::array<std::tuple<std::string_view, std::string_view, std::string_view, std::uint64_t>, 8> values{
      {{"recordings_bytes", "gauge", "Size of all recordings.", s.bytes},
       {"recordings_files", "gauge", "Number of files.", s.files},
       {"recordings_quota_bytes", "gauge", "Limit of recordings_bytes; 0 if there is none.", s.quota},
       {"recordings_disk_free_bytes", "gauge", "Free space; 0 if the folder is missing.", s.disk_free},
       {"recordings_stored_frames_total", "counter", "Frames stored.", s.stored_frames},
       {"recordings_stored_bytes_total", "counter", "Bytes stored.", s.stored_bytes},
       {"recordings_dropped_frames_total", "counter", "Frames lost because of a fault or a slow disk.",
        s.dropped_frames},
       {"recordings_deleted_files_total", "counter", "Files deleted for the limits of size and age.",
        s.deleted_files}}};
  for (const auto& [metric, type, help, value] : values) {
    w.metric(metric, type, help);
    w.sample({}, value);
  }
  if (s.oldest) {
    w.metric("recordings_oldest_time_seconds", "gauge", "Time of the oldest picture, in seconds since the Unix epoch.");
    w.sample({}, sealcam::format("{:.3f}", static_cast<double>(s.oldest->since_epoch.count()) / 1e6));
  }
  w.metric("camera_recording", "gauge",
           "1 if the hub stored a picture within the last 10 s; missing for cameras that it does not record.");
  for (const auto& c : s.cameras) w.sample({{"camera", c.camera.to_string()}}, c.recording ? 1 : 0);
}

void write_events(Writer& w, const Metrics& m) {
  w.metric("camera_motion", "gauge", "1 if the camera reported motion within the last 10 s; only recorded cameras.");
  for (const auto& c : m.camera_events) w.sample({{"camera", c.camera.to_string()}}, c.motion ? 1 : 0);
  w.metric(
      "camera_detects_motion", "gauge",
      "0 if the camera cannot detect motion, so that the mode 'motion' records nothing; missing if it is unknown.");
  for (const auto& c : m.cameras)
    if (c.detects_motion) w.sample({{"camera", c.id.to_string()}}, *c.detects_motion ? 1 : 0);
  w.metric("camera_events_total", "counter", "Events since the start of the hub.");
  for (const auto& c : m.camera_events) w.sample({{"camera", c.camera.to_string()}}, c.events);
  if (!m.event_posts) return;
  w.metric("events_posted_total", "counter", "Events that the hub sent to another program, or could not send.");
  w.sample({{"result", "sent"}}, m.event_posts->sent);
  w.sample({{"result", "failed"}}, m.event_posts->failed);
  w.sample({{"result", "dropped"}}, m.event_posts->dropped);
}

template <class Number>
struct PerCamera {
  std::string_view name, type, help;
  Number (*value)(const CameraStatus&);
};

constexpr std::array per_camera{
    PerCamera<std::uint64_t>{"camera_desired", "gauge", "1 while a client watches the camera.",
                             [](const CameraStatus& c) { return std::uint64_t{c.watched}; }},
    PerCamera<std::uint64_t>{"camera_member", "gauge", "1 while this hub is on the camera's roster.",
                             [](const CameraStatus& c) { return std::uint64_t{c.member}; }},
    PerCamera<std::uint64_t>{"camera_roster_conflict", "gauge", "1 if two rosters have the same version.",
                             [](const CameraStatus& c) { return std::uint64_t{c.roster_conflict}; }},
    PerCamera<std::uint64_t>{"camera_cloned", "gauge", "1 if two devices use the camera's identity.",
                             [](const CameraStatus& c) { return std::uint64_t{c.reason == watch::Reason::cloned}; }},
    PerCamera<std::uint64_t>{"camera_requests_total", "counter", "View requests sent.",
                             [](const CameraStatus& c) { return c.counters.requests; }},
    PerCamera<std::uint64_t>{"camera_frames_waiting_for_key_total", "counter",
                             "Verified frames after a gap, before the next key frame.",
                             [](const CameraStatus& c) { return c.counters.waiting_for_key; }},
    PerCamera<std::uint64_t>{"camera_frames_held_back_total", "counter",
                             "Verified frames of an epoch that has not echoed a challenge of this hub yet.",
                             [](const CameraStatus& c) { return c.counters.held_back; }},
    PerCamera<std::uint64_t>{"camera_frames_nothing_new_total", "counter", "Verified frames without a new picture.",
                             [](const CameraStatus& c) { return c.counters.nothing_new; }},
    PerCamera<std::uint64_t>{"camera_frames_overload_total", "counter",
                             "Frames dropped because the hub was too busy to verify them.",
                             [](const CameraStatus& c) { return c.counters.overload; }},
};

}  // namespace

std::string escaped_label(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') out += "\\n";
    else out += c;
  }
  return out;
}

std::string metrics_text(const Metrics& metrics) {
  Writer w;
  write_hub(w, metrics);
  write_states(w, metrics.cameras);
  write_rejections(w, metrics.cameras);
  for (const auto& metric : per_camera) {
    w.metric(metric.name, metric.type, metric.help);
    for (const auto& c : metrics.cameras) w.sample({{"camera", c.id.to_string()}}, metric.value(c));
  }
  if (metrics.recordings) {
    write_recordings(w, *metrics.recordings);
    write_events(w, metrics);
  }
  return w.take();
}

}  // namespace sealcam::hub::web
