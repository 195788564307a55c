// SPDX-License-Identifier: Apache-2.0
/// Wireless networks by NetworkManager's D-Bus interface, version 1.18 or newer.
///
/// A trial is a checkpoint of the wireless card with a profile that is in NetworkManager's memory alone:
///
///     before  Delete of the profiles of ours that are in memory alone, until the card is in a network again
///     begin   CheckpointCreate(card, limit), AddConnection2(in memory), ActivateConnection
///     keep    Update2(to disk), CheckpointDestroy, Delete of the older profiles of ours
///     leave   CheckpointRollback, or NetworkManager itself after `limit`: joins what was before, deletes the profile
///
/// So a process that dies, and a power cut, both lead back to what was there before. A NetworkManager that is restarted
/// forgets the checkpoint but not the profile, which is a file in /run: the trial waits for it, two minutes at most,
/// and deletes the profile. Each trial begins with the same, for what an earlier one left: ours that are not on the
/// disk.
#pragma once

#include <memory>
#include <string>

#include "core/clock.hpp"
#include "hal/network_control.hpp"

namespace sealcam::hal::networkmanager {

/// Connects to the bus when a trial begins and leaves it when it is over. A card, or NetworkManager itself, that is not
/// there yet is waited for, 20 s at most. Thread-bound.
class NetworkManager final : public NetworkControl {
 public:
  /// `address`: of the bus, as DBUS_SYSTEM_BUS_ADDRESS has it; empty: the system's. `clock` outlives this.
  explicit NetworkManager(const Clock& clock, std::string address = {});
  ~NetworkManager() override;

 private:
  class Trial;
  Result<> do_join(ByteView ssid, std::string_view passphrase, std::chrono::seconds limit) override;
  void do_keep() override;
  void do_leave(JoinFault why) override;
  void do_forget() override;
  JoinProgress do_step() override;

  const Clock& clock_;
  std::string address_;
  std::unique_ptr<Trial> trial_;
  JoinProgress progress_;
};

}  // namespace sealcam::hal::networkmanager
