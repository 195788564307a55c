// SPDX-License-Identifier: Apache-2.0
/// A moving test picture. Its frame number and camera are written into the pixels, so that tests can identify a decoded
/// picture.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/types.hpp"
#include "hal/frame_source.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal::fake {

struct PictureMark {
  FrameNumber number;
  std::uint16_t camera = 0;
  friend bool operator==(const PictureMark&, const PictureMark&) = default;
};

/// A writable luma plane. Rows are `stride` bytes apart.
struct LumaPlane {
  std::byte* data = nullptr;
  std::size_t stride = 0;
  Size size;
};

/// Draws the mark: 4 rows of 16 black (16) or white (235) cells, each 1/40 of the width and 1/24 of the
/// height, one cell away from the top left corner. Row by row, most significant bit first: number (32), camera (16),
/// CRC-16/CCITT-FALSE of those six bytes (16). In a picture below 160x96, cells have fewer than 4 pixels and reading is
/// unreliable. Chroma there should be neutral.
void draw_mark(const LumaPlane& plane, const PictureMark& mark) noexcept;

/// Reads the mark of a YU12 or NV12 picture, even a scaled one. Returns nothing if a cell is neither black nor white,
/// or if the CRC is wrong.
[[nodiscard]] std::optional<PictureMark> read_mark(const Picture& picture) noexcept;

/// Draws `text` in white on black, with its top left corner at (x, y). Letters have 5x7 dots of `scale` pixels.
/// Characters other than digits and '#' are drawn as spaces. The part outside the plane is not drawn.
void draw_text(const LumaPlane& plane, int x, int y, int scale, std::string_view text) noexcept;

}  // namespace sealcam::hal::fake

namespace sealcam::hal {

/// Waits until the next picture is due. Like a sensor, it loses pictures if the caller is late by more than `depth`
/// pictures; their numbers are then missing. Thread-bound.
class FramePacer {
 public:
  struct Tick {
    FrameNumber number;
    MonotonicTime due;  ///< never in the future; the current time if not `realtime`
  };

  /// `rate`: pictures per second (> 0). Picture 0 is due at the first call of next(). If not `realtime`, each call
  /// returns the next number at once. The clock must outlive it.
  FramePacer(const Clock& clock, double rate, bool realtime, std::uint32_t depth = 4)
      : clock_(clock), rate_(rate), realtime_(realtime), depth_(depth) {}

  /// Waits up to `timeout` in real time. A FakeClock does not move meanwhile, so that the call returns the picture if
  /// it is due, and timeout otherwise. Errors: timeout.
  [[nodiscard]] Result<Tick> next(std::chrono::milliseconds timeout);

 private:
  [[nodiscard]] static FrameNumber frame_number(std::uint64_t number) noexcept {
    return FrameNumber(static_cast<std::uint32_t>(number));
  }
  [[nodiscard]] MonotonicTime due(std::uint64_t number) const;

  const Clock& clock_;
  double rate_;
  bool realtime_;
  std::uint32_t depth_;
  bool started_ = false;
  MonotonicTime start_{};
  std::uint64_t next_ = 0;  // of the picture; FrameNumber wraps
};

inline MonotonicTime FramePacer::due(std::uint64_t number) const {
  return start_ + std::chrono::nanoseconds(std::llround(static_cast<double>(number) * 1e9 / rate_));
}

inline Result<FramePacer::Tick> FramePacer::next(std::chrono::milliseconds timeout) {
  MonotonicTime now = clock_.monotonic();
  if (!realtime_) return Tick{frame_number(next_++), now};
  if (!started_) {
    started_ = true;
    start_ = now;
  }
  const MonotonicTime requested = due(next_);
  if (requested > now) {
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(requested - now, timeout));
    now = clock_.monotonic();
    if (requested > now) return fail(Errc::timeout, "waiting for a picture");
  } else if (const auto newest = std::floor(std::chrono::duration<double>(now - start_).count() * rate_);
             newest - static_cast<double>(next_) > depth_) {
    next_ = static_cast<std::uint64_t>(newest);
  }
  // Because of rounding, the picture `newest` may be due a nanosecond later.
  const Tick tick{frame_number(next_), std::min(due(next_), now)};
  ++next_;
  return tick;
}

}  // namespace sealcam::hal

namespace sealcam::hal::fake {

struct FakeConfig {
  Size size{1920, 1080};
  double rate = 30;                      ///< pictures per second, above 0, at most 1000
  std::uint16_t camera = 0;              ///< drawn into each picture (fake_source.hpp)
  bool realtime = true;                  ///< false: next() does not wait
  std::optional<std::uint32_t> count{};  ///< end_of_stream from this FrameNumber on
  std::uint32_t buffers = 4;             ///< pictures that can be leased at the same time, 2 … 64
};

/// YU12 pictures with a fixed background, a moving bar, digits and the mark. Drawing takes far less than 1 ms at 1080p.
/// In real time it loses pictures if the caller is late, as a driver does. While all buffers are leased, next() returns
/// timeout. Thread-bound.
class FakeSource final : public FrameSource, private BufferOwner {
 public:
  /// The clock must outlive the source. Errors: invalid_argument.
  [[nodiscard]] static Result<std::unique_ptr<FakeSource>> open(const FakeConfig& config, const Clock& clock);

 private:
  struct Buffer {
    Bytes bytes;
    int bar = 0;  // where its bar was drawn last
    bool leased = false;
  };

  FakeSource(const FakeConfig& config, const Clock& clock);
  void give_back(std::uint32_t buffer) noexcept override { buffers_[buffer].leased = false; }
  void paint_background();
  void draw(Buffer& buffer, FrameNumber number) const;
  void draw_bar(Buffer& buffer, FrameNumber number) const;

  Result<Picture> do_next(std::chrono::milliseconds timeout) override;
  [[nodiscard]] Size do_size() const override { return config_.size; }
  [[nodiscard]] PixelFormat do_format() const override { return PixelFormat::yu12; }
  [[nodiscard]] double do_rate() const override { return config_.rate; }
  [[nodiscard]] std::string do_describe() const override;

  FakeConfig config_;
  FramePacer pacer_;
  Bytes background_;
  std::vector<Buffer> buffers_;
};

}  // namespace sealcam::hal::fake
