// SPDX-License-Identifier: Apache-2.0
/// The files in a folder of recordings, and their difference from the index.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "recordings/index.hpp"

namespace sealcam::recordings {

struct ListedFile {
  FileName file;
  std::uint64_t bytes = 0;
};
/// The files whose path has the form of a recording, in ascending order. Other names are skipped. Errors: not_found
/// (the folder), permission, io.
[[nodiscard]] Result<std::vector<ListedFile>> list_files(const std::filesystem::path& folder);
/// The same for one camera. No recordings are not an error. Errors: permission, io.
[[nodiscard]] Result<std::vector<ListedFile>> list_files(const std::filesystem::path& folder, const DeviceId& camera);

/// The same in steps, because a disk may be slow. Thread-bound.
class FolderListing {
 public:
  /// Errors: those of list_files().
  [[nodiscard]] static Result<FolderListing> begin(std::filesystem::path folder);
  /// Lists one day of one camera. Returns true at the end. Errors: permission, io.
  [[nodiscard]] Result<bool> step();
  /// After the end.
  [[nodiscard]] std::vector<ListedFile> take() noexcept { return std::move(files_); }

 private:
  FolderListing(std::filesystem::path folder, std::vector<DeviceId> cameras)
      : folder_(std::move(folder)), cameras_(std::move(cameras)) {}
  std::filesystem::path folder_;
  std::vector<DeviceId> cameras_;  ///< the next one is the last
  DeviceId camera_;
  std::vector<std::string> days_;  ///< of `camera_`, the next one is the last
  std::vector<ListedFile> files_;
};

struct Difference {
  std::vector<ListedFile> unknown;  ///< not in the index, or with another size, or without a receipt
  std::vector<FileName> missing;    ///< in the index, but not in the folder
};
[[nodiscard]] Result<Difference> compare(Index& index, const std::vector<ListedFile>& files);

}  // namespace sealcam::recordings
