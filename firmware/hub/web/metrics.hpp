// SPDX-License-Identifier: Apache-2.0
/// The text of /metrics in Prometheus' text exposition format 0.0.4. firmware/docs/hub.md lists the metrics. Reentrant.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "recordings/status.hpp"
#include "watch/picture_sink.hpp"

namespace sealcam::hub::web {

struct Metrics {
  std::string_view version;
  CaptureTime started;  ///< start of the process
  bool connected = false;
  std::size_t clients = 0;  ///< WebSockets and streams
  std::uint64_t dropped_for_slow_clients = 0;
  watch::RejectCounts rejected;  ///< of all cameras, known and unknown
  watch::RejectCounts rejected_control;
  std::vector<watch::CameraStatus> cameras;
  std::optional<recordings::Status> recordings;  ///< nothing if the hub has no archive
};

/// Writes HELP and TYPE of each metric once, then its samples, without timestamps.
[[nodiscard]] std::string metrics_text(const Metrics& metrics);

/// The value of a label, with backslash, quote and line feed escaped.
[[nodiscard]] std::string escaped_label(std::string_view value);

}  // namespace sealcam::hub::web
