// SPDX-License-Identifier: Apache-2.0
/// Reads a file's pictures one after the other.
#pragma once

#include <atomic>
#include <memory>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "hal/replay/replay_config.hpp"

struct AVCodecContext;
struct AVFormatContext;
struct AVFrame;
struct AVPacket;
struct SwsContext;

namespace sealcam::hal::replay {

/// Demuxes, decodes and scales on the thread that calls it. Damaged packets are passed over. Thread-bound, but for
/// `stop`.
class Reader {
 public:
  /// Errors: as open_replay().
  [[nodiscard]] static Result<std::unique_ptr<Reader>> open(const ReplayConfig& config);

  /// Writes the next picture, scaled, as YU12 without padding into `out` (width * height * 3/2 bytes). At the end of
  /// the file it begins again when the configuration says so. Errors: end_of_stream, malformed (nothing in the file
  /// decodes), io, no_memory.
  [[nodiscard]] Result<> read(MutableBytes out);

  /// Pictures per second by the configuration, else by the file, else 25.
  [[nodiscard]] double rate() const noexcept { return rate_; }

 private:
  struct Deleter {
    void operator()(AVCodecContext* p) const noexcept;
    void operator()(AVFormatContext* p) const noexcept;
    void operator()(AVFrame* p) const noexcept;
    void operator()(AVPacket* p) const noexcept;
    void operator()(SwsContext* p) const noexcept;
  };
  template <class T>
  using Handle = std::unique_ptr<T, Deleter>;

  explicit Reader(const ReplayConfig& config) : config_(config) {}
  Result<> open_file();
  Result<> open_decoder();
  Result<> rewind();
  Result<bool> decode_next();
  Result<> scale(MutableBytes out);

  ReplayConfig config_;
  Handle<AVFormatContext> file_;
  Handle<AVCodecContext> decoder_;
  Handle<AVPacket> packet_;
  Handle<AVFrame> frame_;
  Handle<SwsContext> scaler_;
  int stream_ = -1;
  double rate_ = 25;
  bool at_end_ = false;  // the demuxer has no more; the decoder may
  bool any_since_begin_ = false;
};

}  // namespace sealcam::hal::replay
