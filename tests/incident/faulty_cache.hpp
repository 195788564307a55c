// SPDX-License-Identifier: Apache-2.0
/// The cache between cameras and hubs that hands pictures to the wrong accounts.
///
/// PUBLISHED is what it did: stills of strangers, another one at each request, some of them corrupted, since an update
/// of 26 December 2019 that was to make streaming better on poor networks.
/// INFERRED is how: everything in this file. A request whose origin answers too slowly is answered from the cache, and
/// the cache's key is too coarse to tell cameras apart.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "core/bytes.hpp"

namespace sealcam::incident {

/// All of it inferred.
struct FaultModel {
  double poor_share = 0.35;          ///< accounts whose camera is on a poor network
  double poor_delay_ms = 600;        ///< mean of its answers (exponential)
  double good_delay_ms = 90;         ///< of the others
  double patience_ms = 250;          ///< an origin that takes longer is slow: the cache answers
  unsigned slots = 4;                ///< different keys that the cache knows; a camera's is hash(id) % slots
  std::size_t depth = 12;            ///< stills that a slot holds, the oldest goes first
  double damaged_from_cache = 0.12;  ///< share that arrives cut short or with flipped bits
  double damaged_otherwise = 0.02;
};

/// What kind of picture a message carries, as far as anybody outside can tell.
enum class Kind : std::uint8_t { still, key, delta, other };

/// A message as it leaves the cache.
struct Handed {
  std::shared_ptr<const Bytes> message;
  std::uint32_t source = 0;  ///< whose camera made it
  bool cached = false;       ///< answered from a slot
  bool damaged = false;
};

/// Decides; sends nothing. Every choice comes from one seeded generator for each account, drawn in the order of that
/// account's messages; what lies in a slot depends on when the cameras answer. Thread-bound.
class FaultyCache {
 public:
  FaultyCache(const FaultModel& model, std::uint64_t seed, std::size_t accounts);

  /// The account's hub asks for pictures: how long will its camera take this time?
  void on_request(std::uint32_t account);
  /// A picture of the account's camera is there. Returns what its hub gets, nothing when the answer came too late and
  /// the cache has none.
  [[nodiscard]] std::optional<Handed> pass(std::uint32_t account, Kind kind, ByteView message);

  [[nodiscard]] std::uint64_t slow_requests() const noexcept { return slow_requests_; }
  [[nodiscard]] std::uint64_t requests() const noexcept { return requests_; }

 private:
  struct Entry {
    std::shared_ptr<const Bytes> message;
    std::uint32_t source;
  };
  struct Account {
    std::mt19937_64 random;
    double mean_delay_ms = 0;
    unsigned slot = 0;
    bool slow = false;
  };
  [[nodiscard]] std::deque<Entry>& slot(const Account& account, Kind kind) noexcept;
  [[nodiscard]] bool chance(Account& account, double probability);
  void damage(Account& account, Handed& handed);

  FaultModel model_;
  std::vector<Account> accounts_;
  std::vector<std::deque<Entry>> slots_;  ///< for each key one of stills and one of key frames
  std::uint64_t requests_ = 0;
  std::uint64_t slow_requests_ = 0;
};

}  // namespace sealcam::incident
