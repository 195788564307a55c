// SPDX-License-Identifier: Apache-2.0
/// Decodes H.264 and encodes JPEG (ITU-T T.81, JFIF) for stills; encodes H.264 with a V4L2 hardware encoder, x264 or
/// OpenH264. All with FFmpeg.
#pragma once

#include <memory>
#include <vector>

#include "base/log.hpp"
#include "hal/ffmpeg/converter.hpp"
#include "hal/ffmpeg/support.hpp"
#include "hal/media.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal::ffmpeg {

struct DecoderConfig {
  int threads = 1;  ///< threads decode slices in parallel and add no delay
};

/// Checks access units with check_access_unit() before FFmpeg reads them. Returns no picture before the first key
/// frame, and after an error until the next key frame. Thread-bound.
class FfmpegDecoder final : public VideoDecoder {
 public:
  /// Errors: unsupported (this FFmpeg has no H.264 decoder), no_memory.
  [[nodiscard]] static Result<std::unique_ptr<FfmpegDecoder>> open(const DecoderConfig& config = {});

 private:
  FfmpegDecoder() = default;
  Result<std::optional<Picture>> do_decode(ByteView access_unit) override;
  Result<> feed(ByteView access_unit);
  Result<Picture> as_picture();

  CodecPtr context_;
  PacketPtr packet_;
  FramePtr frame_;
  FramePtr converted_;  // for streams other than 4:2:0
  Scaler scaler_;
  bool waiting_ = true;
};

/// Encodes pictures of one size. Converts them to the colors of JFIF: BT.601 with full range. Thread-bound.
class JpegEncoder {
 public:
  /// Errors: unsupported (this FFmpeg has no JPEG encoder), no_memory.
  [[nodiscard]] static Result<std::unique_ptr<JpegEncoder>> open(Size size);

  /// `picture`: YU12 of that size. The bytes are valid until the next call. Errors: unsupported, no_memory, io.
  [[nodiscard]] Result<ByteView> encode(const Picture& picture);

 private:
  explicit JpegEncoder(Size size) : size_(size) {}

  Size size_;
  CodecPtr context_;
  PacketPtr packet_;
  FramePtr view_;  // the picture's planes
  FramePtr full_;  // the picture in the colors of JFIF
  Scaler scaler_;
};

/// Pictures of the configured format (yu12, nv12) and size are not copied, unless there are masks; others are
/// converted. It adds SPS and PPS to each key frame if the encoder writes them only once, and colors to SPS if the
/// encoder does not write them. Thread-bound.
class FfmpegEncoder final : public VideoEncoder {
 public:
  /// "auto" tries h264_v4l2m2m, libx264, libopenh264. Logs the result and why earlier encoders failed.
  /// Errors: invalid_argument (with the name of the setting), not_found (no such encoder), unsupported (also settings
  /// beyond the limits of the board's encoder), no_memory.
  [[nodiscard]] static Result<std::unique_ptr<FfmpegEncoder>> open(const EncoderConfig& config, Log& log);

 private:
  FfmpegEncoder(const EncoderConfig& config, Converter converter) : config_(config), converter_(std::move(converter)) {}
  static Result<std::unique_ptr<FfmpegEncoder>> open_one(const EncoderConfig& config, const char* name);
  Result<> start(const char* name);
  void apply_bitrate(BitsPerSecond bitrate, double rate, std::chrono::milliseconds vbv) noexcept;

  Result<std::optional<AccessUnit>> do_encode(const Picture& picture) override;
  void do_request_keyframe() override { keyframe_requested_ = true; }
  Result<> do_set_bitrate(BitsPerSecond bitrate, double rate, std::chrono::milliseconds vbv) override;
  void do_set_masks(std::span<const PictureArea> masks) override { masks_ = FewAreas(masks); }
  [[nodiscard]] Luma do_luma() const noexcept override;
  [[nodiscard]] std::string do_name() const override { return config_.codec; }

  Result<AVFrame*> input_frame(const Picture& picture);
  Result<> send(AVFrame& frame, FrameNumber number);
  Result<std::optional<AccessUnit>> receive();
  Result<AccessUnit> finish_keyframe(ByteView bytes, FrameNumber number);
  void keep_parameter_sets(ByteView bytes);

  EncoderConfig config_;  // `codec` is the chosen encoder
  Converter converter_;
  CodecPtr context_;
  PacketPtr packet_;
  FramePtr frame_;            // views the picture's planes
  AVFrame* input_ = nullptr;  // of the last picture: `frame_`, or that of the converter
  FewAreas masks_;
  std::int64_t sequence_ = 0;
  PictureRing<FrameNumber> numbers_;  // by sequence
  bool keyframe_requested_ = false;
  bool broken_ = false;
  Bytes parameter_sets_;  // the last SPS and PPS with start codes and colors
  Bytes found_;
  Bytes keyframe_;  // a key frame with added parameter sets
};

}  // namespace sealcam::hal::ffmpeg
