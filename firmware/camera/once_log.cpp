// SPDX-License-Identifier: Apache-2.0
#include "camera/once_log.hpp"

namespace sealcam::camera {

void OnceLog::write(LogLevel level, std::string_view line) {
  constexpr std::size_t most = 64;  // of one try; more are passed on unseen
  if (now_.size() < most) now_.emplace(line);
  if (before_.contains(line)) return;
  switch (level) {
    case LogLevel::error: inner_.error("{}", line); break;
    case LogLevel::warning: inner_.warning("{}", line); break;
    case LogLevel::info: inner_.info("{}", line); break;
    case LogLevel::debug: inner_.debug("{}", line); break;
  }
}

}  // namespace sealcam::camera
