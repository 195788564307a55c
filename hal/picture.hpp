// SPDX-License-Identifier: Apache-2.0
/// One picture, raw or compressed, in a buffer that its source owns, and the data of the pictures that an encoder holds
/// back.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/types.hpp"

namespace sealcam::hal {

/// Names follow V4L2's fourcc codes.
enum class PixelFormat {
  yu12,   ///< planar 4:2:0, Y U V (FFmpeg: yuv420p)
  nv12,   ///< semi-planar 4:2:0, Y UV
  yuyv,   ///< packed 4:2:2, Y U Y V
  uyvy,   ///< packed 4:2:2, U Y V Y
  gray,   ///< Y only
  rgb24,  ///< packed R G B (V4L2: RGB3)
  bgr24,  ///< packed B G R (V4L2: BGR3)
  mjpeg,  ///< one JPEG image in plane 0
  h264,   ///< one H.264 access unit, Annex B, in plane 0
};

/// Bytes of a pixel of a format with one plane of samples; 0 for other formats.
[[nodiscard]] constexpr std::size_t packed_bytes(PixelFormat format) noexcept {
  switch (format) {
    case PixelFormat::gray: return 1;
    case PixelFormat::yuyv:
    case PixelFormat::uyvy: return 2;
    case PixelFormat::rgb24:
    case PixelFormat::bgr24: return 3;
    case PixelFormat::yu12:
    case PixelFormat::nv12:
    case PixelFormat::mjpeg:
    case PixelFormat::h264: break;
  }
  return 0;
}

/// How the samples of a picture become colors: code points of ITU-T H.273, which H.264 (clause E.2.1) and FFmpeg also
/// use. The default is YCbCr of BT.601 with limited range and primaries of BT.709, as most sensors deliver it.
struct Colors {
  static constexpr std::uint8_t unspecified = 2;
  static constexpr std::uint8_t rgb = 0, bt709 = 1, bt601 = 6, bt2020 = 9;  ///< values of `matrix`

  std::uint8_t primaries = 1;
  std::uint8_t transfer = 1;
  std::uint8_t matrix = bt601;
  bool full_range = false;  ///< 0 to 255 instead of 16 to 235
  friend bool operator==(const Colors&, const Colors&) = default;
};

/// Limits of pictures and streams, for configurations, commands and back-ends.
inline constexpr int min_side = 32, max_side = 4096;  ///< pixels; sides are even
/// The largest picture of H.264 level 5.2: 36,864 macroblocks (table A-1). Browsers decode no larger ones.
inline constexpr int max_pixels = 36'864 * 256;
inline constexpr BitsPerSecond min_bitrate{25'000}, max_bitrate{25'000'000};
inline constexpr std::string_view size_rule = "even numbers from 32 to 4096, and at most 9,437,184 pixels";

/// Width and height in pixels.
struct Size {
  int width = 0;
  int height = 0;
  friend bool operator==(const Size&, const Size&) = default;
};

/// Both sides are even, and sides and pixels are within the limits.
[[nodiscard]] constexpr bool is_valid(Size s) noexcept {
  const auto good = [](int n) { return n >= min_side && n <= max_side && n % 2 == 0; };
  return good(s.width) && good(s.height) && s.width * s.height <= max_pixels;
}

/// A block of an encoder has 16 pixels on each axis. Whether `coded` is `size` in whole blocks, so that the pixels
/// after `size` have no content.
[[nodiscard]] constexpr bool is_padded(Size coded, Size size) noexcept {
  const auto fits = [](int n, int to) { return n == to || (n > to && n == (to + 15) / 16 * 16); };
  return fits(coded.width, size.width) && fits(coded.height, size.height);
}

struct Plane {
  const std::byte* data = nullptr;
  std::size_t stride = 0;  ///< bytes from one row to the next; for mjpeg and h264 the number of bytes
};

/// Gets a leased buffer back. It is called once per picture, on the thread that destroys the picture.
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
      colors = other.colors;
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
  std::array<Plane, 3> planes{};  ///< the format defines how many are used
  Colors colors;                  ///< mjpeg, h264: as the driver reports them; the bytes may contain others
  FrameNumber number;             ///< 0 for the first picture after open(); a gap means that the driver lost pictures
  MonotonicTime captured;         ///< when the sensor took it
  bool keyframe = false;          ///< h264 only: the access unit has an IDR slice

 private:
  void release() noexcept {
    if (owner_ != nullptr) std::exchange(owner_, nullptr)->give_back(buffer_);
  }
  BufferOwner* owner_ = nullptr;
  std::uint32_t buffer_ = 0;
};

/// `picture` has the size that the driver reported, and in plane 0 the bytes that the sensor delivered. Moves the plane
/// to the start of image, which some sensors precede with other bytes. Sets the size from the frame header, because
/// some drivers report another one; odd sides lose one pixel. A picture that is only padded to whole blocks keeps the
/// driver's size, and the decoder crops it. Reentrant. Allocates nothing. Errors: corrupt_frame.
[[nodiscard]] Result<> adopt_jpeg(Picture& picture) noexcept;

/// Keeps one value per picture, from the call that passes the picture to an encoder until the encoder returns its
/// access unit. Keys grow by small steps, so that the key modulo the capacity is a free place. A picture that the
/// encoder dropped is overwritten after one round. Never allocates. Thread-bound.
template <class T>
class PictureRing {
 public:
  /// No encoder holds back more pictures. FFmpeg's V4L2 wrapper has 16 buffers on each side.
  static constexpr std::size_t capacity = 64;

  void put(std::uint64_t key, const T& value) noexcept { places_[key % capacity] = {key, value, true}; }
  /// Removes the value of `key`. Returns nothing if the ring does not have it.
  [[nodiscard]] std::optional<T> take(std::uint64_t key) noexcept {
    Place& place = places_[key % capacity];
    if (!place.used || place.key != key) return std::nullopt;
    place.used = false;
    return place.value;
  }
  void clear() noexcept {
    for (Place& place : places_) place.used = false;
  }

 private:
  struct Place {
    std::uint64_t key = 0;
    T value{};
    bool used = false;
  };
  std::array<Place, capacity> places_{};
};

}  // namespace sealcam::hal
