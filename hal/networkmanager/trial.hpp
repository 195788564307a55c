// SPDX-License-Identifier: Apache-2.0
/// One network on trial, from the search for a card to the end. Private to this folder.
#pragma once

#include <systemd/sd-bus.h>

#include <array>
#include <optional>
#include <vector>

#include "core/clock.hpp"
#include "core/secret.hpp"
#include "hal/networkmanager/bus.hpp"
#include "hal/networkmanager/card.hpp"
#include "hal/networkmanager/leftovers.hpp"
#include "hal/networkmanager/networkmanager.hpp"
#include "hal/networkmanager/profile.hpp"

namespace sealcam::hal::networkmanager {

/// A chain of calls on the bus, one at a time; the answer of each begins the next.
class NetworkManager::Trial {
 public:
  Trial(const Clock& clock, std::string address, ByteView ssid, std::string_view passphrase,
        std::chrono::seconds limit);
  /// No trial, but the end of all that were kept.
  Trial(const Clock& clock, std::string address);
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;
  ~Trial() = default;

  void keep();
  void leave(JoinFault why);
  void step();
  [[nodiscard]] const JoinProgress& progress() const noexcept { return progress_; }
  /// Nothing is left to do.
  [[nodiscard]] bool over() const noexcept { return over_; }

 private:
  using Phase = JoinProgress::Phase;
  using Chain = void (Trial::*)();

  // The search; what it does not find it looks for again.
  void search();
  void look_at_next_card();
  void decide();
  void not_yet(const Refusal& why);
  // The way in.
  void clear_leftovers();
  void make_checkpoint();
  void add_profile();
  void activate();
  void ask_whether_joined();
  void joined_or_not(std::uint32_t state);
  void card_changed(sd_bus_message& signal);
  // For good.
  void save();
  void destroy_checkpoint();
  void list_profiles();
  void look_at_next_profile();
  void remove(const std::string& profile, Chain then);
  // Back.
  void give_up(JoinFault why, std::string detail);
  void roll_back();
  void delete_profile();
  void lost();
  void recover();
  void finish(Phase phase);

  /// What ends the trial when a call is refused.
  [[nodiscard]] Bus::Otherwise or_give_up();

  const Clock& clock_;
  std::string address_;
  Bytes ssid_;
  Secret<63> passphrase_;
  std::size_t passphrase_size_ = 0;
  std::chrono::seconds limit_{};
  MonotonicTime begun_, again_at_;
  std::chrono::nanoseconds search_limit_;
  std::unique_ptr<Bus> bus_;
  std::vector<std::string> todo_;  // objects to look at
  std::vector<Card> cards_;
  Leftovers leftovers_;
  std::optional<MonotonicTime> settled_by_, recover_until_;
  std::string uuid_, card_, checkpoint_, profile_, active_;
  CardState reached_ = CardState::unknown;  // since the activation
  JoinProgress progress_{.phase = Phase::looking};
  Refusal missing_;  // why the search has found nothing so far
  bool forgetting_ = false, searching_ = true, keeping_ = false, stored_ = false, kept_ = false, leaving_ = false,
       failed_ = false, over_ = false;
};

}  // namespace sealcam::hal::networkmanager
