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
  /// The next show() writes.
  [[nodiscard]] bool due() const { return std::chrono::steady_clock::now() - logged_ >= pause(); }
  /// `last`: always written, and not rewritten.
  void show(const std::string& text, bool last = false) {
    const auto now = std::chrono::steady_clock::now();
    if (!last && now - logged_ < pause()) return;
    logged_ = now;
    if (terminal_) std::fprintf(stderr, "\r\033[K%s", text.c_str());
    else std::fprintf(stderr, "%s\n", text.c_str());
    open_line_ = terminal_;
    if (last) end_line();
  }

 private:
  [[nodiscard]] std::chrono::milliseconds pause() const { return std::chrono::milliseconds(terminal_ ? 100 : 2000); }
  void end_line() {
    if (open_line_) std::fputc('\n', stderr);
    open_line_ = false;
  }
  bool terminal_ = ::isatty(STDERR_FILENO) == 1;
  bool open_line_ = false;
  std::chrono::steady_clock::time_point logged_{};
};

}  // namespace sealcam::incident
