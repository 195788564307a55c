// SPDX-License-Identifier: Apache-2.0
/// The pairing string of a camera that belongs to nobody, shown where its owner can see it: on every console, as text
/// and QR code, and on the card. sealcam-camera keeps the string in a file of its own while it counts.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/log.hpp"

namespace sealcam::appliance {

struct NoticePlaces {
  std::filesystem::path file;                   ///< the camera's
  std::filesystem::path card;                   ///< gets pairing.txt
  std::vector<std::filesystem::path> consoles;  ///< terminals
};

/// Thread-bound. Holds the string no longer than it counts.
class PairingNotice {
 public:
  PairingNotice(NoticePlaces places, Log& log);
  PairingNotice(const PairingNotice&) = delete;
  PairingNotice& operator=(const PairingNotice&) = delete;
  ~PairingNotice();

  /// Looks once: shows a new string everywhere, takes one that counts no longer away. False when there is none.
  /// A console or card that cannot be written is said in the log, once per string.
  bool look();

 private:
  void show(std::string_view text);
  void take_away();
  void print(std::string_view text);

  NoticePlaces places_;
  Log& log_;
  std::string shown_;
};

/// Terminals that the kernel has as consoles (/sys/class/tty/console/active), as /dev/NAME; the screen's tty1 for tty0.
[[nodiscard]] std::vector<std::filesystem::path> consoles_of(std::string_view active);

}  // namespace sealcam::appliance
