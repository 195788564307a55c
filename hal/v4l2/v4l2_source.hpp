// SPDX-License-Identifier: Apache-2.0
/// Pictures from a V4L2 device: webcams, sensors whose driver does everything in the kernel, the kernel's vivid.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "core/log.hpp"
#include "hal/frame_source.hpp"
#include "hal/h264_headers.hpp"
#include "hal/v4l2/controls.hpp"
#include "hal/v4l2/device.hpp"
#include "hal/v4l2/discover.hpp"
#include "hal/v4l2/negotiate.hpp"
#include "hal/v4l2/stamps.hpp"
#include "hal/v4l2/stream.hpp"

namespace sealcam::hal::v4l2 {

struct V4l2Config {
  std::string device = "auto";      ///< auto, or the path of a node
  std::filesystem::path folder{};   ///< where auto looks for nodes
  Size size{1920, 1080};            ///< the nearest one that there is is taken
  double rate = 0;                  ///< pictures per second; 0: 30, or what is nearest to it
  std::string format{};             ///< V4L2's four characters; empty: the best for the camera (choose.hpp)
  std::uint32_t buffers = 4;        ///< the driver may want more
  std::vector<Setting> controls{};  ///< made before streaming starts
};

/// README.md says which quirks of drivers end here. Pictures lease the driver's buffers; of H.264 a picture is one
/// access unit with SPS and PPS before each key frame. While every buffer is leased next() answers timeout. After
/// device_lost it gives that for ever. Thread-bound.
class V4l2Source final : public FrameSource, private BufferOwner {
 public:
  /// Clock and log must outlive the source. What was chosen and why, and what to do about a failure, is logged.
  /// Errors: not_found (no such node, no sensor, a control that it has not), permission, unsupported (no sensor, no
  /// format that can be used), invalid_argument (value of a control), device_lost, no_memory, io (in use by another
  /// program).
  [[nodiscard]] static Result<std::unique_ptr<V4l2Source>> open(const V4l2Config& config, const Clock& clock, Log& log,
                                                                const DeviceOpener& opener = open_device);
  /// The two halves of open(), for a caller who has something else to take where there is no sensor: not_found of
  /// find() says that, not_found of open() may be a control. Which device it is, which is logged where it is none.
  /// Errors: not_found, permission, unsupported, device_lost, io.
  [[nodiscard]] static Result<OpenSensor> find(const V4l2Config& config, Log& log,
                                               const DeviceOpener& opener = open_device);
  /// What was found, by the rest of the configuration. Clock, log and errors as above.
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
  void queue_again() noexcept;
  Result<Filled> wait_for_buffer(MonotonicTime deadline);
  Result<std::optional<Picture>> make_picture(const Filled& filled);
  Result<bool> complete(Picture& picture, std::uint32_t buffer);
  std::unexpected<Error> lost(const Error& error) noexcept;
  void warn_of_stamps();

  Result<Picture> do_next(std::chrono::milliseconds timeout) override;
  [[nodiscard]] Size do_size() const override { return negotiated_.layout.size; }
  [[nodiscard]] PixelFormat do_format() const override { return negotiated_.layout.format.format; }
  [[nodiscard]] double do_rate() const override { return negotiated_.rate; }
  [[nodiscard]] std::string do_describe() const override;
  SourceControls* do_controls() override { return controls_ ? &*controls_ : nullptr; }

  const Clock& clock_;
  Log& log_;
  std::string path_;
  Identity identity_;
  std::unique_ptr<V4l2Device> device_;
  Negotiated negotiated_;
  std::optional<V4l2Controls> controls_;
  std::optional<Stamps> stamps_;
  std::vector<bool> refused_;   // buffers that the driver did not take back yet
  std::vector<Bytes> scratch_;  // one for each buffer: a key frame that was given its headers
  H264Headers headers_;
  bool warned_ = false;
  bool lost_ = false;
  std::optional<Stream> stream_;  // last: it ends before the device is closed
};

}  // namespace sealcam::hal::v4l2
