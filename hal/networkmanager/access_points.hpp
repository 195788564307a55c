// SPDX-License-Identifier: Apache-2.0
/// The access points of a network that the adapter sees. Private to this folder.
#pragma once

#include <systemd/sd-bus.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "hal/networkmanager/bus.hpp"

namespace sealcam::hal::networkmanager {

/// How the access points of a network authenticate.
enum class Authentication : std::uint8_t {
  unknown,    ///< the adapter sees no access point of the network
  wpa_psk,    ///< at least one offers WPA or WPA2
  only_wpa3,  ///< all need SAE, which IEEE 802.11-2020 section 12.4 defines
};

/// Reads the list of the last scan. Thread-bound.
class AccessPoints {
 public:
  using Done = std::function<void(Authentication)>;

  /// Calls `done` with the authentication of the network `ssid` (1 to 32 bytes). An error counts as `unknown`.
  /// `bus` must outlive the call.
  void query(Bus& bus, const std::string& adapter, ByteView ssid, Done done);

 private:
  void check_next();
  void check(sd_bus_message& properties);

  Bus* bus_ = nullptr;
  ByteView ssid_;
  Done done_;
  std::vector<std::string> todo_;
  Authentication found_ = Authentication::unknown;
};

}  // namespace sealcam::hal::networkmanager
