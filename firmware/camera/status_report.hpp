// SPDX-License-Identifier: Apache-2.0
/// One line of JSON that says how the camera is doing, for scripts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "camera/usage.hpp"
#include "camera/wifi_keeper.hpp"
#include "stream/capture_loop.hpp"
#include "stream/publisher.hpp"

namespace sealcam::camera {

/// Makes the line. Thread-bound to the network thread. README.md beside this file lists the fields.
class StatusReport {
 public:
  struct Parts {
    const Clock& clock;
    const stream::Publisher& publisher;
    const stream::Epochs& epochs;
    const stream::RosterKeeper& roster;
    const stream::AskKeeper& asks;
    const stream::AccessUnitQueue& queue;
    const stream::CaptureControl& control;
    const stream::CaptureLoop& capture;
    const WifiKeeper& wifi;
    protocol::Route route;
    MonotonicTime started;
  };
  explicit StatusReport(const Parts& parts) : parts_(parts) {}

  /// Without line feed.
  [[nodiscard]] std::string line(bool connected);

 private:
  Parts parts_;
  bool streaming_ = false;  // since when CPU is counted per frame
  std::chrono::microseconds cpu_before_{};
  std::uint64_t published_before_ = 0;
};

/// Replaces the file at once, so that a reader sees the old line or the new one. Not durable: it is no
/// state. Errors: permission, io.
[[nodiscard]] Result<> replace_file(const std::filesystem::path& file, std::string_view content);

}  // namespace sealcam::camera
