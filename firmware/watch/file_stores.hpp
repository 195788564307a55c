// SPDX-License-Identifier: Apache-2.0
/// The two stores as files in the hub's state folder. A damaged file is an error, never a fresh start: a hub that
/// forgot would obey an old roster.
#pragma once

#include <filesystem>
#include <map>

#include "watch/stores.hpp"

namespace sealcam::watch {

/// "SCR1", then 60 bytes for each camera: id, version (big-endian), digest.
class FileRosterStore final : public RosterStore {
 public:
  static constexpr std::size_t max_cameras = 1024;
  /// A missing file is an empty store. Errors: permission, io, malformed.
  [[nodiscard]] static Result<FileRosterStore> open(std::filesystem::path path);

 private:
  explicit FileRosterStore(std::filesystem::path path) : path_(std::move(path)) {}
  [[nodiscard]] Result<std::optional<RosterMark>> do_load(const DeviceId& camera) const override;
  [[nodiscard]] Result<> do_save(const DeviceId& camera, const RosterMark& mark) override;

  std::filesystem::path path_;
  std::map<DeviceId, RosterMark> marks_;
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
