// SPDX-License-Identifier: Apache-2.0
/// The interfaces of an H.264 encoder and decoder, and those that turn opened pictures into MPEG-TS for players, MP4
/// files, and JPEG for snapshots.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.hpp"
#include "base/picture_area.hpp"
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

/// The brightness of a picture: 8 bits per sample.
struct Luma {
  const std::byte* data = nullptr;  ///< null: unknown
  std::size_t stride = 0;           ///< bytes from one row to the next
  Size size;
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

  /// Paints these areas black, from the next picture on, after the picture was scaled: no access unit of it shows them.
  /// Replaces earlier areas; at most max_picture_areas. Costs a copy of pictures that need no conversion.
  void set_masks(std::span<const PictureArea> masks) {
    SC_ASSERT(masks.size() <= max_picture_areas);
    do_set_masks(masks);
  }

  /// The brightness of the picture that encode() received last, with its masks, in the size of the stream. Valid until
  /// the next call and while that picture exists. Without data if the encoder does not know it.
  [[nodiscard]] Luma luma() const noexcept { return do_luma(); }

  /// The codec's name, such as "libx264".
  [[nodiscard]] std::string name() const { return do_name(); }

 private:
  virtual Result<std::optional<AccessUnit>> do_encode(const Picture& picture) = 0;
  virtual void do_request_keyframe() = 0;
  virtual Result<> do_set_bitrate(BitsPerSecond bitrate, double rate, std::chrono::milliseconds vbv) = 0;
  virtual void do_set_masks(std::span<const PictureArea> masks) = 0;
  [[nodiscard]] virtual Luma do_luma() const noexcept { return {}; }
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

/// One H.264 access unit (Annex B) of a stream.
struct StreamUnit {
  ByteView bytes;
  std::chrono::microseconds at{0};  ///< since the start of the stream; larger than that of the previous unit
  bool key = false;                 ///< a player can start here: IDR with SPS and PPS
};

/// Writes one MPEG transport stream (ISO/IEC 13818-1) with one H.264 track, without delay. Thread-bound.
class StreamMuxer {
 public:
  virtual ~StreamMuxer() = default;
  /// Returns whole packets of 188 bytes, valid until the next call. Errors: invalid_argument (the first unit is not a
  /// key frame, or the time does not increase), malformed (not H.264), no_memory.
  [[nodiscard]] Result<ByteView> write(const StreamUnit& unit) { return do_write(unit); }

 private:
  virtual Result<ByteView> do_write(const StreamUnit& unit) = 0;
};

/// Writes one fragmented MP4 file (ISO/IEC 14496-12) with one H.264 track of one size. The first fragment contains only
/// the first picture, and each later one ends before a key frame, so that a file plays up to its last fragment. Keeps
/// one unit, because its duration is known when the next one arrives. Thread-bound.
class Mp4Muxer {
 public:
  virtual ~Mp4Muxer() = default;
  /// Returns the bytes that follow in the file, valid until the next call; empty within a fragment. The first bytes
  /// contain the first picture. Errors:
  /// invalid_argument (the first unit is not a key frame, or the time does not increase), malformed (the first unit has
  /// no parameter sets, or is not H.264), no_memory.
  [[nodiscard]] Result<ByteView> write(const StreamUnit& unit) { return do_write(unit); }
  /// Returns the rest of the file. Do not call write() afterwards. Nothing was written: returns nothing.
  [[nodiscard]] Result<ByteView> finish() { return do_finish(); }

 private:
  virtual Result<ByteView> do_write(const StreamUnit& unit) = 0;
  virtual Result<ByteView> do_finish() = 0;
};

/// Makes stills from streams. It keeps no state between calls, so that it cannot mix pictures of two cameras.
/// Thread-bound.
class StillBuilder {
 public:
  virtual ~StillBuilder() = default;
  /// Decodes one group of pictures, which starts with a key frame, and returns its last picture as a JPEG. Takes up to
  /// 5 ms per access unit of 1080p. Errors: malformed (a unit does not decode), unsupported, no_memory.
  [[nodiscard]] Result<Bytes> make(std::span<const ByteView> group) { return do_make(group); }

 private:
  virtual Result<Bytes> do_make(std::span<const ByteView> group) = 0;
};

/// Creates muxers and still builders. They must be destroyed before this object, and may be used on other threads.
/// Thread-bound.
class Media {
 public:
  virtual ~Media() = default;
  /// Errors: not_found, unsupported (the library is missing), no_memory.
  [[nodiscard]] Result<std::unique_ptr<StreamMuxer>> open_muxer() { return do_open_muxer(); }
  /// `size`: of all pictures. Errors: not_found, unsupported (the library is missing), no_memory.
  [[nodiscard]] Result<std::unique_ptr<Mp4Muxer>> open_mp4_muxer(Size size) { return do_open_mp4_muxer(size); }
  /// Errors: not_found, unsupported (the library is missing), no_memory.
  [[nodiscard]] Result<std::unique_ptr<StillBuilder>> open_still_builder() { return do_open_still_builder(); }

 private:
  virtual Result<std::unique_ptr<StreamMuxer>> do_open_muxer() = 0;
  virtual Result<std::unique_ptr<Mp4Muxer>> do_open_mp4_muxer(Size size) = 0;
  virtual Result<std::unique_ptr<StillBuilder>> do_open_still_builder() = 0;
};

}  // namespace sealcam::hal
