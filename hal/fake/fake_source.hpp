// SPDX-License-Identifier: Apache-2.0
/// A moving test picture. Its frame number and camera can be read back from the pixels.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "hal/fake/picture_mark.hpp"
#include "hal/frame_pacer.hpp"
#include "hal/frame_source.hpp"

namespace sealcam::hal::fake {

struct FakeConfig {
  Size size{1920, 1080};
  double rate = 30;                      ///< pictures per second, above 0, at most 1000
  std::uint16_t camera = 0;              ///< drawn into each picture (picture_mark.hpp)
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
