// SPDX-License-Identifier: Apache-2.0
/// A folder in memory for parsers that read a file. On a disk, file operations would take most of the time.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "support/temporary_folder.hpp"

namespace sealcam::fuzz {

class Scratch {
 public:
  [[nodiscard]] const std::filesystem::path& path() const { return folder_.path(); }
  /// Replaces the file and returns its path.
  std::filesystem::path put(std::string_view name, std::string_view content) const {
    const auto file = path() / name;
    std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
    return file;
  }

 private:
  struct InMemory {
    InMemory() {
      if (::access("/dev/shm", W_OK) == 0) ::setenv("TMPDIR", "/dev/shm", 0);
    }
  };
  InMemory first_;
  test::TemporaryFolder folder_;
};

/// Deleted when the fuzzer exits normally.
[[nodiscard]] inline const Scratch& scratch() {
  static const Scratch one;
  return one;
}

}  // namespace sealcam::fuzz
