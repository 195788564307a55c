// SPDX-License-Identifier: Apache-2.0
/// Progress of a run on standard error: one line that is rewritten on a terminal, else a new line every two seconds.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>

namespace sealcam::incident {

/// Thread-bound.
class Progress {
 public:
  ~Progress() { end_line(); }
  /// `last`: always written, and not rewritten.
  void show(const std::string& text, bool last = false) {
    const auto now = std::chrono::steady_clock::now();
    const auto pause = terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(2000);
    if (!last && now - logged_ < pause) return;
    logged_ = now;
    if (terminal_) std::fprintf(stderr, "\r\033[K%s", text.c_str());
    else std::fprintf(stderr, "%s\n", text.c_str());
    open_line_ = terminal_;
    if (last) end_line();
  }

 private:
  void end_line() {
    if (open_line_) std::fputc('\n', stderr);
    open_line_ = false;
  }
  bool terminal_ = ::isatty(STDERR_FILENO) == 1;
  bool open_line_ = false;
  std::chrono::steady_clock::time_point logged_{};
};

}  // namespace sealcam::incident
