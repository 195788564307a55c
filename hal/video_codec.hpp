// SPDX-License-Identifier: Apache-2.0
/// The interfaces of an H.264 encoder and decoder.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/types.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal {

/// Limits of a board's hardware encoder, from the board's data, because its driver does not report them.
struct EncoderLimits {
  int min_side = hal::min_side, max_side = hal::max_side;  ///< pixels, both axes
  BitsPerSecond min_bitrate = hal::min_bitrate, max_bitrate = hal::max_bitrate;
  std::size_t max_unit_above_720p = 0;  ///< bytes of an access unit of pictures above 1280x720; 0: no limit
};

struct EncoderConfig {
  std::string codec = "auto";  ///< auto, h264_v4l2m2m, libx264, libopenh264
  Size size;
  Size picture{};  ///< of the pictures, if the encoder must scale them to `size`; empty: the same
  PixelFormat format = PixelFormat::yu12;           ///< of most pictures; yu12 and nv12 are not copied
  Colors colors{};                                  ///< of most pictures; the stream contains them (VUI)
  double rate = 30;                                 ///< pictures per second, 1 … 120
  BitsPerSecond bitrate = limits::default_bitrate;  ///< from min_bitrate to max_bitrate
  std::chrono::milliseconds vbv{500};  ///< size of the VBV buffer in time at `bitrate`; limits the size of a burst
  int keyframe_interval = 60;          ///< pictures, 1 … 600; the maximum length of a group of pictures
  int threads = 0;                     ///< 0: one per core, at most 4; threads add slices, not delay
  bool hardware = true;                ///< whether "auto" may use a hardware encoder
  std::optional<EncoderLimits> hardware_limits =
      std::nullopt;  ///< of the hardware encoder; none: the driver reports them
};

/// One H.264 access unit, Annex B, decodable in order; no B-frames.
struct AccessUnit {
  ByteView bytes;         ///< valid until the next call
  FrameNumber number;     ///< of the encoded picture
  bool keyframe = false;  ///< IDR, and SPS and PPS precede it
};

/// Encodes pictures. In steady state Sealcam's code allocates nothing. Thread-bound.
class VideoEncoder {
 public:
  virtual ~VideoEncoder() = default;

  /// Encodes one picture of the configured size, in any format but h264, and converts it to the size and the colors of
  /// the stream. The colors are the configured ones, but RGB and JPEG become BT.601 with limited range. The caller may
  /// destroy the picture afterwards. Software encoders return its access unit at once. A hardware encoder may return
  /// the unit of an earlier picture, or none yet. Errors: malformed (a JPEG that does not decode; go on with the next
  /// picture), invalid_argument (size or format), device_lost (open a new encoder), io.
  [[nodiscard]] Result<std::optional<AccessUnit>> encode(const Picture& picture) { return do_encode(picture); }

  /// The next picture becomes a key frame.
  void request_keyframe() { do_request_keyframe(); }

  /// Takes effect with the next picture, if possible without a new key frame. `rate`: pictures per second that the
  /// caller encodes from now on, at most the configured rate; 0: the configured one. `vbv`: as in EncoderConfig; 0: the
  /// configured one. Errors: unsupported (open a new encoder), invalid_argument.
  [[nodiscard]] Result<> set_bitrate(BitsPerSecond bitrate, double rate = 0,
                                     std::chrono::milliseconds vbv = std::chrono::milliseconds(0)) {
    SC_ASSERT(rate >= 0 && vbv.count() >= 0);
    return do_set_bitrate(bitrate, rate, vbv);
  }

  /// The codec's name, such as "libx264".
  [[nodiscard]] std::string name() const { return do_name(); }

 private:
  virtual Result<std::optional<AccessUnit>> do_encode(const Picture& picture) = 0;
  virtual void do_request_keyframe() = 0;
  virtual Result<> do_set_bitrate(BitsPerSecond bitrate, double rate, std::chrono::milliseconds vbv) = 0;
  [[nodiscard]] virtual std::string do_name() const = 0;
};

/// Decodes access units to YU12 pictures. Callers pass only verified units. Thread-bound.
class VideoDecoder {
 public:
  virtual ~VideoDecoder() = default;

  /// Decodes one access unit (Annex B), without delay if the stream has no B-frames. The planes are valid until the
  /// next call; number and captured are not set, colors are. Errors: malformed (the decoder then needs a key frame),
  /// no_memory.
  [[nodiscard]] Result<std::optional<Picture>> decode(ByteView access_unit) { return do_decode(access_unit); }

 private:
  virtual Result<std::optional<Picture>> do_decode(ByteView access_unit) = 0;
};

}  // namespace sealcam::hal
