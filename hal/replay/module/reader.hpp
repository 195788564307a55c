// SPDX-License-Identifier: Apache-2.0
/// Reads the pictures of a file.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "hal/ffmpeg/converter.hpp"
#include "hal/ffmpeg/support.hpp"
#include "hal/module_backends.hpp"
#include "hal/replay/module/clip_file.hpp"

struct AVFormatContext;
struct AVStream;

namespace sealcam::hal::replay {

/// Demuxes, decodes, scales and turns pictures on the caller's thread. Skips damaged packets. Thread-bound.
class Reader {
 public:
  /// Errors: as ReplayBackend::open().
  [[nodiscard]] static Result<std::unique_ptr<Reader>> open(const ReplayConfig& config);

  /// Writes the next picture as YU12 without padding to `out` (width * height * 3/2 bytes): upright, in its shape, with
  /// black bars. Returns its time since the first picture, which never decreases. With `loop`, continues with the first
  /// picture at the end of the file. Errors: end_of_stream (also for a still, or a FIFO that ended), malformed (no
  /// picture decodes), canceled (set_stop()), unsupported, io, no_memory.
  [[nodiscard]] Result<std::chrono::nanoseconds> read(MutableBytes out);
  /// The file has only one picture. Known after end_of_stream.
  [[nodiscard]] bool is_still() const noexcept { return pictures_ == 1; }

  /// Of the configuration, otherwise of the file, otherwise 25. At most 120; the reader skips pictures of faster files.
  [[nodiscard]] double rate() const noexcept { return rate_; }
  /// Of all pictures. Known after the first picture.
  [[nodiscard]] const Colors& colors() const noexcept { return colors_; }
  /// Ends waits for the file.
  void set_stop(std::stop_token stop) noexcept { file_->set_stop(std::move(stop)); }

 private:
  struct CloseFormat {
    void operator()(AVFormatContext* p) const noexcept;
  };

  explicit Reader(const ReplayConfig& config) : config_(config) {}
  Result<> open_format();
  Result<> find_pictures();
  Result<> open_decoder();
  Result<> rewind();
  Result<bool> decode_next();
  [[nodiscard]] std::chrono::nanoseconds step() noexcept;
  void crop() noexcept;
  Result<> draw(MutableBytes out);
  Result<> prepare(const Rectangle& area, const Orientation& orientation);
  [[nodiscard]] AVStream& stream() const noexcept;

  ReplayConfig config_;
  std::unique_ptr<ClipFile> file_;
  std::unique_ptr<AVFormatContext, CloseFormat> format_;
  ffmpeg::CodecPtr decoder_;
  ffmpeg::PacketPtr packet_;
  ffmpeg::FramePtr frame_;
  ffmpeg::FramePtr scaled_;  // the picture before it is turned
  ffmpeg::Scaler scaler_;
  Orientation orientation_;  // of the file; a frame may have another one
  Cropping cropping_;        // of the file
  Colors colors_;
  int stream_ = -1;
  double rate_ = 25;
  std::uint64_t pictures_ = 0;       // decoded
  bool at_end_ = false;              // of the demuxer; the decoder may still have pictures
  bool any_since_begin_ = false;     // a picture was decoded
  std::optional<double> timestamp_;  // seconds, of the picture before in the same pass
  std::chrono::nanoseconds duration_{0};
  std::chrono::nanoseconds at_{0};
  std::optional<std::chrono::nanoseconds> last_;  // of the last picture that read() returned
};

}  // namespace sealcam::hal::replay
