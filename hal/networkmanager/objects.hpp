// SPDX-License-Identifier: Apache-2.0
/// NetworkManager's objects: wireless adapters, the access points that an adapter sees, and the connection profiles
/// that Sealcam adds. Private to this folder.
///
/// A profile in memory is a file in /run/NetworkManager/system-connections. After a restart, NetworkManager reads it
/// again, but has lost the checkpoint that would delete it. Profiles like this are stale.
#pragma once

#include <systemd/sd-bus.h>

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "hal/board_control.hpp"
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

/// NMDeviceState. The states from config to ip_config are steps of an activation.
enum class WifiAdapterState : std::uint32_t {
  unknown = 0,
  unmanaged = 10,
  unavailable = 20,
  disconnected = 30,
  config = 50,
  need_auth = 60,
  ip_config = 70,
  activated = 100,
  failed = 120,
};

struct WifiAdapter {
  std::string path;
  WifiAdapterState state = WifiAdapterState::unknown;
};

/// Reads the properties of a device, as GetAll returns them. Returns nothing if the device is not a wireless adapter,
/// or if the reply is malformed.
[[nodiscard]] std::optional<WifiAdapter> read_adapter(const std::string& path, sd_bus_message& properties);
/// Chooses the adapter in the most advanced state. The error is the reason why none is usable.
[[nodiscard]] std::expected<WifiAdapter, JoinFault> choose(const std::vector<WifiAdapter>& adapters);

/// Maps NMDeviceStateReason of a failed activation.
[[nodiscard]] JoinFault fault_of(std::uint32_t reason) noexcept;
/// The fault of an activation that takes too long, by its last state.
[[nodiscard]] JoinFault fault_of(WifiAdapterState reached) noexcept;

/// The name of Sealcam's profiles. Other profiles are never changed.
inline constexpr auto profile_name = "sealcam";

/// Appends a profile as a{sa{sv}}: WPA with a passphrase, automatic addresses, and a priority over other profiles. With
/// `only_wpa3`, the profile fits only access points with WPA3. Without it, NetworkManager can activate the profile
/// there, but does not return to such a network by itself. NetworkManager stores the passphrase in a file that only
/// root can read. The message is marked as sensitive, so that its memory is wiped. Returns a negative errno on failure.
[[nodiscard]] int append_profile(sd_bus_message& message, const std::string& uuid, ByteView ssid,
                                 std::string_view passphrase, bool only_wpa3);

/// Whether a profile, as GetSettings returns it, is Sealcam's.
[[nodiscard]] bool is_ours(sd_bus_message& settings);
/// Whether a profile is only in memory. `properties`: as GetAll returns them. Profiles of netplan are files in /run,
/// but count as saved.
[[nodiscard]] bool is_unsaved(sd_bus_message& properties);

/// Deletes stale profiles. Thread-bound.
class StaleProfiles {
 public:
  /// Whether there were stale profiles, or why they cannot be deleted.
  using Done = std::function<void(std::expected<bool, BusError>)>;

  /// Deletes Sealcam's profiles that are not on the disk. If a property of a profile is missing, the profile stays.
  /// `bus` must outlive the call.
  void remove(Bus& bus, Done done);

 private:
  void check_next();
  void query_saved(const std::string& path);
  void drop(const std::string& path);

  Bus* bus_ = nullptr;
  Done done_;
  std::vector<std::string> todo_;
  bool found_ = false;
};

}  // namespace sealcam::hal::networkmanager
