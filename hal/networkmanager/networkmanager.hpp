// SPDX-License-Identifier: Apache-2.0
/// Joins wireless networks with NetworkManager (1.18 or newer) over D-Bus.
///
/// A join attempt uses a checkpoint of the adapter, and a profile that is only in NetworkManager's memory:
///
///     before  Delete Sealcam's profiles that are only in memory, and wait until the adapter is in a network
///     begin   CheckpointCreate(adapter, limit), AddConnection2(in memory), ActivateConnection
///     keep    Update2(to disk), CheckpointDestroy, Delete of Sealcam's older profiles
///     leave   CheckpointRollback, or NetworkManager itself after `limit`: joins the earlier network, deletes the
///     profile
///
/// The end of this process and a power cut both lead back to the earlier network. A restart of NetworkManager loses the
/// checkpoint, but not the profile, which is a file in /run. The attempt then waits up to two minutes for
/// NetworkManager and deletes the profile. Each attempt first deletes profiles that an earlier attempt left in memory.
#pragma once

#include <memory>
#include <string>

#include "base/clock.hpp"
#include "hal/board_control.hpp"

namespace sealcam::hal::networkmanager {

class Bus;

/// retry() registers a secret agent and ends it. NetworkManager before 1.58 regards a passphrase as wrong after one
/// failed handshake, and forgets this when an agent registers.
///
/// Connects to the bus only during an attempt and a retry. Waits up to 20 s for NetworkManager and an adapter.
/// Thread-bound.
class NetworkManager final : public NetworkControl {
 public:
  /// `address`: as in DBUS_SYSTEM_BUS_ADDRESS; empty: the system bus. `clock` must outlive this.
  explicit NetworkManager(const Clock& clock, std::string address = {});
  ~NetworkManager() override;

 private:
  class JoinAttempt;
  Result<> do_join(ByteView ssid, std::string_view passphrase, std::chrono::seconds limit) override;
  void do_keep() override;
  void do_leave(JoinFault why) override;
  void do_forget() override;
  void do_retry() override;
  JoinProgress do_step() override;

  const Clock& clock_;
  std::string address_;
  std::unique_ptr<JoinAttempt> attempt_;
  std::unique_ptr<Bus> retry_;  // while the call is running
  JoinProgress progress_;
};

}  // namespace sealcam::hal::networkmanager
