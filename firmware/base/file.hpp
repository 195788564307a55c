// SPDX-License-Identifier: Apache-2.0
/// Files and folders: whole files, outputs under a name that a person chose, and small files that a program can replace
/// although the disk is full. Errors name the file or folder as their place.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
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

/// PSA's file store creates files with the process's umask. Until destruction, that is 0077. Not thread-safe: the umask
/// belongs to the process.
class PrivateUmask {
 public:
  PrivateUmask() noexcept : before_(::umask(0077)) {}
  PrivateUmask(const PrivateUmask&) = delete;
  PrivateUmask& operator=(const PrivateUmask&) = delete;
  ~PrivateUmask() { ::umask(before_); }

 private:
  mode_t before_;
};

/// An existing file keeps its content until publish(). Thread-bound.
///
/// A new file, or one that replaces a regular file or a link to one, has no name until then, so that nothing stays if
/// the program is killed. Where the file system requires names (FAT, NFS), it has the temporary name `.NAME.XXXXXX` in
/// the same folder. A replacement has that name for a moment. The mode is 0600. Therefore the program never writes
/// into a file that another user prepared, or through a link. FIFOs and character devices are written directly and are
/// never removed. The same applies to names of standard output and standard error, such as /dev/stdout.
class OutputFile {
 public:
  /// Waits until a FIFO has a reader. Errors: not_found (folder), exists (a folder, a block device, or a FIFO of
  /// another user), permission, io.
  [[nodiscard]] static Result<OutputFile> open(const std::filesystem::path& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  /// Removes the temporary file.
  ~OutputFile();

  [[nodiscard]] int descriptor() const noexcept { return file_.get(); }
  /// Makes the content durable and gives the file its name. The caller may write more. Call it once. Errors:
  /// permission, io; an existing file is then unchanged.
  [[nodiscard]] Result<> publish();

 private:
  enum class State : std::uint8_t { unnamed, temporary, named };
  OutputFile(std::filesystem::path path, State state, std::filesystem::path temporary, UniqueFd file);

  std::filesystem::path path_, temporary_;  ///< `temporary_` is empty in the other states
  UniqueFd file_;
  State state_;
};

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
