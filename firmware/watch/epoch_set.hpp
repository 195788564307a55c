// SPDX-License-Identifier: Apache-2.0
/// The epochs of one camera at one hub: the current one, which echoed us, up to two that may become current, and
/// those that were closed. Thread-bound.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <string>

#include "crypto/sframe.hpp"
#include "watch/freshness.hpp"
#include "watch/picture_cache.hpp"
#include "watch/stream_order.hpp"

namespace sealcam::watch {

struct EpochState {
  static constexpr std::size_t held_limit = 4U << 20;
  Epoch epoch;
  std::shared_ptr<const crypto::sframe::OpeningKey> key;
  std::string camera_name;
  ChallengeSerial known_since{};  ///< challenges from this on were made after its grants had come
  StreamOrder order{};
  PictureGroup held{held_limit};  ///< pictures before the first echo, to be shown with it
  bool shown = false;             ///< its pictures are on the screen, perhaps as STALE
  std::uint32_t asks = 0;
  MonotonicTime next_ask{};
};

class EpochSet {
 public:
  static constexpr std::size_t max_candidates = 2;  // the highest, and the newest comer
  static constexpr std::size_t max_closed = 16;

  /// A grant opened for an epoch that is neither known nor closed. The candidate that is longest here
  /// makes room, save the highest.
  EpochState& add_candidate(EpochState epoch);
  /// A frame of it echoed a challenge of ours: it becomes current, the one before is closed.
  void promote(EpochState& epoch);
  void clear() noexcept;

  [[nodiscard]] EpochState* find(Epoch epoch) noexcept;
  [[nodiscard]] bool closed(Epoch epoch) const noexcept;
  [[nodiscard]] EpochState* current() noexcept { return has_current_ ? &known_.front() : nullptr; }
  [[nodiscard]] const EpochState* current() const noexcept { return has_current_ ? &known_.front() : nullptr; }
  /// While nothing echoed us yet: whose pictures may be shown as STALE. The highest epoch, since a broker can only
  /// offer older ones than the camera's; null when there is none or a current epoch.
  [[nodiscard]] const EpochState* preferred() const noexcept;
  /// The current epoch first, then candidates, the newest last.
  [[nodiscard]] std::list<EpochState>& known() noexcept { return known_; }
  [[nodiscard]] const std::list<EpochState>& known() const noexcept { return known_; }

 private:
  std::list<EpochState> known_;  // stable addresses
  bool has_current_ = false;
  std::deque<Epoch> closed_;
};

}  // namespace sealcam::watch
