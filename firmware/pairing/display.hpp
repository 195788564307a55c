// SPDX-License-Identifier: Apache-2.0
/// How a device shows its pairing string: as text and QR code on its console, and in a file for those who look at its
/// card. Never in a log.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/log.hpp"
#include "core/result.hpp"

namespace sealcam::pairing {

/// A QR code (ISO/IEC 18004, error correction M) of half blocks, two rows a line, black on white by ANSI colours with
/// the quiet zone of four. Errors: invalid_argument (empty or too long), no_memory.
[[nodiscard]] Result<std::string> qr_code(std::string_view text);

/// Takes what it showed away when it is destroyed: the file is deleted. Thread-bound.
class Display {
 public:
  /// `file`: absolute, a folder gets `pairing.txt` in it; empty: none.
  Display(std::filesystem::path file, Log& log);
  Display(const Display&) = delete;
  Display& operator=(const Display&) = delete;
  ~Display();

  /// Again when the text changed. A file that cannot be written is logged and shown on the console all the same.
  void show(std::string_view pairing_string);
  /// The string counts for nothing any more: its file is deleted, and the console says `why`.
  void withdraw(std::string_view why);

 private:
  std::filesystem::path file_;
  Log& log_;
  std::string shown_;
};

/// Deletes what a run that was cut short left. Nothing when `file` is empty.
void forget_pairing_file(const std::filesystem::path& file);

}  // namespace sealcam::pairing
