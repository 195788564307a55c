// SPDX-License-Identifier: Apache-2.0
/// H.264 decoding with FFmpeg.
#pragma once

#include <memory>

#include "hal/ffmpeg/handles.hpp"
#include "hal/video_decoder.hpp"

namespace sealcam::hal::ffmpeg {

struct DecoderConfig {
  int threads = 1;  ///< more than one decodes the slices of a picture at once and adds no delay
};

/// See VideoDecoder. Access units are checked (check_access_unit) before FFmpeg sees them. Until the first key frame,
/// and after an error until the next one, it answers without a picture. Thread-bound.
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
  FramePtr converted_;  // only for streams that are not 4:2:0
  ScalerPtr scaler_;
  bool waiting_ = true;
};

}  // namespace sealcam::hal::ffmpeg
