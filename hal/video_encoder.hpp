// SPDX-License-Identifier: Apache-2.0
/// The seam to an H.264 encoder.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "core/result.hpp"
#include "core/strong.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal {

/// What a board's own encoder takes where its driver does not say it; from the board's data.
struct EncoderLimits {
  int min_side = 32, max_side = 4096;  ///< pixels, both axes
  BitsPerSecond min_bitrate{25'000}, max_bitrate{25'000'000};
  std::size_t largest_unit_above_720p = 0;  ///< bytes of an access unit of pictures above 1280x720; 0: any
};

struct EncoderConfig {
  std::string codec = "auto";  ///< auto, h264_v4l2m2m, libx264, libopenh264
  Size size;
  PixelFormat format = PixelFormat::yu12;  ///< what most pictures come in; yu12 and nv12 are then taken without a copy
  double rate = 30;                        ///< pictures per second, 1 … 120
  BitsPerSecond bitrate{2'000'000};        ///< 25 kbit/s … 25 Mbit/s
  std::chrono::milliseconds vbv{500};      ///< VBV buffer in time at `bitrate`; bounds the size of a burst
  int keyframe_interval = 60;              ///< pictures, 1 … 600; the longest group of pictures
  int threads = 0;                         ///< 0: as many as there are cores, at most 4; adds slices, never delay
  bool hardware = true;                    ///< whether "auto" may take an encoder in hardware
  std::optional<EncoderLimits> hardware_limits = std::nullopt;  ///< of the encoder in hardware; none: the driver says
};

/// One H.264 access unit, Annex B, decodable in order; no B-frames.
struct AccessUnit {
  ByteView bytes;         ///< valid until the next call of the encoder
  FrameNumber number;     ///< of the picture it was made of
  bool keyframe = false;  ///< IDR, and SPS and PPS stand before it
};

/// Turns pictures into access units. Thread-bound. In steady state it allocates nothing of ours.
class VideoEncoder {
 public:
  virtual ~VideoEncoder() = default;

  /// Encodes one picture of the configured size (any format but h264; converted where needed). The
  /// picture may be given back when the call returns. Zero latency encoders answer with its access
  /// unit at once; hardware may answer with an earlier picture's or none yet.
  /// Errors: malformed (a JPEG that does not decode; go on with the next picture), invalid_argument (size or format),
  /// device_lost (open another encoder), io.
  [[nodiscard]] Result<std::optional<AccessUnit>> encode(const Picture& picture) { return do_encode(picture); }

  /// The next picture becomes a key frame.
  void request_keyframe() { do_request_keyframe(); }

  /// Takes effect with the next picture, without a new key frame where the encoder can.
  /// Errors: unsupported (the encoder must be opened anew), invalid_argument.
  [[nodiscard]] Result<> set_bitrate(BitsPerSecond bitrate) { return do_set_bitrate(bitrate); }

  /// The codec's name, such as "libx264".
  [[nodiscard]] std::string name() const { return do_name(); }

 private:
  virtual Result<std::optional<AccessUnit>> do_encode(const Picture& picture) = 0;
  virtual void do_request_keyframe() = 0;
  virtual Result<> do_set_bitrate(BitsPerSecond bitrate) = 0;
  [[nodiscard]] virtual std::string do_name() const = 0;
};

}  // namespace sealcam::hal
