// SPDX-License-Identifier: Apache-2.0
/// What this process costs.
#pragma once

#include <chrono>
#include <cstdint>

namespace sealcam::camera {

struct Usage {
  std::chrono::microseconds cpu{};  ///< user and system, all threads, since the start
  std::uint64_t rss_kib = 0;        ///< resident now
  std::uint64_t peak_rss_kib = 0;
};
[[nodiscard]] Usage usage() noexcept;

}  // namespace sealcam::camera
