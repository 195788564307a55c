// SPDX-License-Identifier: Apache-2.0
/// Faults of storage at a chosen file operation. storage_faults.cpp, linked into a program, takes the place of the C
/// library's calls that change files (open for writing, write, fsync, rename, unlink, rmdir, mkdir, chmod, and stdio's
/// fopen, fwrite, fclose and remove, with which PSA's store writes), counts them, and lets the n-th one fail.
/// Real disks are never waited for: fsync() only notes what it would have made durable.
#pragma once

#include <cstddef>

namespace sealcam::test {

enum class StorageFault {
  none,       ///< only counts
  kill,       ///< the process ends before the operation; what was written stays
  power_cut,  ///< the same, and files that were written but not fsynced are empty afterwards
  torn,       ///< as power_cut, but the file that is being written keeps half of that write
  io_error,   ///< the operation fails with EIO and does nothing
  disk_full,  ///< an operation that needs room fails with ENOSPC; a write writes half before it
};

/// From now on, in this process, operation number `nth` (from 1) goes wrong; the later ones do not.
void arm_storage(StorageFault fault, std::size_t nth);
/// Operations since arm_storage(). For disk_full, only those that need room count.
[[nodiscard]] std::size_t storage_operations();

}  // namespace sealcam::test
