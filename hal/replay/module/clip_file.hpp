// SPDX-License-Identifier: Apache-2.0
/// The bytes of a recording, for libavformat, and where and how its pictures appear in the pictures of the source.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <stop_token>

#include "base/bytes.hpp"
#include "base/file.hpp"
#include "base/result.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal::replay {

/// One of the eight orientations of a rectangle. It is applied in the order of the members.
struct Orientation {
  bool transposed = false;  ///< columns become rows
  bool mirror_x = false, mirror_y = false;
  friend bool operator==(const Orientation&, const Orientation&) = default;
};

/// Of a display matrix (ISO/IEC 14496-12, clause 6.2.2), as FFmpeg stores it. Other angles become the nearest multiple
/// of 90 degrees.
[[nodiscard]] Orientation orientation_of(std::span<const std::int32_t, 9> matrix) noexcept;

/// Pixels that are not shown on each side, before the picture is oriented.
struct Cropping {
  std::size_t top = 0, bottom = 0, left = 0, right = 0;
};

/// Even numbers of pixels.
struct Rectangle {
  int left = 0, top = 0;
  Size size;
  friend bool operator==(const Rectangle&, const Rectangle&) = default;
};

/// The largest rectangle in the middle of `frame` with the shape width:height. `width` and `height` may exceed `int`
/// when a pixel is not square.
[[nodiscard]] Rectangle fit(double width, double height, Size frame) noexcept;

/// One plane, 8 bits per sample.
struct SamplePlane {
  const std::uint8_t* data;
  std::ptrdiff_t stride;
};

/// Writes a width x height area with the oriented samples of `from`, which is height x width if it is transposed.
void orient(const SamplePlane& from, const Orientation& orientation, int width, int height, std::uint8_t* to,
            std::ptrdiff_t stride) noexcept;

}  // namespace sealcam::hal::replay

struct AVIOContext;

namespace sealcam::hal::replay {

/// Reads without blocking, so that a stop ends each read within 100 ms, also of a FIFO that nothing writes to.
/// Thread-bound.
class ClipFile {
 public:
  /// Errors: not_found, permission, invalid_argument (a folder), malformed (empty), no_memory, io.
  [[nodiscard]] static Result<std::unique_ptr<ClipFile>> open(const std::filesystem::path& path, std::stop_token stop);
  ClipFile(const ClipFile&) = delete;
  ClipFile& operator=(const ClipFile&) = delete;
  ~ClipFile();

  /// Lives as long as this object.
  [[nodiscard]] AVIOContext* io() const noexcept { return io_; }
  /// Whether it can be read again from the start. False for a FIFO.
  [[nodiscard]] bool seekable() const noexcept { return seekable_; }
  /// Ends reads from now on.
  void set_stop(std::stop_token stop) noexcept { stop_ = std::move(stop); }
  [[nodiscard]] bool stopped() const noexcept { return stop_.stop_requested(); }
  /// Continues at the first byte. Errors: io.
  [[nodiscard]] Result<> rewind();

 private:
  ClipFile(UniqueFd fd, bool seekable, std::stop_token stop);
  static int read(void* self, std::uint8_t* out, int size) noexcept;
  static std::int64_t seek(void* self, std::int64_t offset, int whence) noexcept;

  UniqueFd fd_;
  bool seekable_;
  std::stop_token stop_;
  AVIOContext* io_ = nullptr;
};

}  // namespace sealcam::hal::replay
