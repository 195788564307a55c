// SPDX-License-Identifier: Apache-2.0
/// H.264 encoding with FFmpeg: in hardware through V4L2, or with x264 or OpenH264.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "core/log.hpp"
#include "hal/ffmpeg/converter.hpp"
#include "hal/ffmpeg/handles.hpp"
#include "hal/video_encoder.hpp"

namespace sealcam::hal::ffmpeg {

/// See VideoEncoder. The configured format (yu12, nv12) goes in without a copy, others are converted. Every key
/// frame has SPS and PPS, also from encoders that write them once. Thread-bound.
class FfmpegEncoder final : public VideoEncoder {
 public:
  /// "auto" tries h264_v4l2m2m, libx264, libopenh264, and logs which it took and why not the ones before.
  /// Errors: invalid_argument (the message says what), not_found (no such encoder here), unsupported (also what is
  /// beyond the board's encoder), no_memory.
  [[nodiscard]] static Result<std::unique_ptr<FfmpegEncoder>> open(const EncoderConfig& config, Log& log);

 private:
  FfmpegEncoder(const EncoderConfig& config, Converter converter) : config_(config), converter_(std::move(converter)) {}
  static Result<std::unique_ptr<FfmpegEncoder>> open_one(const EncoderConfig& config, const char* name);
  Result<> start(const char* name);
  void apply_bitrate(BitsPerSecond bitrate) noexcept;

  Result<std::optional<AccessUnit>> do_encode(const Picture& picture) override;
  void do_request_keyframe() override { keyframe_wanted_ = true; }
  Result<> do_set_bitrate(BitsPerSecond bitrate) override;
  [[nodiscard]] std::string do_name() const override { return config_.codec; }

  Result<AVFrame*> input_frame(const Picture& picture);
  Result<> send(AVFrame& frame, FrameNumber number);
  Result<std::optional<AccessUnit>> receive();
  Result<AccessUnit> finish_keyframe(ByteView bytes, FrameNumber number);
  void keep_parameter_sets(ByteView bytes);

  /// How many pictures an encoder may hold back; FFmpeg's V4L2 wrapper has 16 buffers on each side.
  static constexpr std::size_t max_delay = 64;

  EncoderConfig config_;  // codec is the one chosen
  Converter converter_;
  CodecPtr context_;
  PacketPtr packet_;
  FramePtr frame_;  // views the picture's planes
  std::int64_t sequence_ = 0;
  std::array<FrameNumber, max_delay> numbers_{};  // by sequence modulo max_delay
  bool keyframe_wanted_ = false;
  bool broken_ = false;
  Bytes parameter_sets_;  // SPS and PPS with start codes, as last seen
  Bytes keyframe_;        // a key frame that needed them added
};

}  // namespace sealcam::hal::ffmpeg
