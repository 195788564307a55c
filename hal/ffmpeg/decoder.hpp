// SPDX-License-Identifier: Apache-2.0
/// Decodes H.264 with FFmpeg.
#pragma once

#include <memory>

#include "hal/ffmpeg/scaler.hpp"
#include "hal/ffmpeg/support.hpp"
#include "hal/video_codec.hpp"

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

}  // namespace sealcam::hal::ffmpeg
