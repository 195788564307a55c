// SPDX-License-Identifier: Apache-2.0
/// What a camera or a hub that belongs to nobody does until it is somebody's.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/log.hpp"
#include "pairing/device_state.hpp"

namespace sealcam::pairing {

/// Of a camera, a hub: one machine can be both.
inline constexpr std::uint16_t camera_port = 8421, hub_port = 8422;

/// As the command line says it.
struct StationOptions {
  std::string listen;          ///< ADDRESS:PORT, port 0 for a free one; empty: every address, 8421 or a hub's 8422
  std::string host;            ///< what the pairing string says; empty: the address towards the default route
  std::filesystem::path file;  ///< absolute; empty: none (display.hpp)
};

struct StationParts {
  const DeviceState& state;
  protocol::Role role;
  std::string version;          ///< of the firmware, for the owner's eyes
  std::function<void()> ready;  ///< called once the port is open
  std::function<void()> alive;  ///< called at least each second from then on, by the thread that does all of it
  const Clock& clock;
  Log& log;
};

enum class StationEnd { paired, stopped };

/// Listens and shows the pairing string until an owner paired with the device, over the network or by writing its
/// state folder on this machine, or until SIGTERM or SIGINT. When it returns, the ports are closed. Blocks.
/// Errors: invalid_argument (the options), permission, conflict (the port is taken), io, crypto, malformed.
[[nodiscard]] Result<StationEnd> run_station(const StationOptions& options, const StationParts& parts);

}  // namespace sealcam::pairing
