// SPDX-License-Identifier: Apache-2.0
/// What the adapters share: FFmpeg's errors and FFmpeg's own log.
#pragma once

#include <string>
#include <vector>

#include "core/result.hpp"

namespace sealcam::hal::ffmpeg {

/// The error for an AVERROR code; `otherwise` for codes without a meaning of their own.
[[nodiscard]] std::unexpected<Error> av_fail(int averror, Errc otherwise, const char* what) noexcept;

/// FFmpeg's text for an AVERROR code.
[[nodiscard]] std::string av_text(int averror);

/// Names of the H.264 encoders that FfmpegEncoder knows and this build of FFmpeg has, best first. Whether they open is
/// another question.
[[nodiscard]] std::vector<std::string> h264_encoders();

/// FFmpeg writes its log to standard error by default. The first LogCapture of the process ends that for good: lines
/// are dropped, but the first error or warning that this thread causes while a LogCapture lives is kept in it. FFmpeg
/// also logs from threads of its own; those lines are lost. One at a time per thread.
class LogCapture {
 public:
  LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;
  ~LogCapture();
  /// Empty when nothing was said.
  [[nodiscard]] const std::string& line() const noexcept { return line_; }

 private:
  std::string line_;
};

}  // namespace sealcam::hal::ffmpeg
