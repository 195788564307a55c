// SPDX-License-Identifier: Apache-2.0
/// Files that hold state: durable, atomic, private. A reader sees the old content or the new one,
/// also after a power cut.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>

#include "core/bytes.hpp"
#include "core/result.hpp"

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

/// Whole file. Errors: not_found, permission, io, exhausted (larger than `limit` bytes).
[[nodiscard]] Result<Bytes> read_file(const std::filesystem::path& path, std::size_t limit);

/// Writes beside the target, fsyncs, renames, fsyncs the folder. Mode 0600.
/// Errors: permission, io (full disk included); the old file is then as it was.
[[nodiscard]] Result<> write_file_durably(const std::filesystem::path& path, ByteView content);

/// Creates the folder and its parents; the folder itself gets mode 0700. Errors: permission, io.
[[nodiscard]] Result<> make_private_folder(const std::filesystem::path& path);

/// fsync of every file directly in the folder, then of the folder. Errors: io.
[[nodiscard]] Result<> sync_folder(const std::filesystem::path& path);

/// Holds an exclusive lock on `path`/lock as long as it lives: one process per state folder.
/// Errors: conflict (another process has it), permission, io.
[[nodiscard]] Result<UniqueFd> lock_folder(const std::filesystem::path& path);

}  // namespace sealcam
