// SPDX-License-Identifier: Apache-2.0
/// A frame buffer of libcamera's as memory.
#pragma once

#include <libcamera/framebuffer.h>

#include <array>
#include <vector>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal::libcamera {

namespace lib = ::libcamera;

/// How a picture lies in its buffer.
struct Layout {
  PixelFormat format = PixelFormat::nv12;
  Size size;
  std::size_t stride = 0;  ///< of the first plane
};

/// The planes of one DMA buffer, mapped for reading. Planes that share a descriptor share one mapping. Move-only.
class MappedBuffer {
 public:
  /// Errors: no_memory, unsupported (planes outside their memory; too small for the layout).
  [[nodiscard]] static Result<MappedBuffer> map(const lib::FrameBuffer& buffer, const Layout& layout);
  MappedBuffer(MappedBuffer&&) noexcept = default;
  MappedBuffer& operator=(MappedBuffer&&) = delete;
  ~MappedBuffer();

  /// The planes of a picture; with `used` bytes in the first one where that is compressed.
  [[nodiscard]] std::array<Plane, 3> planes(std::size_t used) const noexcept;
  /// Bytes that a whole picture has in each of the buffer's planes; empty for compressed ones.
  [[nodiscard]] const std::vector<std::size_t>& needed() const noexcept { return needed_; }
  /// What the sensor's hardware wrote becomes visible to this processor: before the first look at a picture.
  void begin_reading() const noexcept { synchronise(true); }
  /// After the last look.
  void end_reading() const noexcept { synchronise(false); }

 private:
  struct Mapping {
    int fd = -1;  // the frame buffer's
    const std::byte* start = nullptr;
    std::size_t length = 0;
  };
  explicit MappedBuffer(const Layout& layout) : layout_(layout) {}
  Result<> map_planes(const lib::FrameBuffer& buffer);
  Result<> lay_out();
  void synchronise(bool begin) const noexcept;

  Layout layout_;
  std::vector<Mapping> mappings_;
  std::vector<ByteView> memory_;  // of each of the buffer's planes
  std::vector<std::size_t> needed_;
  std::array<Plane, 3> planes_{};
};

}  // namespace sealcam::hal::libcamera
