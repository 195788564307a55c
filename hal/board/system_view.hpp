// SPDX-License-Identifier: Apache-2.0
/// /proc, /sys and /dev of the running board, or of a folder that stands for it in a test.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace sealcam::hal::board {

/// Looks and never writes. Paths are absolute, as on the board. Thread-safe.
class SystemView {
 public:
  /// May the file be used so (R_OK, W_OK of access(2))? Replaced in tests, which often run as root.
  using Permitted = std::function<bool(const std::filesystem::path& real, int mode)>;

  explicit SystemView(std::filesystem::path root = "/", Permitted permitted = {});

  /// Where it lies on this machine.
  [[nodiscard]] std::filesystem::path real(const std::filesystem::path& path) const {
    return root_ / path.relative_path();
  }
  [[nodiscard]] bool exists(const std::filesystem::path& path) const;
  [[nodiscard]] bool permitted(const std::filesystem::path& path, int mode) const {
    return permitted_(real(path), mode);
  }
  /// The first 4 KiB without white space and NUL at the end; nothing when it cannot be read.
  [[nodiscard]] std::optional<std::string> read(const std::filesystem::path& path) const;
  /// Names in a folder, sorted; empty when there is none.
  [[nodiscard]] std::vector<std::string> list(const std::filesystem::path& folder) const;
  /// Last part of what a link points to; empty when it is none.
  [[nodiscard]] std::string link_name(const std::filesystem::path& link) const;

 private:
  std::filesystem::path root_;
  Permitted permitted_;
};

}  // namespace sealcam::hal::board
