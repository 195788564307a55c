// SPDX-License-Identifier: Apache-2.0
#include "device/empty_files.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace sealcam::device {

namespace fs = std::filesystem;

namespace {

/// Locks, marks, temporary files, spare files, and files of other programs.
bool may_be_empty(const fs::path& path) {
  static constexpr std::array<std::string_view, 5> endings = {"lock", ".new", ".spare", "unfinished", "resetting"};
  const auto name = path.filename().string();
  return name.starts_with('.') || std::ranges::any_of(endings, [&](auto ending) { return name.ends_with(ending); });
}

}  // namespace

std::optional<fs::path> find_empty_file(const fs::path& folder) {
  std::error_code ec;
  for (fs::recursive_directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
    std::error_code ignored;
    if (it->is_regular_file(ignored) && it->file_size(ignored) == 0 && !may_be_empty(it->path())) return it->path();
  }
  return std::nullopt;
}

}  // namespace sealcam::device
