// SPDX-License-Identifier: Apache-2.0
/// The output of a command, under a name that a person chose.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/bytes.hpp"
#include "base/file.hpp"
#include "base/result.hpp"

namespace sealcam {

/// An existing file keeps its content until publish(). Thread-bound.
///
/// A new file, or one that replaces a regular file or a link to one, has no name until then, so that nothing stays if
/// the program is killed. Where the file system requires names (FAT, NFS), it has the temporary name `.NAME.XXXXXX` in
/// the same folder. A replacement has that name for a moment. The mode is 0600. Thus an output never gets into a file
/// that another user prepared, or through a link. FIFOs and character devices are written directly and are never
/// removed. So are names of standard output and standard error, such as /dev/stdout.
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

}  // namespace sealcam
