// SPDX-License-Identifier: Apache-2.0
/// Shows the pairing string of an unpaired camera on every console, as text and QR code, and on the SD card.
/// sealcam-camera keeps the string in a file while it is valid.
///
/// The camera's user owns that file, and this program runs as root. The program therefore shows the file only if it is
/// a complete pairing string (protocol/pairing.hpp). It shows no other content, for example that of a link to a
/// file of root, or control characters for a terminal.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "base/log.hpp"

namespace sealcam::image_init {

struct NoticePlaces {
  std::filesystem::path file;                   ///< the camera's pairing file
  std::filesystem::path card;                   ///< gets pairing.txt
  std::vector<std::filesystem::path> consoles;  ///< terminals
  std::chrono::milliseconds timeout{2000};      ///< for a console that accepts no more text
};

/// Keeps the string in memory only while it is valid. Thread-bound.
class PairingNotice {
 public:
  PairingNotice(NoticePlaces places, Log& log);
  PairingNotice(const PairingNotice&) = delete;
  PairingNotice& operator=(const PairingNotice&) = delete;
  ~PairingNotice();

  /// Reads the file once. Shows a new string and removes an invalid one. Returns false if there is no file. Logs an
  /// unreadable file or a file without a pairing string once in a row, and an error of a console or card once per
  /// string. Waits at most `timeout` for each console.
  bool poll();

 private:
  void reject(std::string_view why);
  void show(const std::string& text);
  void withdraw();
  void print(std::string_view text);

  NoticePlaces places_;
  Log& log_;
  std::string shown_;
  bool rejected_ = false;
};

/// The kernel's consoles (/sys/class/tty/console/active) as paths in /dev. tty0 becomes tty1, the terminal of the
/// screen.
[[nodiscard]] std::vector<std::filesystem::path> consoles_of(std::string_view active);

}  // namespace sealcam::image_init
