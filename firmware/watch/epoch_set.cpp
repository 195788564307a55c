// SPDX-License-Identifier: Apache-2.0
#include "watch/epoch_set.hpp"

#include <algorithm>

namespace sealcam::watch {

EpochState& EpochSet::add_candidate(EpochState epoch) {
  const auto first = has_current_ ? std::next(known_.begin()) : known_.begin();
  // The highest stays: with it would go what was seen of it, and a broker that offers it again could have it shown
  // again.
  if (static_cast<std::size_t>(std::distance(first, known_.end())) >= max_candidates)
    known_.erase(first == std::ranges::max_element(first, known_.end(), {}, &EpochState::epoch) ? std::next(first)
                                                                                                : first);
  return known_.emplace_back(std::move(epoch));
}

void EpochSet::promote(EpochState& epoch) {
  const auto it = std::ranges::find_if(known_, [&](const EpochState& e) { return &e == &epoch; });
  SC_ASSERT(it != known_.end());
  if (has_current_) {
    closed_.push_back(known_.front().epoch);
    if (closed_.size() > max_closed) closed_.pop_front();
    known_.pop_front();
  }
  known_.splice(known_.begin(), known_, it);
  has_current_ = true;
}

void EpochSet::clear() noexcept {
  known_.clear();
  has_current_ = false;
}

EpochState* EpochSet::find(Epoch epoch) noexcept {
  const auto it = std::ranges::find(known_, epoch, &EpochState::epoch);
  return it == known_.end() ? nullptr : &*it;
}

bool EpochSet::closed(Epoch epoch) const noexcept { return std::ranges::find(closed_, epoch) != closed_.end(); }

const EpochState* EpochSet::preferred() const noexcept {
  if (has_current_ || known_.empty()) return nullptr;
  return &*std::ranges::max_element(known_, {}, &EpochState::epoch);
}

}  // namespace sealcam::watch
