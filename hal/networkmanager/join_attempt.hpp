// SPDX-License-Identifier: Apache-2.0
/// One join attempt, from the search for an adapter to the end. Private to this folder.
#pragma once

#include <systemd/sd-bus.h>

#include <array>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "hal/networkmanager/bus.hpp"
#include "hal/networkmanager/networkmanager.hpp"
#include "hal/networkmanager/objects.hpp"

namespace sealcam::hal::networkmanager {

/// A chain of D-Bus calls. The answer of each call starts the next.
class NetworkManager::JoinAttempt {
 public:
  JoinAttempt(const Clock& clock, std::string address, ByteView ssid, std::string_view passphrase,
              std::chrono::seconds limit);
  /// Deletes all stored networks instead.
  JoinAttempt(const Clock& clock, std::string address);
  JoinAttempt(const JoinAttempt&) = delete;
  JoinAttempt& operator=(const JoinAttempt&) = delete;
  ~JoinAttempt() = default;

  void keep();
  void leave(JoinFault why);
  void step();
  [[nodiscard]] const JoinProgress& progress() const noexcept { return progress_; }
  /// Whether the attempt has ended.
  [[nodiscard]] bool over() const noexcept { return over_; }

 private:
  using Phase = JoinProgress::Phase;
  using Chain = void (JoinAttempt::*)();

  // Search, with retries.
  void search();
  void examine_next_adapter();
  void decide();
  void find_network();
  void retry_later(const BusError& why);
  // Join.
  void clear_stale_profiles();
  void make_checkpoint();
  void add_profile();
  void activate();
  void query_state();
  void on_state(std::uint32_t state);
  void adapter_changed(sd_bus_message& signal);
  // Store.
  void save();
  void destroy_checkpoint();
  void list_profiles();
  void check_next_profile();
  void remove(const std::string& profile, Chain then);
  // Roll back.
  void give_up(JoinFault why, std::string detail);
  void roll_back();
  void delete_profile();
  void lost();
  void recover();
  void finish(Phase phase);

  /// Ends the attempt after an error.
  [[nodiscard]] Bus::Fallback fallback_to_rollback();

  const Clock& clock_;
  std::string address_;
  Bytes ssid_;
  Secret<63> passphrase_;
  std::size_t passphrase_size_ = 0;
  std::chrono::seconds limit_{};
  MonotonicTime started_, next_step_;
  std::chrono::nanoseconds search_limit_;
  std::unique_ptr<Bus> bus_;
  std::vector<std::string> todo_;  // objects to query
  std::vector<WifiAdapter> adapters_;
  AccessPoints access_points_;
  Authentication authentication_ = Authentication::unknown;
  StaleProfiles stale_profiles_;
  std::optional<MonotonicTime> settled_by_, scan_until_, recover_until_;
  std::string uuid_, adapter_, checkpoint_, profile_, active_;
  WifiAdapterState reached_ = WifiAdapterState::unknown;  // since the activation
  JoinProgress progress_{.phase = Phase::looking};
  BusError search_error_;  // the last error of the search
  bool deleting_all_ = false, searching_ = true, keeping_ = false, stored_ = false, kept_ = false, leaving_ = false,
       failed_ = false, over_ = false;
};

}  // namespace sealcam::hal::networkmanager
