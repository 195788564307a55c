// SPDX-License-Identifier: Apache-2.0
/// Caches between cameras and hubs that deliver pictures to the wrong accounts.
#pragma once

#include <deque>
#include <optional>
#include <random>

#include "fault.hpp"

namespace sealcam::incident {

/// All values are inferred.
struct CacheModel {
  double poor_share = 0.35;          ///< accounts whose camera is on a poor network
  double poor_delay_ms = 600;        ///< mean delay of its answers (exponential)
  double good_delay_ms = 90;         ///< mean delay of the other cameras
  double timeout_ms = 250;           ///< for a slower camera the cache answers
  unsigned slots = 4;                ///< number of cache keys; a camera's key is hash(id) % slots
  std::size_t depth = 12;            ///< pictures per slot; the oldest is dropped first
  double damaged_from_cache = 0.12;  ///< share that is truncated or has flipped bits
  double damaged_direct = 0.02;      ///< the same for pictures that do not come from the cache
};

/// A cache for slow cameras, whose key is too coarse to distinguish cameras.
///
/// PUBLISHED is the effect: stills of strangers, a different one for each request, some of them corrupted, after an
/// update that should improve streaming on poor networks. INFERRED is the cause, which is the model in this class. One
/// seeded generator per account makes all choices, in the order of the account's messages. The content of a slot
/// depends on the timing of the cameras.
class FaultyCache final : public Fault {
 public:
  FaultyCache(const CacheModel& model, std::uint64_t seed, std::size_t accounts);

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
  void do_begin_wave() override;
  void do_on_request(std::uint32_t account) override;
  std::vector<Handed> do_pass(std::uint32_t account, Kind kind, ByteView message) override;
  [[nodiscard]] std::vector<std::string> do_model() const override;
  void open(std::uint32_t account);
  [[nodiscard]] std::deque<Entry>& slot(const Account& account, Kind kind) noexcept;
  [[nodiscard]] bool chance(Account& account, double probability);
  void damage(Account& account, Handed& handed);

  CacheModel model_;
  std::uint64_t seed_;
  std::map<std::uint32_t, Account> accounts_;  ///< of this wave
  std::vector<std::deque<Entry>> slots_;       ///< per key, one for stills and one for key frames
  std::uint64_t requests_ = 0;
  std::uint64_t slow_requests_ = 0;
};

/// A web cache with one key for all users.
///
/// PUBLISHED is the effect: for about 30 minutes, users of the web page saw the cameras of about ten other users.
/// INFERRED is the cause: the cache stores the page of one user and delivers it to all, until it expires.
class GlobalCache final : public Fault {
 public:
  /// `accounts`: all of the run. The fault ends before round `rounds`.
  GlobalCache(std::size_t accounts, unsigned rounds);

 private:
  static constexpr std::size_t stored_pages = 10;
  void do_on_request(std::uint32_t account) override;
  std::vector<Handed> do_pass(std::uint32_t account, Kind kind, ByteView message) override;
  [[nodiscard]] std::vector<std::string> do_model() const override;

  std::size_t requests_per_page_;
  unsigned rounds_;
  std::size_t requests_ = 0;  ///< since the page was stored
  std::shared_ptr<const Bytes> page_;
  std::uint32_t source_ = 0;
};

}  // namespace sealcam::incident
