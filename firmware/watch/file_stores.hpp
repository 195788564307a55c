// SPDX-License-Identifier: Apache-2.0
/// The two stores as files in the hub's state folder. A damaged file is an error, never a fresh start: a hub that
/// forgot would obey an old roster.
#pragma once

#include <filesystem>

#include "watch/stores.hpp"

namespace sealcam::watch {

/// A folder with one file for each camera, named by its id: the roster's message as it came.
class FileRosterStore final : public RosterStore {
 public:
  static constexpr std::size_t max_cameras = 1024;
  /// `folder` belongs to one account; it is made when it is missing. Errors: permission, io.
  [[nodiscard]] static Result<FileRosterStore> open(std::filesystem::path folder);

 private:
  explicit FileRosterStore(std::filesystem::path folder) : folder_(std::move(folder)) {}
  [[nodiscard]] Result<std::vector<StoredRoster>> do_load() const override;
  [[nodiscard]] Result<> do_save(const DeviceId& camera, ByteView message) override;

  std::filesystem::path folder_;
};

/// "SCQ1", then the first free number (8 bytes, big-endian).
class FileSequenceStore final : public SequenceStore {
 public:
  /// A missing file starts at 1. Errors: permission, io, malformed.
  [[nodiscard]] static Result<FileSequenceStore> open(std::filesystem::path path);

 private:
  FileSequenceStore(std::filesystem::path path, std::uint64_t free) : path_(std::move(path)), free_(free) {}
  [[nodiscard]] Result<AskSeq> do_reserve(std::uint64_t count) override;

  std::filesystem::path path_;
  std::uint64_t free_;
};

}  // namespace sealcam::watch
