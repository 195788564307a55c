// SPDX-License-Identifier: Apache-2.0
/// The state of the updater of a card image (firmware/update), which the camera reports to its hubs, and the owner's
/// decision, which the updater reads. The camera does not trust the updater's file: a damaged one changes the report
/// only.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string_view>

#include "base/clock.hpp"
#include "protocol/command.hpp"
#include "protocol/software_report.hpp"

namespace sealcam::camera {

/// Of the updater, unless an option names another file.
inline constexpr const char* usual_update_file = "/run/sealcam-update/status.json";

/// Makes texts printable and cuts them. The state is `other` if the text is no status. Reentrant.
[[nodiscard]] protocol::UpdateStatus parse_update_status(std::string_view json);
/// Nothing if the file does not exist: the system has no updater. Reads at most 4 KiB.
[[nodiscard]] std::optional<protocol::UpdateStatus> read_update_status(const std::filesystem::path& file);

/// The software report of this camera. Thread-bound.
class SoftwareMonitor {
 public:
  static constexpr std::chrono::seconds interval{10};         ///< between two reads of the file
  static constexpr std::chrono::seconds change_interval{60};  ///< because each change begins an epoch

  SoftwareMonitor(std::filesystem::path file, const Clock& clock);
  [[nodiscard]] const protocol::SoftwareReport& report() const noexcept { return report_; }
  /// Call this about ten times a second. Returns true if report() changed.
  [[nodiscard]] bool tick();

 private:
  std::filesystem::path file_;
  const Clock& clock_;
  protocol::SoftwareReport report_;
  MonotonicTime read_;
  std::optional<MonotonicTime> changed_;
};

/// Writes the owner's decision for the updater. A start without a version gets the version of the offer in
/// `status_file`, if there is one, so that it starts no later offer. Atomic and durable. Errors: permission, io.
[[nodiscard]] Result<> store_consent(const std::filesystem::path& file, const std::filesystem::path& status_file,
                                     const protocol::CommandItem<protocol::UpdateConsent>& consent);

}  // namespace sealcam::camera
