// SPDX-License-Identifier: Apache-2.0
/// The software reports of cameras. sync() keeps the newest grants of each camera, because they contain the report. It
/// is sealed to the hubs, so only the hub of this machine can open it, and another process may use the hub's keys.
#pragma once

#include <optional>
#include <string>

#include "device/device_state.hpp"
#include "owner/account/account.hpp"
#include "owner/sync/observed_state.hpp"
#include "protocol/software_report.hpp"

namespace sealcam::owner {

/// Stores the observed grants, and deletes those of cameras that are not in the account. Keeps stored grants of an
/// epoch with a greater counter: a camera only increases it, so the observed ones are a replay.
[[nodiscard]] Outcome<> store_grants(const AccountFiles& files, const AccountFile& account, const ObservedState& state);

/// Whether the camera's newest stored grants contain a software report. An older camera has none, and rejects commands
/// about updates.
[[nodiscard]] bool reports_software(const AccountFiles& files, const AccountId& account, const CameraRecord& camera);

/// Why not, with the next step for a person; empty if they contain one.
[[nodiscard]] std::string why_no_software(const AccountFiles& files, const AccountId& account,
                                          const CameraRecord& camera);

/// A decision about updates waits while the camera reports no software, because an older camera rejects a command with
/// it. If a command with it is not applied yet, a new one without it takes its place. Once the camera reports software,
/// the decision gets the number of a new command. Returns whether a command has a new number.
[[nodiscard]] Outcome<bool> number_decisions(Account& account);

struct ObservedSoftware {
  std::optional<protocol::SoftwareReport> report;
  CaptureTime created;  ///< of the grants, by the camera's clock
  std::string why;      ///< why there is no report, with the next step; otherwise empty
};
/// Opens a stored report with the keys of a hub. Null: the hub is not needed, because there is no report.
[[nodiscard]] ObservedSoftware observed_software(const AccountFiles& files, const AccountId& account,
                                                 const CameraRecord& camera, const crypto::DeviceKeys* hub);
/// Version and updates of a camera as text, or why they are not known.
[[nodiscard]] std::string software_text(const ObservedSoftware& software);

/// Opens reports with the hub of this machine. Thread-bound.
class SoftwareReader {
 public:
  explicit SoftwareReader(const AccountFiles& files) : files_(files) {}
  [[nodiscard]] ObservedSoftware read(const AccountId& account, const CameraRecord& camera);

 private:
  AccountFiles files_;
  std::optional<Outcome<device::DeviceState>> hub_;  ///< opened for the first report
};

}  // namespace sealcam::owner
