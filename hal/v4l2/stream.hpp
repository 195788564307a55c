// SPDX-License-Identifier: Apache-2.0
/// The buffers of a device that streams: mapped, queued, fetched. Single- and multi-planar API alike.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/bytes.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"
#include "hal/v4l2/device.hpp"
#include "hal/v4l2/layout.hpp"

namespace sealcam::hal::v4l2 {

/// One buffer as the driver gave it.
struct Filled {
  std::uint32_t buffer = 0;
  std::uint32_t sequence = 0;
  bool damaged = false;                        ///< V4L2_BUF_FLAG_ERROR
  std::optional<MonotonicTime> stamp;          ///< only of CLOCK_MONOTONIC
  bool start_of_exposure = false;              ///< what the stamp means; otherwise the end of the picture
  std::array<ByteView, most_planes> memory{};  ///< what is used of each plane; empty when the driver's numbers
                                               ///< do not fit the buffer
};

/// Streaming from construction to destruction. Thread-bound. The device must outlive it.
class Stream {
 public:
  /// `planes`: of memory, 1 to 3. Asks for `buffers` and as many more as the driver wants for itself; with fewer than 3
  /// no two pictures could be leased. Errors: device_lost, no_memory, unsupported, io (the device is used by another
  /// program).
  [[nodiscard]] static Result<Stream> start(V4l2Device& device, bool multi_planar, std::size_t planes,
                                            std::uint32_t buffers);
  Stream(Stream&& other) noexcept;
  Stream& operator=(Stream&&) = delete;
  /// Stops streaming and unmaps, whoever still looks at a buffer.
  ~Stream();

  [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(buffers_.size()); }
  /// Errors: timeout (no picture is there), device_lost (whatever else the driver says: nothing can be repaired but by
  /// opening it anew).
  [[nodiscard]] Result<Filled> fetch();
  /// Gives a buffer to the driver. False when it does not take it.
  [[nodiscard]] bool queue(std::uint32_t buffer) noexcept;

 private:
  struct Mapped {
    const std::byte* start = nullptr;
    std::size_t length = 0;
  };
  using Buffer = std::array<Mapped, most_planes>;
  Stream(V4l2Device& device, bool multi_planar, std::size_t planes);
  Result<> request_buffers(std::uint32_t count);
  Result<> map(std::uint32_t index);
  Result<> begin();
  void end() noexcept;

  V4l2Device* device_;  // null when moved from
  std::uint32_t type_;
  bool multi_planar_;
  std::size_t planes_;
  std::vector<Buffer> buffers_;
};

}  // namespace sealcam::hal::v4l2
