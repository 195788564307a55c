// SPDX-License-Identifier: Apache-2.0
/// Reads /proc, /sys and /dev of the board. Tests use a folder instead.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace sealcam::hal::board {

/// Never writes. Paths are absolute, as on the board. Thread-safe.
class SystemView {
 public:
  /// access(2) with R_OK or W_OK. Tests replace it, because they often run as root.
  using Permitted = std::function<bool(const std::filesystem::path& real, int mode)>;

  explicit SystemView(std::filesystem::path root = "/", Permitted permitted = {});

  /// The path on this machine.
  [[nodiscard]] std::filesystem::path real(const std::filesystem::path& path) const {
    return root_ / path.relative_path();
  }
  [[nodiscard]] bool exists(const std::filesystem::path& path) const;
  [[nodiscard]] bool permitted(const std::filesystem::path& path, int mode) const {
    return permitted_(real(path), mode);
  }
  /// Reads the first 4 KiB, without white space and NUL at the end. Returns nothing if that fails.
  [[nodiscard]] std::optional<std::string> read(const std::filesystem::path& path) const;
  /// Returns the names in a folder, sorted. Empty if the folder does not exist.
  [[nodiscard]] std::vector<std::string> list(const std::filesystem::path& folder) const;
  /// Returns the last part of a link's target. Empty if `link` is not a link.
  [[nodiscard]] std::string link_name(const std::filesystem::path& link) const;

 private:
  std::filesystem::path root_;
  Permitted permitted_;
};

}  // namespace sealcam::hal::board
