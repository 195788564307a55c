// SPDX-License-Identifier: Apache-2.0
/// Brings the camera into the Wi-Fi network that its owner named, on trial: it stays only if the broker is reached.
#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "camera/wifi_outcome.hpp"
#include "core/clock.hpp"
#include "core/log.hpp"
#include "hal/network_control.hpp"
#include "pairing/wifi_file.hpp"

namespace sealcam::camera {

/// The time line of a trial; whichever way it ends, the camera is in a network that worked after at most
/// grace + limit = 110 s, and NetworkControl keeps `limit` without us.
struct WifiTimes {
  std::chrono::seconds grace{5};     ///< before it begins, for the answer to the command
  std::chrono::seconds join{60};     ///< until it is in the network
  std::chrono::seconds prove{85};    ///< until the broker is reached over it; both count from the begin
  std::chrono::seconds limit{105};   ///< until the board goes back by itself
  std::chrono::seconds settled{15};  ///< a connection that lasted from before counts after so long: see README.md
  std::chrono::seconds alone{120};   ///< without a broker, until a network that failed is tried again; doubles
  std::chrono::seconds longest{1800};
};

/// Thread-bound to the network thread. Never waits.
class WifiKeeper {
 public:
  /// References outlive this.
  struct Parts {
    const pairing::StateFiles& files;
    hal::NetworkControl& network;
    const Clock& clock;
    Log& log;
  };
  explicit WifiKeeper(const Parts& parts, const WifiTimes& times = {});

  /// Takes up what is stored: a network that is still to be tried is tried. A damaged file is logged and left alone.
  void load();
  /// The owner names a network; it is tried, in the place of any other that is on trial. Durable when it returns.
  /// Errors: permission, io.
  [[nodiscard]] Result<> want(const protocol::Wifi& wifi);
  /// Ten times a second or so. `connected`: to the broker. True when trouble() changed.
  [[nodiscard]] bool tick(bool connected);

  /// Why the camera is not in the owner's network; nothing while it is, is on its way, or none was named.
  [[nodiscard]] const WifiFault* trouble() const noexcept { return fault_of(outcome_.word); }
  /// For the status file: "none", "waiting", "trying", "joined", or the word of a fault.
  [[nodiscard]] std::string_view state() const noexcept;

 private:
  void note_connection(bool connected, MonotonicTime now);
  [[nodiscard]] bool due(MonotonicTime now) const;
  void begin(MonotonicTime now);
  void follow(MonotonicTime now);
  [[nodiscard]] bool proven(MonotonicTime now) const;
  void end(std::string_view word);
  void store();

  Parts parts_;
  WifiTimes times_;
  std::optional<protocol::Wifi> wifi_;
  pairing::WifiOutcome outcome_;
  MonotonicTime not_before_;
  std::optional<MonotonicTime> connected_since_;
  MonotonicTime alone_since_;
  std::chrono::nanoseconds alone_;  // how long without a broker, until a failed one is tried again
  // Of the trial that is under way.
  bool trying_ = false, again_ = false;
  std::optional<MonotonicTime> begun_, joined_;
};

}  // namespace sealcam::camera
