// SPDX-License-Identifier: Apache-2.0
/// One uncompressed or compressed picture in a buffer that somebody else owns.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/bytes.hpp"
#include "core/clock.hpp"
#include "core/strong.hpp"

namespace sealcam::hal {

/// Names follow V4L2's fourcc where there is one. YCbCr is BT.601's with limited range, primaries are BT.709's: what
/// most sensors give (V4L2_COLORSPACE_SRGB).
enum class PixelFormat {
  yu12,   ///< planar 4:2:0, Y U V (FFmpeg: yuv420p)
  nv12,   ///< semi-planar 4:2:0, Y UV
  yuyv,   ///< packed 4:2:2
  mjpeg,  ///< one JPEG image in plane 0
  h264,   ///< one H.264 access unit, Annex B, in plane 0
};

struct Size {
  int width = 0;   ///< pixels, even, 32 … 4096
  int height = 0;  ///< pixels, even, 32 … 4096
  friend bool operator==(const Size&, const Size&) = default;
};

/// Inside the bounds above.
[[nodiscard]] constexpr bool is_valid(Size s) noexcept {
  const auto good = [](int n) { return n >= 32 && n <= 4096 && n % 2 == 0; };
  return good(s.width) && good(s.height);
}

struct Plane {
  const std::byte* data = nullptr;
  std::size_t stride = 0;  ///< bytes from one row to the next; for mjpeg and h264 the number of bytes
};

/// Gives a leased buffer back. One call per picture, on the thread that destroys the picture.
class BufferOwner {
 public:
  virtual void give_back(std::uint32_t buffer) noexcept = 0;

 protected:
  ~BufferOwner() = default;
};

/// A picture that leases its buffer from a FrameSource and returns it on destruction. Move-only.
/// It must not outlive its source. Thread-bound.
class Picture {
 public:
  Picture() noexcept = default;
  Picture(BufferOwner& owner, std::uint32_t buffer) noexcept : owner_(&owner), buffer_(buffer) {}
  Picture(Picture&& other) noexcept { *this = std::move(other); }
  Picture& operator=(Picture&& other) noexcept {
    if (this != &other) {
      release();
      format = other.format;
      size = other.size;
      planes = other.planes;
      number = other.number;
      captured = other.captured;
      keyframe = other.keyframe;
      owner_ = std::exchange(other.owner_, nullptr);
      buffer_ = other.buffer_;
    }
    return *this;
  }
  Picture(const Picture&) = delete;
  Picture& operator=(const Picture&) = delete;
  ~Picture() { release(); }

  PixelFormat format = PixelFormat::yu12;
  Size size;
  std::array<Plane, 3> planes{};  ///< as many as the format has
  FrameNumber number;             ///< rebased to 0 at open(); gaps are pictures the driver lost
  MonotonicTime captured;         ///< when the sensor took it: start of exposure where the driver knows it
  bool keyframe = false;          ///< h264 only: the access unit has an IDR slice

 private:
  void release() noexcept {
    if (owner_ != nullptr) std::exchange(owner_, nullptr)->give_back(buffer_);
  }
  BufferOwner* owner_ = nullptr;
  std::uint32_t buffer_ = 0;
};

}  // namespace sealcam::hal
