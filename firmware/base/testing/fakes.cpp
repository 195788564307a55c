// SPDX-License-Identifier: Apache-2.0
#include "base/testing/fakes.hpp"

#include <algorithm>

#include "base/format.hpp"

namespace sealcam {

std::vector<std::string> MemoryLog::lines() const {
  std::scoped_lock lock(mutex_);
  return lines_;
}

bool MemoryLog::contains(std::string_view part) const {
  std::scoped_lock lock(mutex_);
  return std::ranges::any_of(lines_, [&](const std::string& line) { return line.contains(part); });
}

void MemoryLog::write(LogLevel level, std::string_view line) {
  std::scoped_lock lock(mutex_);
  lines_.push_back(sealcam::format("{}{}", prefix(level), line));
}

}  // namespace sealcam
