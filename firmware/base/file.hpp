// SPDX-License-Identifier: Apache-2.0
/// Files and folders. Errors name the file or folder as their place.
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace sealcam {

/// Owns a file descriptor; move-only.
class UniqueFd {
 public:
  UniqueFd() noexcept = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
  void reset() noexcept;

 private:
  int fd_ = -1;
};

/// Reads a whole file. Errors: not_found, permission, io, exhausted (larger than `limit` bytes).
[[nodiscard]] Result<Bytes> read_file(const std::filesystem::path& path, std::size_t limit);

/// Replaces a file atomically and durably: a reader sees the old content or the new content, also after a power cut.
/// The mode is 0600. Errors: permission, io (also if the disk is full); the old file is then unchanged.
[[nodiscard]] Result<> write_file_durably(const std::filesystem::path& path, ByteView content);

/// Makes the name of a file or folder durable, in the folder that contains it. Errors: not_found, permission, io.
[[nodiscard]] Result<> sync_entries_of(const std::filesystem::path& path);

/// Creates a file for writing, with its mode from the start. An old file of the name is removed and never written to:
/// it may have other rights, or be a link that another user made. Not open after an error; errno has the reason.
[[nodiscard]] UniqueFd create_file(const std::filesystem::path& path, mode_t mode);

/// Writes all of `content`. False after an error; errno has the reason.
[[nodiscard]] bool write_all(int fd, ByteView content);

/// The error of a failed call on a file: not_found, permission (also of a read-only file system), or io.
[[nodiscard]] std::unexpected<Error> fail_errno(const char* what, const std::filesystem::path& path, int e = errno);

/// Creates the folder and its parents; the folder itself gets mode 0700. Errors: permission, io.
[[nodiscard]] Result<> make_private_folder(const std::filesystem::path& path);

/// fsync of every file directly in the folder, then of the folder. Errors: io.
[[nodiscard]] Result<> sync_folder(const std::filesystem::path& path);

/// Locks `path`/lock until the descriptor is closed, so that one process uses a state folder at a time.
/// Errors: conflict (another process holds the lock), permission, io.
[[nodiscard]] Result<UniqueFd> lock_folder(const std::filesystem::path& path);

/// The default folder of configuration files: $CONFIGURATION_DIRECTORY of systemd.exec(5), else
/// $XDG_CONFIG_HOME/sealcam (XDG Base Directory Specification).
[[nodiscard]] std::filesystem::path configuration_folder();

/// The default folder of one program's state: $STATE_DIRECTORY of systemd.exec(5), else
/// $XDG_STATE_HOME/sealcam/<program>.
[[nodiscard]] std::filesystem::path state_folder(std::string_view program);

}  // namespace sealcam
