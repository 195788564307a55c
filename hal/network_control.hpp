// SPDX-License-Identifier: Apache-2.0
/// The seam to what connects the board to a wireless network.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"

namespace sealcam::hal {

/// Why the board is not in the network that it was told to join.
enum class JoinFault : std::uint8_t {
  none,
  unmanaged,      ///< nobody here manages networks
  no_card,        ///< no wireless card that is managed
  switched_off,   ///< the card is there, and may not send
  not_permitted,  ///< this user may not change networks
  not_found,      ///< no such network in reach
  refused,        ///< the network refused the passphrase
  no_address,     ///< in the network, but it gave no address
  useless,        ///< in the network, but what it is needed for cannot be reached: the caller's verdict
  other,
};

/// How far a join has come.
struct JoinProgress {
  enum class Phase : std::uint8_t {
    idle,     ///< none was begun
    looking,  ///< for the card and for who manages it, or waiting for an earlier trial's end; nothing has changed yet
    joining,  ///< under way
    joined,   ///< in the network with an address, for the time being
    kept,     ///< in the network for good
    back,     ///< given up: what was before is there again, or is about to be
  };
  Phase phase = Phase::idle;
  /// With `joined`: when the card came into the network. What was connected since then is connected over it, unless the
  /// board has other cards.
  MonotonicTime since{};
  JoinFault fault = JoinFault::none;  ///< with `back`
  std::string detail{};               ///< with `back`: what the manager said, for the log; no secret; may be empty
};

/// Joins one network at a time, on trial. Never waits: step() is what makes it go on. Thread-bound.
class NetworkControl {
 public:
  NetworkControl() = default;
  NetworkControl(const NetworkControl&) = delete;
  NetworkControl& operator=(const NetworkControl&) = delete;
  /// A trial that is under way ends by itself, with the earlier network.
  virtual ~NetworkControl() = default;

  /// Begins to join. Unless keep() is called, the earlier network is back `limit` after the phase `looking` at most,
  /// also when this process is gone, and nothing of this one is left. Who manages the networks may be restarted
  /// meanwhile: then as soon as it is there again, or, without this process, when the next trial begins. `limit`: 10 s
  /// to 10 min. `looking` has an end of its own. Errors: conflict (another trial is under way), invalid_argument.
  [[nodiscard]] Result<> join(ByteView ssid, std::string_view passphrase, std::chrono::seconds limit) {
    return do_join(ssid, passphrase, limit);
  }
  /// Once `joined`: it stays, also over a restart of the board, and replaces the one that was kept before. The phase
  /// then is `kept`, or `back` when it was too late. No effect in other phases.
  void keep() { do_keep(); }
  /// Before it is kept: what was before, now. `why` is what step() says from then on; `none`: what is seen to be wrong.
  void leave(JoinFault why) { do_leave(why); }
  /// Ends a trial and takes away every network that was ever kept here, its passphrase with it. The phase is `looking`
  /// until that is done or cannot be done, then `idle`.
  void forget() { do_forget(); }
  /// Ten times a second or so.
  [[nodiscard]] JoinProgress step() { return do_step(); }

 private:
  virtual Result<> do_join(ByteView ssid, std::string_view passphrase, std::chrono::seconds limit) = 0;
  virtual void do_keep() = 0;
  virtual void do_leave(JoinFault why) = 0;
  virtual void do_forget() = 0;
  [[nodiscard]] virtual JoinProgress do_step() = 0;
};

/// For boards whose network somebody else manages.
class UnmanagedNetwork final : public NetworkControl {
  Result<> do_join(ByteView, std::string_view, std::chrono::seconds) override {
    progress_ = {.phase = JoinProgress::Phase::back, .fault = JoinFault::unmanaged};
    return {};
  }
  void do_keep() override {}
  void do_leave(JoinFault) override {}
  void do_forget() override { progress_ = {}; }
  JoinProgress do_step() override { return progress_; }

  JoinProgress progress_;
};

}  // namespace sealcam::hal
