// SPDX-License-Identifier: Apache-2.0
/// Offers an unpaired camera or hub for pairing until an owner pairs it.
#pragma once

#include <expected>
#include <filesystem>
#include <string>

#include "base/log.hpp"
#include "device/device_state.hpp"
#include "device/enrollment.hpp"
#include "device/program.hpp"

namespace sealcam::pairing {

/// Two ports, because one machine can be both camera and hub.
inline constexpr std::uint16_t camera_port = 8421, hub_port = 8422;

/// The options of the command line.
struct PairingServiceOptions {
  std::string listen;          ///< ADDRESS:PORT, port 0 for a free one; empty: every address, 8421 or a hub's 8422
  std::string host;            ///< host in the pairing string; empty: the address of the default route's interface
  std::filesystem::path file;  ///< gets the pairing string; absolute; empty: none (display.hpp)
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
/// returns. Blocks. The error is the exit code with which the program ends: EX_OK after SIGTERM or SIGINT, otherwise
/// the function logged the reason.
[[nodiscard]] std::expected<device::Enrollment, int> require_enrollment(const PairingServiceOptions& options,
                                                                        const PairingServiceDependencies& deps);

}  // namespace sealcam::pairing
