// SPDX-License-Identifier: Apache-2.0
/// A small file that a program can replace although the disk is full.
#pragma once

#include <cstddef>
#include <filesystem>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace sealcam {

/// Keeps a spare file beside the file, with space for the largest content. store() writes into the spare file and
/// exchanges the two names (renameat2, RENAME_EXCHANGE). So a store needs no new block, inode or folder entry on file
/// systems that overwrite data in place, such as ext4, f2fs and XFS. Btrfs always needs new blocks. A file system
/// without the exchange (FAT, NFS) uses a plain rename. Thread-bound.
class ReservedFile {
 public:
  /// `capacity`: bytes of the largest content.
  ReservedFile(std::filesystem::path path, std::size_t capacity);

  /// Makes the spare file if it is missing, and allocates `capacity` bytes for it. Errors: permission, io.
  [[nodiscard]] Result<> reserve();
  /// Replaces the content atomically and durably, as write_file_durably() does, and reserves again. Works without
  /// reserve(), if there is space. Errors: permission, io; the old content is then unchanged, or, if only the last step
  /// failed, the new content is not durable.
  [[nodiscard]] Result<> store(ByteView content);

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// The spare file of a reserved file.
  [[nodiscard]] static std::filesystem::path spare_of(std::filesystem::path path) { return path += ".spare"; }

 private:
  [[nodiscard]] Result<> sync_names();
  std::filesystem::path path_, spare_;
  std::size_t capacity_;
  bool settled_ = false;  ///< the names of the two files are durable
};

}  // namespace sealcam
