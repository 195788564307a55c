// SPDX-License-Identifier: Apache-2.0
/// Publishing what the owner signed, until the broker has acknowledged it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "owner/account.hpp"

namespace sealcam::owner {

struct SyncOptions {
  bool everything = false;  ///< also what the broker acknowledged before: its storage may be gone
  bool once = false;        ///< give up at the first sign that there is no broker
  std::chrono::milliseconds patience{10'000};
};

struct SyncReport {
  std::vector<DeviceId> published;
  std::vector<DeviceId> pending;
  std::string why_pending;  ///< for people; empty when nothing is pending
};

/// Renews rosters, publishes those that the broker does not have (QoS 1, retained) and records each acknowledgement.
/// A broker that cannot be reached is no failure: the report says what is pending.
[[nodiscard]] Outcome<SyncReport> sync(Account& account, const SyncOptions& options, const Clock& clock);

}  // namespace sealcam::owner
