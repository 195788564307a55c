// SPDX-License-Identifier: Apache-2.0
/// Decodes H.264, and encodes JPEG (ITU-T T.81, JFIF) for stills, with FFmpeg.
#pragma once

#include <memory>

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

}  // namespace sealcam::hal::ffmpeg
