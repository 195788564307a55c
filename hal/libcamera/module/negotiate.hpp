// SPDX-License-Identifier: Apache-2.0
/// Negotiates format, size and orientation with a camera, and maps its frame buffers.
#pragma once

#include <libcamera/camera.h>
#include <libcamera/framebuffer.h>

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "hal/module_backends.hpp"
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

struct Agreed {
  std::unique_ptr<lib::CameraConfiguration> configuration;  ///< one stream, as the camera validated it
  Layout layout;
  Colors colors;
  std::string fourcc;
  bool exact = false;                    ///< the requested size
  std::string reason;                    ///< why this format was chosen; a sentence for the log
  std::vector<std::string> passed_over;  ///< one reason for each other format
};

/// Tries each supported format at the requested size. Chooses the nearest size, then the cheapest format: NV12 and YU12
/// (need no conversion), YUYV (converted), MJPEG (decoded and converted). The camera must not stream. Errors:
/// unsupported (no such format, or no such flip), device_lost.
[[nodiscard]] Result<Agreed> negotiate(lib::Camera& camera, const LibcameraConfig& config,
                                       lib::Orientation orientation);

/// FrameSource::format_id().
[[nodiscard]] std::string id_of(const lib::Camera& camera, std::string_view fourcc);

/// Returns Rotate0 without a flip.
[[nodiscard]] lib::Orientation orientation_of(bool hflip, bool vflip) noexcept;
/// Whether the camera can flip pictures. Also true for pipelines that ignore the orientation.
[[nodiscard]] bool can_flip(lib::Camera& camera);

/// The supported formats, such as "NV12".
[[nodiscard]] std::span<const std::string_view> known_formats() noexcept;
/// All video formats of the camera.
[[nodiscard]] std::vector<OfferedFormat> offered_formats(lib::Camera& camera);

}  // namespace sealcam::hal::libcamera
