// SPDX-License-Identifier: Apache-2.0
/// Maps a frame buffer of libcamera.
#pragma once

#include <libcamera/framebuffer.h>

#include <array>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal::libcamera {

namespace lib = ::libcamera;

/// The layout of a picture in its buffer.
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

  /// The planes of a picture. A compressed picture has `used` bytes in the first plane.
  [[nodiscard]] std::array<Plane, 3> planes(std::size_t used) const noexcept;
  /// Bytes of a complete picture in each plane of the buffer; empty for compressed formats.
  [[nodiscard]] const std::vector<std::size_t>& needed() const noexcept { return needed_; }
  /// Call before reading a picture, so that the processor sees the data of the sensor's hardware.
  void begin_reading() const noexcept { synchronize(true); }
  /// Call after reading a picture.
  void end_reading() const noexcept { synchronize(false); }

 private:
  struct Mapping {
    int fd = -1;  // the frame buffer's
    const std::byte* start = nullptr;
    std::size_t length = 0;
  };
  explicit MappedBuffer(const Layout& layout) : layout_(layout) {}
  Result<> map_planes(const lib::FrameBuffer& buffer);
  Result<> lay_out();
  void synchronize(bool begin) const noexcept;

  Layout layout_;
  std::vector<Mapping> mappings_;
  std::vector<ByteView> memory_;  // of each of the buffer's planes
  std::vector<std::size_t> needed_;
  std::array<Plane, 3> planes_{};
};

}  // namespace sealcam::hal::libcamera
