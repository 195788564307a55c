// SPDX-License-Identifier: Apache-2.0
/// Offers an unpaired camera or hub for pairing until an owner pairs it, and shows the pairing string on the console,
/// as text and QR code, and in a file, for example on the SD card. The string contains the pairing code, so no log
/// contains it.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "base/result.hpp"
#include "device/device_state.hpp"
#include "device/enrollment.hpp"
#include "device/program.hpp"

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

/// Two ports, because one machine can be both camera and hub.
inline constexpr std::uint16_t camera_port = 8421, hub_port = 8422;

/// The options of the command line.
struct PairingServiceOptions {
  std::string listen;          ///< ADDRESS:PORT, port 0 for a free one; empty: every address, 8421 or a hub's 8422
  std::string host;            ///< host in the pairing string; empty: the address of the default route's interface
  std::filesystem::path file;  ///< gets the pairing string; absolute; empty: none (pairing_service.hpp)
  bool disabled = false;       ///< an unpaired device ends instead
};

struct PairingServiceDependencies {
  const device::DeviceState& state;
  protocol::Role role;
  const Clock& clock;
  Log& log;
};

/// Returns the device's enrollment. If the device is unpaired, listens and shows the pairing string until an owner
/// pairs the device, over the network or by writing the state folder on this machine. Closes the ports before it
/// returns. Blocks. The error is the exit code of the program: EX_OK after SIGTERM or SIGINT, otherwise
/// the function logged the reason.
[[nodiscard]] std::expected<device::Enrollment, int> require_enrollment(const PairingServiceOptions& options,
                                                                        const PairingServiceDependencies& deps);

}  // namespace sealcam::pairing
