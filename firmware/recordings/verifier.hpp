// SPDX-License-Identifier: Apache-2.0
/// Checks recordings without any secret key: signatures, order, gaps and receipts. Names the place of each fault.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "recordings/catalog.hpp"

namespace sealcam::recordings {

/// The result of a verification. The names are for JSON.
enum class FaultKind : std::uint8_t {
  unreadable,     ///< the file cannot be read
  header,         ///< the first item is not valid, or is of another account or camera
  item,           ///< an item is not valid; what follows is not checked
  signature,      ///< a frame that this camera did not sign, or that was altered
  other_epoch,    ///< a frame of another epoch
  order,          ///< a frame with a counter that is not greater than the one before
  group,          ///< a group differs from its digest in the receipt
  receipt,        ///< the receipt is missing or not valid, or does not describe this file
  name,           ///< the file does not have the name that its content requires
  repeated,       ///< another file has the same number or the same frames
  missing_files,  ///< numbers of files are missing: they were deleted or lost
};
[[nodiscard]] std::string_view name(FaultKind kind) noexcept;

struct Fault {
  FaultKind kind = FaultKind::item;
  std::optional<FileName> file;
  std::uint64_t offset = 0;  ///< in the file
  std::string text;          ///< for people
};

struct FileReport {
  FileName file;
  std::uint64_t bytes = 0;
  std::uint64_t frames = 0;
  std::optional<FileNumber> number;
  std::optional<Epoch> epoch;
  std::optional<DeviceId> hub;         ///< that signed the receipt
  EndReason reason = EndReason::open;  ///< open: the file has no receipt, so its end may have been cut off
  TimeRange time;
  std::vector<Gap> gaps;
  std::vector<CounterRange> counters;  ///< of the stored frames and of those that were left out
  std::vector<Fault> faults;
};

/// Verifies all frames of a file. A fault in the file is part of the report and not an error.
[[nodiscard]] FileReport verify_file(const std::filesystem::path& folder, const FileName& name,
                                     FileInspector& inspector);

struct FolderReport {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t frames = 0;
  std::uint64_t lost_frames = 0;  ///< in gaps
  std::uint64_t without_receipt = 0;
  std::vector<Fault> faults;
  std::vector<std::pair<DeviceId, Gap>> gaps;  ///< also those between two files of an epoch
};
/// Called after each file. False ends the work.
using Progress = std::function<bool(std::uint64_t done_bytes, std::uint64_t all_bytes)>;
struct VerifyOptions {
  AccountId account;                    ///< that the recordings must belong to
  std::optional<DeviceId> camera = {};  ///< nothing: all cameras
  std::set<FileName> open = {};         ///< files that a recorder writes now: they need no receipt
  Progress progress = {};
};
/// Verifies all files of one camera, or of all cameras. Errors: those of list_files(); canceled.
[[nodiscard]] Result<FolderReport> verify_folder(const std::filesystem::path& folder, const VerifyOptions& options);

}  // namespace sealcam::recordings
