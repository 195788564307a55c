// SPDX-License-Identifier: Apache-2.0
/// The newest HPKE keys of the hubs, to which the camera seals its grants.
#pragma once

#include <map>
#include <optional>

#include "device/stores.hpp"
#include "protocol/roster.hpp"
#include "protocol/view_request.hpp"
#include "stream/publish/store_retry.hpp"

namespace sealcam::stream {

/// A hub sends its newest prekey with each view request. The next epoch is sealed to it. A hub that cannot open the
/// current epoch gets a new one at once, but a hostile hub must not end epochs faster than other hubs can follow: see
/// the limits. Thread-bound.
class Prekeys {
 public:
  static constexpr std::chrono::seconds hub_interval{10};   ///< between two epochs because of one hub
  static constexpr std::chrono::seconds total_interval{2};  ///< between two epochs because of any hub
  /// Between two new prekeys of one hub, because each is written to flash. A hub that cannot open does not wait.
  static constexpr std::chrono::seconds prekey_interval{60};

  Prekeys(device::HubKeyStore& store, const Clock& clock, Log& log);

  /// Loads the stored prekeys. A damaged file is no reason to stop: the hubs send their keys again, and until then
  /// number 0 is used. Logs it.
  void load();
  /// Forgets hubs that are not on the roster.
  void set_roster(const protocol::Roster& roster);
  /// Takes the prekey of a verified request. Returns true if a new epoch must begin now, because the hub cannot open
  /// the current one.
  [[nodiscard]] bool take(const DeviceId& hub, const protocol::ViewRequest& request);
  /// Stores what could not be stored, after a pause.
  void tick();

  /// The newest prekey of a hub; none: the key in the roster.
  [[nodiscard]] std::optional<protocol::Prekey> of(const DeviceId& hub) const;

 private:
  struct Hub {
    std::optional<protocol::Prekey> prekey;
    std::optional<MonotonicTime> taken;    ///< when the prekey arrived
    std::optional<MonotonicTime> renewed;  ///< the last epoch because of this hub
  };
  [[nodiscard]] bool may_renew(Hub& hub);
  void store();

  device::HubKeyStore& store_;
  const Clock& clock_;
  Log& log_;
  StoreRetry retry_;
  std::map<DeviceId, Hub> hubs_;
  std::optional<MonotonicTime> renewed_;
  bool stored_ = true;
};

}  // namespace sealcam::stream
