// SPDX-License-Identifier: Apache-2.0
/// Pictures from a V4L2 device: webcams, sensors that need no libcamera, and the kernel's vivid.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "base/log.hpp"
#include "hal/frame_source.hpp"
#include "hal/h264.hpp"
#include "hal/v4l2/device.hpp"
#include "hal/v4l2/negotiate.hpp"
#include "hal/v4l2/stream.hpp"

namespace sealcam::hal::v4l2 {

struct V4l2Config {
  std::string device = "auto";      ///< auto, or the path of a node
  std::filesystem::path folder{};   ///< the folder with the nodes, for auto
  Size size{1920, 1080};            ///< the nearest size of the device is used
  double rate = 0;                  ///< pictures per second; 0: the nearest to 30
  std::string format{};             ///< V4L2's four characters; empty: the best format (choose())
  std::uint32_t buffers = 4;        ///< more if the driver needs more
  std::vector<Setting> controls{};  ///< set before streaming starts
  /// FrameSource::format_id() of formats to avoid. Ignored for a configured format, and if the device has no other.
  std::vector<std::string> unusable{};
  bool encoded = true;  ///< false excludes H.264, also if it is configured or the only format
};

/// README.md lists the quirks of drivers that this class hides. Pictures lease the driver's buffers. H264Splitter makes
/// the pictures of H.264. The size of a compressed picture is that in its own header. While all buffers are leased,
/// next() returns timeout. After device_lost, each call returns device_lost. Thread-bound.
class V4l2Source final : public FrameSource, private BufferOwner {
 public:
  /// Clock and log must outlive the source. Logs the chosen mode with the reason, and the next step after a failure.
  /// Errors: not_found (no such node, sensor or control), permission, unsupported (not a sensor, or no usable format),
  /// invalid_argument (value of a control), device_lost, no_memory, exhausted (the USB bus has no bandwidth left for
  /// any format), io (another program uses the device).
  [[nodiscard]] static Result<std::unique_ptr<V4l2Source>> open(const V4l2Config& config, const Clock& clock, Log& log,
                                                                const DeviceOpener& opener = open_device);
  /// The first half of open(). Its not_found means that there is no sensor, while not_found of open() may also mean a
  /// control. Logs why a device is not a sensor. Errors: not_found, permission, unsupported, device_lost, io.
  [[nodiscard]] static Result<OpenSensor> find(const V4l2Config& config, Log& log,
                                               const DeviceOpener& opener = open_device);
  /// The second half of open(). Clock, log and errors as above.
  [[nodiscard]] static Result<std::unique_ptr<V4l2Source>> open(OpenSensor sensor, const V4l2Config& config,
                                                                const Clock& clock, Log& log);
  ~V4l2Source() override;

 private:
  V4l2Source(OpenSensor sensor, const Clock& clock, Log& log);
  Result<> start(const V4l2Config& config);
  Result<> agree(const V4l2Config& config);
  Result<> apply(std::span<const Setting> settings);
  void prepare_encoder();

  void give_back(std::uint32_t buffer) noexcept override;
  [[nodiscard]] bool queue(std::uint32_t buffer) noexcept;
  void queue_again() noexcept;
  Result<Filled> wait_for_buffer(MonotonicTime deadline);
  Result<std::optional<Picture>> make_picture(const Filled& filled);
  Result<bool> split(Picture& picture, std::uint32_t buffer);
  void place_unit(Picture& picture);
  std::unexpected<Error> lost(const Error& error) noexcept;
  void warn_of_timestamps();

  Result<Picture> do_next(std::chrono::milliseconds timeout) override;
  [[nodiscard]] Size do_size() const override { return negotiated_.layout.size; }
  [[nodiscard]] PixelFormat do_format() const override { return negotiated_.layout.format.format; }
  [[nodiscard]] Colors do_colors() const override { return negotiated_.layout.colors; }
  [[nodiscard]] double do_rate() const override { return negotiated_.rate; }
  [[nodiscard]] std::string do_describe() const override;
  [[nodiscard]] std::string do_format_id() const override { return id_of(negotiated_.layout.format.fourcc); }
  [[nodiscard]] std::string id_of(std::string_view fourcc) const;
  SourceControls* do_controls() override { return controls_ ? &*controls_ : nullptr; }

  const Clock& clock_;
  Log& log_;
  std::string path_;
  Identity identity_;
  std::unique_ptr<V4l2Device> device_;
  Negotiated negotiated_;
  std::optional<V4l2Controls> controls_;
  std::optional<TimestampNormalizer> timestamps_;
  std::vector<MonotonicTime> queued_;  // when the driver received each buffer
  std::vector<bool> rejected_;         // buffers that the driver has not taken back yet
  std::vector<std::uint32_t> leases_;  // pictures that lease each buffer
  std::vector<Bytes> scratch_;         // one per buffer: changed access units
  H264Splitter splitter_;
  struct {
    std::span<const H264Splitter::Unit> units;  // of the newest buffer, from the next one to return
    std::uint32_t buffer = 0;
    FrameNumber number;      // of the next one
    MonotonicTime captured;  // of the last one
    std::chrono::nanoseconds distance{};
  } pending_;
  std::uint32_t extra_pictures_ = 0;  // pictures minus buffers, modulo 2^32
  std::chrono::nanoseconds interval_{};
  MonotonicTime last_captured_;
  bool warned_ = false;
  bool lost_ = false;
  std::optional<Stream> stream_;  // last: it ends before the device is closed
};

}  // namespace sealcam::hal::v4l2
