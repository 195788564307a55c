// SPDX-License-Identifier: Apache-2.0
#include "hub/web/messages.hpp"

#include <catch2/catch_test_macros.hpp>
#include <map>
#include <regex>
#include <sstream>

#include "base/format.hpp"
#include "web_world.hpp"

using namespace sealcam;
using namespace sealcam::hub::web;
using namespace sealcam::hub::web::test;

namespace {

Metrics one_camera() {
  Metrics m;
  m.version = "0.1.0";
  m.started = CaptureTime{1'790'000'000'250'000us};
  m.connected = true;
  m.clients = 2;
  m.dropped_for_slow_clients = 7;
  m.rejected.add(watch::RejectReason::not_member);
  watch::CameraStatus camera;
  camera.name = "Bedroom";
  camera.state = watch::CameraState::stale;
  camera.age = 6250ms;
  camera.member = true;
  camera.counters.shown_live = 900;
  camera.counters.requests = 30;
  for (std::size_t i = 0; i < protocol::hub_reject_reasons.size(); ++i)
    for (std::size_t n = 0; n <= i; ++n) camera.counters.rejected.add(protocol::hub_reject_reasons[i]);
  m.cameras.push_back(camera);
  return m;
}

const std::string id(32, 'a');

}  // namespace

TEST_CASE("the metrics contain the counters of the hub") {
  const auto text = metrics_text(one_camera());
  for (const auto* line : {
           "sealcam_hub_build_info{version=\"0.1.0\"} 1\n",
           "sealcam_hub_process_start_time_seconds 1790000000.250\n",
           "sealcam_hub_broker_connected 1\n",
           "sealcam_hub_clients 2\n",
           "sealcam_hub_pictures_dropped_total 7\n",
           "sealcam_hub_frames_rejected_total{reason=\"not_member\"} 1\n",
       })
    CHECK(text.contains(line));
  const auto has = [&](const std::string& name, const std::string& more, const std::string& value) {
    return text.contains(sealcam::format("\nsealcam_hub_{}{{camera=\"{}\"{}}} {}\n", name, id, more, value));
  };
  CHECK(has("camera_state", ",state=\"live\"", "0"));
  CHECK(has("camera_state", ",state=\"stale\"", "1"));
  CHECK(has("camera_state", ",state=\"offline\"", "0"));
  CHECK(has("camera_picture_age_seconds", "", "6.250"));
  CHECK(has("camera_pictures_shown_total", ",state=\"live\"", "900"));
  CHECK(has("camera_requests_total", "", "30"));
  for (std::size_t i = 0; i < protocol::hub_reject_reasons.size(); ++i) {
    const auto reason = sealcam::format(",reason=\"{}\"", protocol::name(protocol::hub_reject_reasons[i]));
    CHECK(has("camera_frames_rejected_total", reason, std::to_string(i + 1)));
    CHECK(has("camera_control_rejected_total", reason, "0"));
  }
  CHECK_FALSE(text.contains("Bedroom"));  // names are private
}

TEST_CASE("the metrics of recordings exist only with an archive") {
  auto m = one_camera();
  CHECK_FALSE(metrics_text(m).contains("recording"));
  auto& status = m.recordings.emplace();
  status.enabled = true;
  status.fault = recordings::RecorderFault::full;
  status.fault_text = "/media/disk is full";
  status.bytes = 5000;
  status.oldest = CaptureTime{1'790'000'000'250'000us};
  status.dropped_frames = 3;
  status.cameras = {{DeviceId(), recordings::Mode::continuous, true, std::nullopt}};
  const auto text = metrics_text(m);
  for (const auto* line :
       {"sealcam_hub_recordings_enabled 1\n", "sealcam_hub_recordings_fault{reason=\"full\"} 1\n",
        "sealcam_hub_recordings_fault{reason=\"missing\"} 0\n", "sealcam_hub_recordings_bytes 5000\n",
        "sealcam_hub_recordings_oldest_time_seconds 1790000000.250\n",
        "sealcam_hub_recordings_dropped_frames_total 3\n"})
    CHECK(text.contains(line));
  CHECK(text.contains("sealcam_hub_camera_recording{camera=\"" + id + "\"} 1\n"));
  CHECK_FALSE(text.contains("media"));  // a path may be private
}

TEST_CASE("events and their messages are counted") {
  auto m = one_camera();
  m.recordings.emplace();
  m.camera_events = {{m.cameras[0].id, 3, true}};
  CHECK_FALSE(metrics_text(m).contains("events_posted"));
  CHECK_FALSE(metrics_text(m).contains("camera_detects_motion{"));
  m.cameras[0].detects_motion = false;
  m.event_posts = {2, 1, 4};
  const auto text = metrics_text(m);
  const auto id = m.cameras[0].id.to_string();
  CHECK(text.contains("sealcam_hub_camera_detects_motion{camera=\"" + id + "\"} 0\n"));
  CHECK(text.contains("sealcam_hub_camera_motion{camera=\"" + id + "\"} 1\n"));
  CHECK(text.contains("sealcam_hub_camera_events_total{camera=\"" + id + "\"} 3\n"));
  CHECK(text.contains("sealcam_hub_events_posted_total{result=\"failed\"} 1\n"));
  CHECK(text.contains("sealcam_hub_events_posted_total{result=\"dropped\"} 4\n"));
}

TEST_CASE("an unknown age has no sample") {
  auto m = one_camera();
  m.cameras[0].age.reset();
  CHECK_FALSE(metrics_text(m).contains("sealcam_hub_camera_picture_age_seconds{"));
}

TEST_CASE("every line follows the format, and each metric has HELP and TYPE once before its samples") {
  auto m = one_camera();
  m.cameras.push_back(m.cameras[0]);
  auto& status = m.recordings.emplace();
  status.oldest = CaptureTime{1'790'000'000s};
  status.cameras.resize(1);
  m.camera_events = {{DeviceId(), 3, true}};
  m.event_posts = {2, 1, 0};
  const std::regex sample(R"re(([a-z_]+)(\{[a-z_]+="[^"\\\n]*"(,[a-z_]+="[^"\\\n]*")*\})? [0-9]+(\.[0-9]+)?)re");
  std::istringstream lines(metrics_text(m));
  std::map<std::string, int> helps, types;
  std::string line, current;
  std::size_t samples = 0;
  while (std::getline(lines, line)) {
    std::istringstream parts(line);
    std::string hash, keyword, name, type;
    parts >> hash >> keyword >> name >> type;
    if (hash == "#") {
      ++(keyword == "HELP" ? helps : types)[name];
      if (keyword == "TYPE") {
        CHECK((type == "counter" || type == "gauge"));
        CHECK((type == "counter") == name.ends_with("_total"));
        current = name;
      }
      continue;
    }
    std::smatch match;
    REQUIRE(std::regex_match(line, match, sample));
    CHECK(match[1] == current);
    ++samples;
  }
  CHECK(samples > 60);
  CHECK(helps == types);
  for (const auto& [name, count] : helps) CHECK(count == 1);
}

TEST_CASE("the values of labels are escaped") {
  CHECK(escaped_label("a\\b\"c\nd") == R"(a\\b\"c\nd)");
  auto m = one_camera();
  m.version = "1\"}\n2";
  CHECK(metrics_text(m).contains(R"(build_info{version="1\"}\n2"} 1)"));
}

TEST_CASE("the metrics have the content type of Prometheus and are for this machine only") {
  World w;
  const auto answer = http(w, get("/metrics", "127.0.0.1:8420"));
  CHECK(answer.starts_with("HTTP/1.1 200"));
  CHECK(answer.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  CHECK(http(w, get("/metrics", "evil.example")).starts_with("HTTP/1.1 403"));
}
