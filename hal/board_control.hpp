// SPDX-License-Identifier: Apache-2.0
/// The interfaces of a board besides its sensor: activity light, button and Wi-Fi.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"

namespace sealcam::hal {

/// Shows people in the room that the sensor is on. Thread-safe.
class BoardControl {
 public:
  BoardControl() = default;
  BoardControl(const BoardControl&) = delete;
  BoardControl& operator=(const BoardControl&) = delete;
  /// Restores the light's earlier state.
  virtual ~BoardControl() = default;

  /// Switch it on before the sensor starts, and off after the sensor has stopped. Idempotent.
  /// Errors: permission, device_lost, io. The light may then be wrong, so log the error.
  [[nodiscard]] Result<> set_activity(bool on) {
    const std::scoped_lock lock(mutex_);
    return do_set_activity(on);
  }
  /// One line for logs.
  [[nodiscard]] std::string describe() const { return do_describe(); }

 private:
  virtual Result<> do_set_activity(bool on) = 0;
  [[nodiscard]] virtual std::string do_describe() const = 0;
  std::mutex mutex_;
};

/// One button of the board. Thread-bound.
class Button {
 public:
  virtual ~Button() = default;
  /// Reads whether the button is down now. Does not wait. Errors: permission, device_lost, io.
  [[nodiscard]] Result<bool> pressed() { return do_pressed(); }
  /// One line for logs.
  [[nodiscard]] std::string describe() const { return do_describe(); }

 private:
  virtual Result<bool> do_pressed() = 0;
  [[nodiscard]] virtual std::string do_describe() const = 0;
};

/// Detects a press of five seconds without a break. Feed it about ten times a second. A button that is down at the
/// start counts only after a release, so that a stuck button does not reset the board at each start. Thread-bound.
class LongPress {
 public:
  static constexpr std::chrono::seconds duration{5};

  /// Returns true once for each long press, while the button is still down.
  [[nodiscard]] bool feed(bool pressed, MonotonicTime now) noexcept {
    if (!pressed) {
      armed_ = true;
      since_.reset();
      return false;
    }
    if (!armed_) return false;
    if (!since_) since_ = now;
    if (now - *since_ < duration) return false;
    armed_ = false;
    return true;
  }

 private:
  bool armed_ = false;
  std::optional<MonotonicTime> since_;
};

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
  /// when it is back; without this process, when the next attempt starts. `limit`: 10 s to 10 min. The phase
  /// `looking` has a separate limit. Errors: conflict (another attempt runs), invalid_argument.
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
  /// Makes the network manager try networks again that it regards as unusable, for example because one handshake
  /// failed. Without effect during a join attempt. Failures are not reported.
  void retry() { do_retry(); }
  /// Call it about ten times a second.
  [[nodiscard]] JoinProgress step() { return do_step(); }

 private:
  virtual Result<> do_join(ByteView ssid, std::string_view passphrase, std::chrono::seconds limit) = 0;
  virtual void do_keep() = 0;
  virtual void do_leave(JoinFault why) = 0;
  virtual void do_forget() = 0;
  virtual void do_retry() = 0;
  [[nodiscard]] virtual JoinProgress do_step() = 0;
};

}  // namespace sealcam::hal
