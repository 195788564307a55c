// SPDX-License-Identifier: Apache-2.0
#include "camera/once_log.hpp"

namespace sealcam::camera {

void relay(Log& to, LogLevel level, std::string_view line) {
  switch (level) {
    case LogLevel::error: to.error("{}", line); break;
    case LogLevel::warning: to.warning("{}", line); break;
    case LogLevel::info: to.info("{}", line); break;
    case LogLevel::debug: to.debug("{}", line); break;
  }
}

void OnceLog::write(LogLevel level, std::string_view line) {
  constexpr std::size_t most = 64;  // of one try; more are passed on unseen
  if (now_.size() < most) now_.emplace(line);
  if (!before_.contains(line)) relay(inner_, level, line);
}

}  // namespace sealcam::camera
