// SPDX-License-Identifier: Apache-2.0
/// The prekeys of a hub: HPKE keys that the hub makes each day and deletes after eight days. Cameras seal grants to
/// them. A thief of the hub's state cannot open what the broker carried before that.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/log.hpp"
#include "device/hub_stores.hpp"

namespace sealcam::watch {

using protocol::PrekeyNumber;

/// Decides when a prekey is made and deleted. A wall clock may be wrong, stand still or jump, so:
///   - a key is made when the newest one is a day old by the wall clock or by the clock of this run, or if the wall
///   clock
///     is before its time at the start;
///   - at most `max_kept` keys are kept, so that a clock that stands still does not keep a key for ever;
///   - a key is forgotten after `keep_for` by the wall clock, but not if it was the newest one or opened a grant within
///   the
///     last `in_use`, and not before the hub could receive the grants that are in use. So a clock that jumps deletes no
///     key in use.
/// Thread-bound to the network thread.
class Prekeys {
 public:
  static constexpr std::chrono::hours renew_after{24};
  static constexpr std::chrono::hours keep_for{8 * 24};
  static constexpr std::chrono::hours in_use{25};  ///< an epoch ends after a day
  static constexpr std::chrono::minutes settle{10};
  static constexpr std::size_t max_kept = 9;

  /// Loads the keys, and makes one if that is due. Errors: those of PrekeyStore::load(). A key that cannot be made is
  /// logged, and the hub continues with older ones.
  [[nodiscard]] static Result<Prekeys> open(device::PrekeyStore& store, const Clock& clock, Log& log);

  /// Makes and deletes keys. Cheap; call it often.
  void tick();
  /// The key for view requests. Null if none could be made.
  [[nodiscard]] const device::StoredPrekey* newest() const noexcept { return keys_.empty() ? nullptr : &keys_.back(); }
  /// The key with this number. Null if the hub does not have it.
  [[nodiscard]] const crypto::AgreementKey* find(PrekeyNumber number) const noexcept;
  /// The key opened a grant, or may do so soon.
  void note_used(PrekeyNumber number);

 private:
  Prekeys(device::PrekeyStore& store, const Clock& clock, Log& log);
  [[nodiscard]] bool due() const;
  [[nodiscard]] bool expired(const device::StoredPrekey& key) const;
  void make();
  void forget_expired();
  void report(const char* what, const Error& error);

  device::PrekeyStore* store_;
  const Clock* clock_;
  Log* log_;
  BootTime started_;
  bool opened_ = false;
  std::vector<device::StoredPrekey> keys_;  ///< ascending
  BootTime newest_since_;                   ///< time at which this run made or loaded the newest key
  std::optional<BootTime> retry_;           ///< the store failed
  std::map<PrekeyNumber, BootTime> used_;
  RateLimit log_limit_{std::chrono::hours(1)};
};

}  // namespace sealcam::watch
