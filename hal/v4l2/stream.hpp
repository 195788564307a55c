// SPDX-License-Identifier: Apache-2.0
/// Streams from a device: maps, queues and fetches buffers. Supports the single- and the multi-planar API.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "hal/v4l2/device.hpp"
#include "hal/v4l2/layout.hpp"

namespace sealcam::hal::v4l2 {

/// A buffer that the driver filled.
struct Filled {
  std::uint32_t buffer = 0;
  std::uint32_t sequence = 0;
  bool damaged = false;                       ///< V4L2_BUF_FLAG_ERROR
  std::optional<MonotonicTime> timestamp;     ///< only if it is of CLOCK_MONOTONIC
  std::array<ByteView, max_planes> memory{};  ///< the used bytes of each plane; empty if the driver's
                                              ///< numbers exceed the buffer
};

/// Streaming from construction to destruction. Thread-bound. The device must outlive it.
class Stream {
 public:
  /// `planes`: buffers of memory per picture, 1 to 3. Requests `buffers`, or more if the driver needs more. With fewer
  /// than 3, the caller could not lease two pictures. Errors: device_lost, no_memory, unsupported, io (another program
  /// uses the device).
  [[nodiscard]] static Result<Stream> start(V4l2Device& device, bool multi_planar, std::size_t planes,
                                            std::uint32_t buffers);
  Stream(Stream&& other) noexcept;
  Stream& operator=(Stream&&) = delete;
  /// Stops streaming and unmaps all buffers.
  ~Stream();

  [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(buffers_.size()); }
  /// Errors: timeout (no picture yet), device_lost (all other errors of the driver; only opening the device again
  /// helps).
  [[nodiscard]] Result<Filled> fetch();
  /// Gives a buffer to the driver. Returns false if the driver rejects it.
  [[nodiscard]] bool queue(std::uint32_t buffer) noexcept;

 private:
  struct Mapped {
    const std::byte* start = nullptr;
    std::size_t length = 0;
  };
  using Buffer = std::array<Mapped, max_planes>;
  Stream(V4l2Device& device, bool multi_planar, std::size_t planes);
  Result<> request_buffers(std::uint32_t count);
  Result<> map(std::uint32_t index);
  Result<> begin();
  void end() noexcept;

  V4l2Device* device_;  // null after a move
  std::uint32_t type_;
  bool multi_planar_;
  std::size_t planes_;
  std::vector<Buffer> buffers_;
};

}  // namespace sealcam::hal::v4l2
