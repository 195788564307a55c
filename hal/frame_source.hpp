// SPDX-License-Identifier: Apache-2.0
/// The interface of a sensor.
#pragma once

#include <chrono>
#include <string>

#include "base/result.hpp"
#include "hal/picture.hpp"
#include "hal/source_controls.hpp"

namespace sealcam::hal {

/// Pictures from one sensor, in capture order. The caller may lease at least two pictures at the same time.
/// Thread-bound: one thread calls next() and destroys the pictures.
class FrameSource {
 public:
  virtual ~FrameSource() = default;

  /// Waits up to `timeout` (> 0) for the next picture. FrameNumber and capture time never decrease.
  /// Errors: timeout (call again), corrupt_frame (call again), end_of_stream, device_lost (open the source again),
  /// unsupported (Sealcam cannot send this stream; open the source with another format).
  [[nodiscard]] Result<Picture> next(std::chrono::milliseconds timeout) {
    SC_ASSERT(timeout.count() > 0);
    return do_next(timeout);
  }

  /// Constant for the lifetime of the source. A compressed picture may have another size, see Picture::size.
  [[nodiscard]] Size size() const { return do_size(); }
  [[nodiscard]] PixelFormat format() const { return do_format(); }
  /// Colors of its pictures.
  [[nodiscard]] Colors colors() const { return do_colors(); }
  /// Pictures per second, as configured or as reported by the driver.
  [[nodiscard]] double rate() const { return do_rate(); }
  /// One line for logs: backend, device, format, size, rate.
  [[nodiscard]] std::string describe() const { return do_describe(); }
  /// Identifies device and format, for SourceConfig::unusable. Empty if the source has no choice of formats.
  [[nodiscard]] std::string format_id() const { return do_format_id(); }
  /// The sensor's settings, or null. The source owns the object.
  [[nodiscard]] SourceControls* controls() { return do_controls(); }

 private:
  virtual Result<Picture> do_next(std::chrono::milliseconds timeout) = 0;
  [[nodiscard]] virtual Size do_size() const = 0;
  [[nodiscard]] virtual PixelFormat do_format() const = 0;
  [[nodiscard]] virtual Colors do_colors() const { return {}; }
  [[nodiscard]] virtual double do_rate() const = 0;
  [[nodiscard]] virtual std::string do_describe() const = 0;
  [[nodiscard]] virtual std::string do_format_id() const { return {}; }
  [[nodiscard]] virtual SourceControls* do_controls() { return nullptr; }
};

}  // namespace sealcam::hal
