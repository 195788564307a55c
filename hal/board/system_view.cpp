// SPDX-License-Identifier: Apache-2.0
#include "hal/board/system_view.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/file.hpp"

namespace sealcam::hal::board {

namespace fs = std::filesystem;

SystemView::SystemView(fs::path root, Permitted permitted)
    : root_(std::move(root)), permitted_(permitted ? std::move(permitted) : [](const fs::path& real, int mode) {
        return ::access(real.c_str(), mode) == 0;
      }) {}

bool SystemView::exists(const fs::path& path) const {
  std::error_code ec;
  return fs::exists(real(path), ec);
}

std::optional<std::string> SystemView::read(const fs::path& path) const {
  // Reads once, because files of the kernel have no size and some return data only for the first read.
  const UniqueFd file(::open(real(path).c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) return std::nullopt;
  std::array<char, 4096> buffer;
  ssize_t n = -1;
  do n = ::read(file.get(), buffer.data(), buffer.size());
  while (n < 0 && errno == EINTR);
  if (n < 0) return std::nullopt;
  std::string text(buffer.data(), static_cast<std::size_t>(n));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ' || text.back() == '\0')) text.pop_back();
  return text;
}

std::vector<std::string> SystemView::list(const fs::path& folder) const {
  std::vector<std::string> names;
  std::error_code ec;
  for (fs::directory_iterator i(real(folder), ec), end; !ec && i != end; i.increment(ec))
    names.push_back(i->path().filename().string());
  // Puts video2 before video10.
  std::ranges::sort(names,
                    [](const auto& a, const auto& b) { return a.size() != b.size() ? a.size() < b.size() : a < b; });
  return names;
}

std::string SystemView::link_name(const fs::path& link) const {
  std::error_code ec;
  return fs::read_symlink(real(link), ec).filename().string();
}

}  // namespace sealcam::hal::board
