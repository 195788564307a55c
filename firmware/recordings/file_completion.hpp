// SPDX-License-Identifier: Apache-2.0
/// Completes files whose writer was interrupted.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "crypto/keys.hpp"
#include "recordings/catalog.hpp"

namespace sealcam::recordings {

/// Cuts a file after its last whole frame with a valid signature, checking the signatures of its last two groups, and
/// adds a receipt with the reason `interrupted`. Deletes a file without a whole frame. A file with a receipt is not
/// changed. Reads the file twice, in steps, because frames that are to be recorded wait meanwhile. Thread-bound.
class FileCompletion {
 public:
  static constexpr std::uint64_t step_bytes = 8U << 20;

  /// `inspector` must outlive the object.
  FileCompletion(std::filesystem::path folder, FileName name, FileInspector& inspector, const crypto::SigningKey& hub);
  FileCompletion(FileCompletion&&) noexcept;
  FileCompletion& operator=(FileCompletion&&) noexcept;
  ~FileCompletion();

  [[nodiscard]] const FileName& name() const noexcept;
  /// Reads about `bytes`. Returns true at the end. Do not call it after the end or an error. Errors: those of
  /// FileInspector::inspect(): the file is not one of this account, or was altered before its last two groups; it is
  /// not changed then. io, permission.
  [[nodiscard]] Result<bool> step(std::uint64_t bytes = step_bytes);
  /// After the end: the facts for the index, or nothing if the file was deleted.
  [[nodiscard]] const std::optional<FileInspector::Facts>& facts() const noexcept;

 private:
  class Work;
  std::unique_ptr<Work> work_;
};

}  // namespace sealcam::recordings
