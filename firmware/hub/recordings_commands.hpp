// SPDX-License-Identifier: Apache-2.0
/// The commands for recordings: `sealcam-hub recordings list|export|verify|delete`. They work while the hub runs.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/log.hpp"
#include "hub/recording.hpp"

namespace sealcam::hub {

struct RecordingsOptions {
  std::string state;
  std::string config;
  std::string folder;    ///< of the recordings; empty: as in the configuration
  std::string account;   ///< that signed them; empty: that of the hub
  std::string camera;    ///< id, beginning of an id, or name
  std::string from, to;  ///< "2026-11-30T14:05:00Z", or without Z by the time zone of this machine
  std::string output;
  bool yes = false;
  bool json = false;
};
/// Each returns the exit code.
[[nodiscard]] int list_recordings(const RecordingsOptions& options, Log& log);
[[nodiscard]] int export_recording(const RecordingsOptions& options, Log& log);
/// Needs no secret key. With a folder and an account, it needs no state folder.
[[nodiscard]] int verify_recordings(const RecordingsOptions& options, Log& log);
[[nodiscard]] int delete_recordings(const RecordingsOptions& options, Log& log);

/// The recordings of a hub, without the hub. Thread-bound.
struct OpenedRecordings {
  std::filesystem::path folder;
  AccountId account;
  std::unique_ptr<recordings::Index> index;
  std::unique_ptr<recordings::KeyFolder> keys;  ///< null: no picture can be opened. The archive refers to it
  std::unique_ptr<recordings::FileArchive> archive;
};
/// Logs each failure and returns the exit code. Without an index that can be used, it reads the facts from the files.
[[nodiscard]] std::expected<OpenedRecordings, int> open_recordings(const RecordingsOptions& options, Log& log);

/// Nothing, and a log line, if the text has another form.
[[nodiscard]] std::optional<CaptureTime> parse_time(const std::string& text, Log& log);
/// The one camera with recordings that the text selects. Logs a failure.
[[nodiscard]] std::optional<DeviceId> select_camera(recordings::Archive& archive, const std::string& text, Log& log);

}  // namespace sealcam::hub
