// SPDX-License-Identifier: Apache-2.0
#include "base/reserved_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/file.hpp"

namespace sealcam {

namespace fs = std::filesystem;

namespace {

/// Opens the spare file, or makes a private one. The old content of a spare file is of no use. A link or a file with a
/// second name is removed and not written to.
UniqueFd open_spare(const fs::path& path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status{};
  if (fd && ::fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1) return fd;
  return create_file(path, 0600);
}

/// False if the file has no other content than `content` afterwards, on the disk.
bool overwrite(int fd, ByteView content) {
  struct stat status{};
  if (::fstat(fd, &status) != 0 || !write_all(fd, content)) return false;
  // Only if necessary, because this also frees the reserved blocks behind the content.
  const auto size = static_cast<off_t>(content.size());
  if (status.st_size > size && ::ftruncate(fd, size) != 0) return false;
  return ::fsync(fd) == 0;
}

bool exchange(const fs::path& spare, const fs::path& path) {
  if (::renameat2(AT_FDCWD, spare.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) == 0) return true;
  // The first store, or a file system without the exchange.
  if (errno != ENOENT && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) return false;
  return ::rename(spare.c_str(), path.c_str()) == 0;
}

}  // namespace

ReservedFile::ReservedFile(fs::path path, std::size_t capacity)
    : path_(std::move(path)), spare_(spare_of(path_)), capacity_(capacity) {}

Result<> ReservedFile::reserve() {
  const UniqueFd fd = open_spare(spare_);
  if (!fd) return fail_errno("creating the spare file", path_);
  struct stat status{};
  constexpr std::size_t block = 512;  // the unit of st_blocks, always
  if (::fstat(fd.get(), &status) == 0 && static_cast<std::size_t>(status.st_blocks) * block >= capacity_) return {};
  if (::fallocate(fd.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(capacity_)) != 0 && errno != EOPNOTSUPP)
    return fail_errno("reserving space for a state file", path_);
  return {};
}

Result<> ReservedFile::sync_names() {
  if (settled_) return {};
  if (auto r = sync_entries_of(path_); !r) return r;
  settled_ = true;
  return {};
}

Result<> ReservedFile::store(ByteView content) {
  // If an earlier exchange is not durable, the disk may still have the spare file under the name of the file.
  if (auto r = sync_names(); !r) return r;
  {
    const UniqueFd fd = open_spare(spare_);
    if (!fd) return fail_errno("creating a state file", path_);
    if (!overwrite(fd.get(), content)) return fail_errno("writing a state file", path_);
  }
  settled_ = false;
  if (!exchange(spare_, path_)) return fail_errno("renaming a state file", path_);
  if (auto r = sync_names(); !r) return r;
  (void)reserve();  // the next store reports a missing spare file
  return {};
}

}  // namespace sealcam
