// SPDX-License-Identifier: Apache-2.0
/// What a finished request says about its picture, and the order of pictures. Logic only.
#pragma once

#include <libcamera/framebuffer.h>

#include <cstdint>
#include <optional>
#include <span>

#include "core/clock.hpp"
#include "core/strong.hpp"

namespace sealcam::hal::libcamera {

namespace lib = ::libcamera;

struct Report {
  enum class Kind : std::uint8_t {
    good,
    damaged,
    none,  ///< not a picture: cancelled, or one of the first that a pipeline says nobody should look at
  };
  Kind kind = Kind::good;
  std::uint32_t sequence = 0;
  std::uint64_t stamp = 0;  ///< ns
  std::size_t used = 0;     ///< bytes of the first plane
};

/// `needed`: bytes that a whole picture has in each plane, empty where it is compressed. `sensor_time`: the request's
/// SensorTimestamp; `request`: the request's own number. libcamera 0.4's virtual pipeline leaves a buffer's report as
/// it finds it: no bytes, and a time that has nothing to do with the sensor's. The request's numbers are used then.
[[nodiscard]] Report report_of(const lib::FrameBuffer& buffer, std::span<const std::size_t> needed,
                               std::optional<std::int64_t> sensor_time, std::uint32_t request);

/// Makes both fit FrameSource's promise: they only grow. Thread-bound.
class Order {
 public:
  /// `start`: when streaming began.
  explicit Order(MonotonicTime start) : last_(start) {}
  /// The sensor's time is the boot's clock by libcamera's word and the monotonic one in its pipelines; they part when a
  /// machine sleeps. One from the future, or far behind the picture before, is worth nothing and `now` is taken; one
  /// that is merely old stays old.
  [[nodiscard]] MonotonicTime time(std::uint64_t stamp, MonotonicTime now) noexcept;
  /// 0 for the first one, then as far apart as the camera counts, over the wrap of 2^32.
  [[nodiscard]] FrameNumber number(std::uint32_t sequence) noexcept;
  /// A picture was left out on purpose, which is no gap.
  void pass() noexcept { ++passed_; }
  /// Pictures were lost that the camera did not count.
  void lose(std::uint32_t pictures) noexcept { number_ += pictures; }

 private:
  MonotonicTime last_;
  std::optional<std::uint32_t> sequence_;
  std::uint32_t number_ = 0;
  std::uint32_t passed_ = 0;
};

}  // namespace sealcam::hal::libcamera
