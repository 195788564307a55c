// SPDX-License-Identifier: Apache-2.0
/// Pictures from one camera of libcamera.
#pragma once

#include <libcamera/framebuffer_allocator.h>
#include <libcamera/request.h>

#include <memory>
#include <optional>
#include <vector>

#include "hal/libcamera/module/cameras.hpp"
#include "hal/libcamera/module/frame_order.hpp"
#include "hal/libcamera/module/negotiate.hpp"
#include "hal/module_backends.hpp"

namespace sealcam::hal::libcamera {

/// README.md lists the quirks of pipelines that this class hides. Each buffer belongs to one request. Thread-bound;
/// libcamera's thread uses only `completions_`.
class LibcameraSource final : public FrameSource, private BufferOwner {
 public:
  /// As LibcameraBackend::open().
  [[nodiscard]] static Result<std::unique_ptr<LibcameraSource>> open(const Manager& manager,
                                                                     const LibcameraConfig& config, const Clock& clock,
                                                                     Log& log);
  ~LibcameraSource() override;

 private:
  LibcameraSource(AcquiredCamera camera, const Clock& clock, Log& log);
  Result<> start(const LibcameraConfig& config);
  Result<Fixed> agree(const LibcameraConfig& config);
  Result<> allocate();
  Result<> begin(const LibcameraConfig& config, Fixed fixed);
  Result<> apply(std::span<const Setting> settings);
  void connect();

  Result<Picture> do_next(std::chrono::milliseconds timeout) override;
  Result<> keep_rate(MonotonicTime deadline);
  Result<std::optional<Picture>> make_picture(std::uint32_t index);
  void give_back(std::uint32_t buffer) noexcept override;
  void queue(std::uint32_t index) noexcept;

  [[nodiscard]] Size do_size() const override { return agreed_.layout.size; }
  [[nodiscard]] PixelFormat do_format() const override { return agreed_.layout.format; }
  [[nodiscard]] Colors do_colors() const override { return agreed_.colors; }
  [[nodiscard]] double do_rate() const override { return rate_; }
  [[nodiscard]] std::string do_describe() const override;
  [[nodiscard]] std::string do_format_id() const override { return id_of(*camera_.shared(), agreed_.fourcc); }
  SourceControls* do_controls() override { return controls_ ? &*controls_ : nullptr; }

  const Clock& clock_;
  Log& log_;
  AcquiredCamera camera_;
  Agreed agreed_;
  double rate_ = 0;
  std::optional<LibcameraControls> controls_;
  std::optional<lib::FrameBufferAllocator> allocator_;
  std::vector<MappedBuffer> buffers_;
  std::vector<std::unique_ptr<lib::Request>> requests_;  // one per buffer
  std::vector<MonotonicTime> queued_;                    // when libcamera received each request
  std::shared_ptr<Completions> completions_;             // shared with slots that may still run
  std::optional<FrameRateLimiter> limiter_;
  std::optional<FrameOrder> order_;
  bool streaming_ = false;
  int canceled_ = 0;  // in a row
};

}  // namespace sealcam::hal::libcamera
