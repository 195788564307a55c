// SPDX-License-Identifier: Apache-2.0
#include "watch/epochs.hpp"

#include <algorithm>

#include "base/types.hpp"

namespace sealcam::watch {

std::optional<protocol::ReceiverReport> ReceivedVideo::report() const noexcept {
  if (!zero_) return std::nullopt;
  return protocol::ReceiverReport{
      .counter = newest_,
      .arrival = std::chrono::duration_cast<std::chrono::milliseconds>(arrived_ - *zero_),
      .received = count_,
  };
}

Result<EpochState> open_epoch(const protocol::Grants& grants, const protocol::Route& route,
                              const crypto::DeviceKeys& keys, Prekeys* prekeys, ChallengeSerial next, bool keep_key) {
  PrekeyNumber used;
  const auto key_of = [&](PrekeyNumber number) -> const crypto::AgreementKey* {
    used = number;
    if (number == PrekeyNumber()) return &keys.hpke;
    return prekeys == nullptr ? nullptr : prekeys->find(number);
  };
  auto content = protocol::open_grant(grants, route, keys.identity.id(), key_of);
  if (!content) return std::unexpected(content.error());
  if (used != PrekeyNumber()) prekeys->note_used(used);
  auto key = crypto::sframe::OpeningKey::open(grants.suite, grants.epoch, content->base_key);
  if (!key) return std::unexpected(key.error());
  EpochState state{
      .epoch = grants.epoch,
      .key = std::make_shared<const crypto::sframe::OpeningKey>(std::move(*key)),
      .camera_name = shown_device_name(content->camera_name),
      .grant_key = used,
      .known_since = next,
  };
  if (auto software = protocol::open_software_report(grants, route, *content))
    state.software = std::make_shared<const protocol::SoftwareReport>(std::move(*software));
  if (keep_key)
    state.recorded =
        std::make_shared<device::RecordedEpoch>(route, crypto::PublicKey(), Bytes(), Bytes(), grants.epoch,
                                                std::move(content->base_key), std::move(content->camera_name));
  return state;
}

EpochState& EpochSet::add_candidate(EpochState epoch) {
  const auto first = has_current_ ? std::next(known_.begin()) : known_.begin();
  // The candidate with the highest number stays. Without its record of received counters, a broker that offers it again
  // could make the hub show its pictures twice.
  if (static_cast<std::size_t>(std::distance(first, known_.end())) >= max_candidates)
    known_.erase(first == std::ranges::max_element(first, known_.end(), {}, &EpochState::epoch) ? std::next(first)
                                                                                                : first);
  return known_.emplace_back(std::move(epoch));
}

bool EpochSet::promote(EpochState& epoch) {
  const auto it = std::ranges::find_if(known_, [&](const EpochState& e) { return &e == &epoch; });
  SC_ASSERT(it != known_.end());
  if (has_current_) {
    closed_.push_back(known_.front().epoch);
    if (closed_.size() > max_closed) closed_.pop_front();
    known_.pop_front();
  }
  known_.splice(known_.begin(), known_, it);
  has_current_ = true;
  const auto counter = counter_of(epoch.epoch);
  if (counter <= max_counter_) return false;
  max_counter_ = counter;
  std::erase_if(known_, [&](const EpochState& e) { return below_max(e.epoch); });
  return true;
}

void EpochSet::clear() noexcept {
  known_.clear();
  has_current_ = false;
}

EpochState* EpochSet::find(Epoch epoch) noexcept {
  const auto it = std::ranges::find(known_, epoch, &EpochState::epoch);
  return it == known_.end() ? nullptr : &*it;
}

bool EpochSet::closed(Epoch epoch) const noexcept {
  return below_max(epoch) || std::ranges::find(closed_, epoch) != closed_.end();
}

const EpochState* EpochSet::preferred() const noexcept {
  if (has_current_ || known_.empty()) return nullptr;
  return &*std::ranges::max_element(known_, {}, &EpochState::epoch);
}

void CloneDetector::on_replaced(const EpochState& a, Epoch b, ChallengeSerial echoed, ChallengeSerial next) {
  // Otherwise A is not known to have begun before B was in use (event 1 of the proof).
  if (echoed < a.known_since) return;
  if (replaced_.size() == max_replaced) replaced_.pop_front();
  replaced_.push_back({.epoch = a.epoch, .key = a.key, .replaced_by = b, .seen = next});
}

void CloneDetector::on_old(Epoch epoch, std::shared_ptr<const crypto::sframe::OpeningKey> key, Epoch replaced_by,
                           ChallengeSerial next) {
  old_ = {.epoch = epoch, .key = std::move(key), .replaced_by = replaced_by, .seen = next, .active = true, .old = true};
}

void CloneDetector::on_promoted(Epoch current, ChallengeSerial next) noexcept {
  if (!old_) return;
  old_->replaced_by = current;
  old_->seen = next;
}

bool CloneDetector::proves(Epoch epoch, ChallengeSerial echoed) const noexcept {
  const auto* replaced = find(epoch);
  return replaced != nullptr && echoed >= replaced->seen;
}

const ReplacedEpoch* CloneDetector::find(Epoch epoch) const noexcept {
  if (old_ && old_->epoch == epoch) return &*old_;
  const auto found = std::ranges::find(replaced_, epoch, &ReplacedEpoch::epoch);
  return found == replaced_.end() ? nullptr : &*found;
}

void CloneDetector::on_activity(Epoch epoch) noexcept {
  for (auto& replaced : replaced_)
    if (replaced.epoch == epoch) replaced.active = true;
  if (old_ && old_->epoch == epoch) old_->active = true;
}

void CloneDetector::on_activity() noexcept {
  for (auto& replaced : replaced_) replaced.active = true;
  if (old_) old_->active = true;
}

const ReplacedEpoch* CloneDetector::take_active() noexcept {
  if (const auto found = std::ranges::find(replaced_, true, &ReplacedEpoch::active); found != replaced_.end()) {
    found->active = false;
    return &*found;
  }
  if (!old_ || !old_->active) return nullptr;
  old_->active = false;
  return &*old_;
}

}  // namespace sealcam::watch
