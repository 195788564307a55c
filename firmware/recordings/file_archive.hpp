// SPDX-License-Identifier: Apache-2.0
/// The Archive on files, index and keys.
#pragma once

#include <filesystem>

#include "recordings/index.hpp"
#include "recordings/key_folder.hpp"
#include "recordings/recorder.hpp"

namespace sealcam::recordings {

/// Thread-safe.
class FileArchive final : public Archive {
 public:
  /// `keys` null: no picture can be opened. `recorder` null: erase() deletes by itself, except files without a
  /// receipt. All references and pointers must outlive the archive.
  FileArchive(std::filesystem::path folder, const AccountId& account, Index& index, const KeyFolder* keys,
              Recorder* recorder)
      : folder_(std::move(folder)), account_(account), index_(index), keys_(keys), recorder_(recorder) {}

 private:
  Result<std::vector<CameraSummary>> do_cameras() override;
  Result<std::vector<Day>> do_days(const DeviceId& camera) override;
  Result<RecordedTimeline> do_timeline(const DeviceId& camera, const TimeRange& range) override;
  Result<std::unique_ptr<PictureReader>> do_read(const DeviceId& camera, const TimeRange& range,
                                                 Pictures which) override;
  Result<Moment> do_picture_at(const DeviceId& camera, CaptureTime time, Pictures which) override;
  Result<Erased> do_erase(const DeviceId& camera, const TimeRange& range) override;
  Status do_status() override;

  std::filesystem::path folder_;
  AccountId account_;
  Index& index_;
  const KeyFolder* keys_;
  Recorder* recorder_;
};

/// Adds all files of the folder to an empty index, without changing a file. For programs without the hub's index.
/// Errors: those of list_files() and of the index. Files that cannot be read are skipped and logged.
[[nodiscard]] Result<> fill_index(Index& index, const std::filesystem::path& folder, const AccountId& account,
                                  Log& log);

}  // namespace sealcam::recordings
