// SPDX-License-Identifier: Apache-2.0
/// The pairing string of a camera that belongs to nobody, shown where its owner can see it: on every console, as text
/// and QR code, and on the card. sealcam-camera keeps the string in a file of its own while it counts.
///
/// The camera's user owns that file and its folder, and this runs as root. So nothing of the file is shown but a whole
/// pairing string (protocol/pairing_string.hpp): a link to a file of root's, or words that steer a terminal, are none.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "core/log.hpp"

namespace sealcam::appliance {

struct NoticePlaces {
  std::filesystem::path file;                   ///< the camera's
  std::filesystem::path card;                   ///< gets pairing.txt
  std::vector<std::filesystem::path> consoles;  ///< terminals
  std::chrono::milliseconds patience{2000};     ///< for a console that takes nothing more
};

/// Thread-bound. Holds the string no longer than it counts.
class PairingNotice {
 public:
  PairingNotice(NoticePlaces places, Log& log);
  PairingNotice(const PairingNotice&) = delete;
  PairingNotice& operator=(const PairingNotice&) = delete;
  ~PairingNotice();

  /// Looks once: shows a new string everywhere, takes one that counts no longer away. False when there is no file; one
  /// that cannot be read or holds no pairing string is said in the log, once in a row. A console or card that cannot be
  /// written is said in the log, once per string. Waits for each console no longer than `patience`.
  bool look();

 private:
  void refuse(std::string_view why);
  void show(const std::string& text);
  void take_away();
  void print(std::string_view text);

  NoticePlaces places_;
  Log& log_;
  std::string shown_;
  bool refused_ = false;
};

/// Terminals that the kernel has as consoles (/sys/class/tty/console/active), as /dev/NAME; the screen's tty1 for tty0.
[[nodiscard]] std::vector<std::filesystem::path> consoles_of(std::string_view active);

}  // namespace sealcam::appliance
