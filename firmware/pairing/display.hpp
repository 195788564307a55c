// SPDX-License-Identifier: Apache-2.0
/// Shows the pairing string on the console, as text and QR code, and in a file, for example on the SD card. The string
/// contains the pairing code, so no log contains it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "base/result.hpp"

namespace sealcam::pairing {

/// A QR code (ISO/IEC 18004, error correction M) for a terminal: half blocks, two rows per line, black on white by ANSI
/// colors, with a quiet zone of four modules. Errors: invalid_argument (empty or too long), no_memory.
[[nodiscard]] Result<std::string> qr_code(std::string_view text);

/// The destructor deletes the file. Thread-bound.
class Display {
 public:
  /// `file`: an absolute path; in a folder, the file is `pairing.txt`. Empty: no file.
  Display(std::filesystem::path file, Log& log);
  Display(const Display&) = delete;
  Display& operator=(const Display&) = delete;
  ~Display();

  /// Does nothing if the string is already shown. Logs an error of the file and continues with the console alone.
  void show(std::string_view pairing_string);
  /// Deletes the file and prints `reason`. Call it if the string becomes invalid.
  void withdraw(std::string_view reason);

 private:
  std::filesystem::path file_;
  Log& log_;
  std::string shown_;
};

/// Deletes the file of an interrupted run. Does nothing if `file` is empty.
void remove_pairing_file(const std::filesystem::path& file);

}  // namespace sealcam::pairing
