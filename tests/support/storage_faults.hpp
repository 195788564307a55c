// SPDX-License-Identifier: Apache-2.0
/// Storage faults at a chosen file operation. A program that links storage_faults.cpp uses its versions of the C
/// library's calls that change files: open for writing, write, fallocate, ftruncate, fsync, rename, renameat2, unlink,
/// rmdir, mkdir, chmod, and for PSA's store fopen, fwrite, fclose and remove. They count the operations, and the n-th
/// one fails. fsync() does not wait for a disk; it only records which files are durable.
#pragma once

#include <cstddef>

namespace sealcam::test {

enum class StorageFault {
  none,        ///< only counts
  kill,        ///< the process ends before the operation; written data stays
  power_cut,   ///< the same, and files without fsync are empty afterwards
  torn,        ///< as power_cut, but the written file keeps half of the last write
  io_error,    ///< the operation does nothing and fails with EIO
  disk_full,   ///< an operation that needs space fails with ENOSPC; a write stores half before
  stays_full,  ///< all operations from the n-th on fail with ENOSPC if they need more space than the file has blocks
};

/// From now on, operation number `nth` (from 1) of this process fails, and later ones succeed.
void arm_storage(StorageFault fault, std::size_t nth);
/// Operations since arm_storage(). For disk_full, only those that need space count.
[[nodiscard]] std::size_t storage_operations();

}  // namespace sealcam::test
