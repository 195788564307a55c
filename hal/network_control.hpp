// SPDX-License-Identifier: Apache-2.0
/// The interface that connects the board to a wireless network.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"

namespace sealcam::hal {

/// Why the board did not join a network.
enum class JoinFault : std::uint8_t {
  none,
  unmanaged,      ///< no network manager runs on this board
  no_adapter,     ///< the network manager has no wireless adapter
  switched_off,   ///< the radio of the adapter is switched off
  not_permitted,  ///< this user may not change networks
  not_found,      ///< the network is not in range
  rejected,       ///< the network rejected the passphrase
  no_address,     ///< joined, but the network gave no address
  useless,        ///< joined, but the caller cannot reach the broker over it
  other,
};

/// The progress of a join attempt.
struct JoinProgress {
  enum class Phase : std::uint8_t {
    idle,     ///< no attempt was started
    looking,  ///< for the adapter and the network manager, or waiting until an earlier attempt ends; nothing has
              ///< changed yet
    joining,  ///< in progress
    joined,   ///< in the network with an address, until keep() or the time limit
    kept,     ///< the network is stored
    back,     ///< failed; the earlier network is restored, or will be soon
  };
  Phase phase = Phase::idle;
  /// With `joined`: when the adapter joined the network. A connection that started later uses this network, unless the
  /// board has other adapters.
  MonotonicTime since{};
  JoinFault fault = JoinFault::none;  ///< with `back`
  std::string detail{};               ///< with `back`: the manager's message for the log; without secrets; may be empty
};

/// Joins one network at a time, with a rollback. No call waits: step() makes progress. Thread-bound.
class NetworkControl {
 public:
  NetworkControl() = default;
  NetworkControl(const NetworkControl&) = delete;
  NetworkControl& operator=(const NetworkControl&) = delete;
  /// A running attempt ends with a rollback to the earlier network.
  virtual ~NetworkControl() = default;

  /// Starts a join attempt. Without keep(), the earlier network is restored at most `limit` after the phase `looking`,
  /// even if this process ends, and the new network is deleted. If the network manager restarts meanwhile, this happens
  /// when it is back; without this process, when the next attempt starts. `limit`: 10 s to 10 min. The phase `looking`
  /// has a limit of its own. Errors: conflict (another attempt runs), invalid_argument.
  [[nodiscard]] Result<> join(ByteView ssid, std::string_view passphrase, std::chrono::seconds limit) {
    return do_join(ssid, passphrase, limit);
  }
  /// In the phase `joined`: stores the network and deletes the network that was stored before. The next phase is
  /// `kept`, or `back` if the time limit has passed. No effect in other phases.
  void keep() { do_keep(); }
  /// Before keep(): restores the earlier network now. step() then reports `why`; with `none`, it reports the fault that
  /// it detected.
  void leave(JoinFault why) { do_leave(why); }
  /// Ends an attempt and deletes all stored networks and their passphrases. The phase is `looking` until that succeeded
  /// or failed, then `idle`.
  void forget() { do_forget(); }
  /// Call it about ten times a second.
  [[nodiscard]] JoinProgress step() { return do_step(); }

 private:
  virtual Result<> do_join(ByteView ssid, std::string_view passphrase, std::chrono::seconds limit) = 0;
  virtual void do_keep() = 0;
  virtual void do_leave(JoinFault why) = 0;
  virtual void do_forget() = 0;
  [[nodiscard]] virtual JoinProgress do_step() = 0;
};

}  // namespace sealcam::hal
