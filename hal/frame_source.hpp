// SPDX-License-Identifier: Apache-2.0
/// The seam to a sensor.
#pragma once

#include <chrono>
#include <string>

#include "core/result.hpp"
#include "hal/picture.hpp"
#include "hal/source_controls.hpp"

namespace sealcam::hal {

/// Pictures from one sensor, in capture order. Thread-bound: one thread calls next() and destroys
/// the pictures. Several pictures may be leased at once, at least two.
class FrameSource {
 public:
  virtual ~FrameSource() = default;

  /// Waits at most `timeout` (> 0) for the next picture. FrameNumber and capture time only grow.
  /// Errors: timeout (call again), corrupt_frame (call again), end_of_stream, device_lost (open anew).
  [[nodiscard]] Result<Picture> next(std::chrono::milliseconds timeout) {
    SC_ASSERT(timeout.count() > 0);
    return do_next(timeout);
  }

  /// What the pictures look like; constant for the life of the source.
  [[nodiscard]] Size size() const { return do_size(); }
  [[nodiscard]] PixelFormat format() const { return do_format(); }
  /// Pictures per second as configured or reported by the driver.
  [[nodiscard]] double rate() const { return do_rate(); }
  /// One line for logs: backend, device, format, size, rate.
  [[nodiscard]] std::string describe() const { return do_describe(); }
  /// The sensor's settings, or null when it has none. It belongs to the source.
  [[nodiscard]] SourceControls* controls() { return do_controls(); }

 private:
  virtual Result<Picture> do_next(std::chrono::milliseconds timeout) = 0;
  [[nodiscard]] virtual Size do_size() const = 0;
  [[nodiscard]] virtual PixelFormat do_format() const = 0;
  [[nodiscard]] virtual double do_rate() const = 0;
  [[nodiscard]] virtual std::string do_describe() const = 0;
  [[nodiscard]] virtual SourceControls* do_controls() { return nullptr; }
};

}  // namespace sealcam::hal
