// SPDX-License-Identifier: Apache-2.0
#include "watch/clone_watch.hpp"

#include <algorithm>

namespace sealcam::watch {

void CloneWatch::on_replaced(const EpochState& a, Epoch b, ChallengeSerial echoed, ChallengeSerial next) {
  // Not known to have begun before `b` was in use: it proves nothing (1 of the proof).
  if (echoed < a.known_since) return;
  if (replaced_.size() == max_replaced) replaced_.pop_front();
  replaced_.push_back({.epoch = a.epoch, .key = a.key, .replaced_by = b, .seen = next});
}

bool CloneWatch::proves(Epoch epoch, ChallengeSerial echoed) const noexcept {
  const auto* replaced = find(epoch);
  return replaced != nullptr && echoed >= replaced->seen;
}

const ReplacedEpoch* CloneWatch::find(Epoch epoch) const noexcept {
  const auto found = std::ranges::find(replaced_, epoch, &ReplacedEpoch::epoch);
  return found == replaced_.end() ? nullptr : &*found;
}

void CloneWatch::on_sign_of_life(Epoch epoch) noexcept {
  for (auto& replaced : replaced_)
    if (replaced.epoch == epoch) replaced.sign_of_life = true;
}

void CloneWatch::on_sign_of_life() noexcept {
  for (auto& replaced : replaced_) replaced.sign_of_life = true;
}

const ReplacedEpoch* CloneWatch::take_sign_of_life() noexcept {
  const auto found = std::ranges::find(replaced_, true, &ReplacedEpoch::sign_of_life);
  if (found == replaced_.end()) return nullptr;
  found->sign_of_life = false;
  return &*found;
}

}  // namespace sealcam::watch
