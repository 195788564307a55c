// SPDX-License-Identifier: Apache-2.0
/// The connection profiles that Sealcam adds to NetworkManager. Private to this folder.
///
/// A profile in memory is a file in /run/NetworkManager/system-connections. After a restart, NetworkManager reads it
/// again, but has lost the checkpoint that would delete it. Such a profile is stale.
#pragma once

#include <systemd/sd-bus.h>

#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "hal/networkmanager/bus.hpp"

namespace sealcam::hal::networkmanager {

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
