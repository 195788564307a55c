// SPDX-License-Identifier: Apache-2.0
/// FFmpeg's objects, errors and log, for all adapters of this folder.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"

struct AVCodecContext;
struct AVFrame;
struct AVPacket;
struct SwsContext;

namespace sealcam::hal::ffmpeg {

/// Frees FFmpeg's objects.
struct Deleter {
  void operator()(AVCodecContext* p) const noexcept;
  void operator()(AVFrame* p) const noexcept;
  void operator()(AVPacket* p) const noexcept;
  void operator()(SwsContext* p) const noexcept;
};

using CodecPtr = std::unique_ptr<AVCodecContext, Deleter>;
using FramePtr = std::unique_ptr<AVFrame, Deleter>;
using PacketPtr = std::unique_ptr<AVPacket, Deleter>;
using ScalerPtr = std::unique_ptr<SwsContext, Deleter>;

/// Maps an AVERROR code to an error; `fallback` is for all other codes.
[[nodiscard]] std::unexpected<Error> av_fail(int averror, Errc fallback, const char* what) noexcept;

/// FFmpeg's text for an AVERROR code.
[[nodiscard]] std::string av_text(int averror);

/// The H.264 encoders that FfmpegEncoder supports and this FFmpeg has, best first. Opening them may still fail.
[[nodiscard]] std::vector<std::string> h264_encoders();

/// Captures the first error or warning that FFmpeg logs on this thread. The first LogCapture of the process permanently
/// disables FFmpeg's own output to standard error. Lines from FFmpeg's threads are lost. Use one at a time per thread.
class LogCapture {
 public:
  LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;
  ~LogCapture();
  /// Empty if FFmpeg logged nothing.
  [[nodiscard]] const std::string& line() const noexcept { return line_; }

 private:
  std::string line_;
};

}  // namespace sealcam::hal::ffmpeg
