// SPDX-License-Identifier: Apache-2.0
/// A cache between cameras and hubs that delivers pictures to the wrong accounts.
///
/// PUBLISHED is the effect: stills of strangers, a different one for each request, some of them corrupted, after an
/// update of 26 December 2019 that should improve streaming on poor networks. INFERRED is the cause, which is the model
/// in this file. The cache answers requests to slow cameras, and its key is too coarse to distinguish cameras.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "base/bytes.hpp"

namespace sealcam::incident {

/// All values are inferred.
struct FaultModel {
  double poor_share = 0.35;          ///< accounts whose camera is on a poor network
  double poor_delay_ms = 600;        ///< mean delay of its answers (exponential)
  double good_delay_ms = 90;         ///< mean delay of the other cameras
  double timeout_ms = 250;           ///< for a slower camera the cache answers
  unsigned slots = 4;                ///< number of cache keys; a camera's key is hash(id) % slots
  std::size_t depth = 12;            ///< pictures per slot; the oldest is dropped first
  double damaged_from_cache = 0.12;  ///< share that is truncated or has flipped bits
  double damaged_direct = 0.02;      ///< the same for pictures that do not come from the cache
};

/// Kind of picture in a message, as an observer without keys can determine it.
enum class Kind : std::uint8_t { still, key, delta, other };

/// A message as it leaves the cache.
struct Handed {
  std::shared_ptr<const Bytes> message;
  std::uint32_t source = 0;  ///< account of the camera that made it
  bool cached = false;       ///< taken from a slot
  bool damaged = false;
};

/// Chooses what to deliver, and sends no messages. One seeded generator per account makes all choices, in the order of
/// the account's messages. The content of a slot depends on the timing of the cameras. Thread-bound.
class FaultyCache {
 public:
  FaultyCache(const FaultModel& model, std::uint64_t seed, std::size_t accounts);

  /// The account's hub requests pictures. Chooses whether its camera is slow this time.
  void on_request(std::uint32_t account);
  /// A picture of the account's camera arrived. Returns the message for its hub, or nothing if the camera is slow and
  /// the cache has no picture.
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
  std::vector<std::deque<Entry>> slots_;  ///< per key, one for stills and one for key frames
  std::uint64_t requests_ = 0;
  std::uint64_t slow_requests_ = 0;
};

}  // namespace sealcam::incident
