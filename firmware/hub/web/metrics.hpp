// SPDX-License-Identifier: Apache-2.0
/// What /metrics says: Prometheus' text exposition format 0.0.4. README.md lists the metrics. Reentrant.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "watch/picture_sink.hpp"

namespace sealcam::hub::web {

struct Metrics {
  std::string_view version;
  CaptureTime started;  ///< the process
  bool connected = false;
  std::size_t clients = 0;  ///< WebSockets and streams
  std::uint64_t dropped_for_slow_clients = 0;
  watch::RefusalCounts refused;  ///< of all cameras, and of none
  watch::RefusalCounts refused_control;
  std::vector<watch::CameraStatus> cameras;
};

/// Each metric once with HELP and TYPE, its samples behind it; no time stamps.
[[nodiscard]] std::string metrics_text(const Metrics& metrics);

/// A label's value as the format wants it: backslash, quote and line feed are escaped.
[[nodiscard]] std::string escaped_label(std::string_view value);

}  // namespace sealcam::hub::web
