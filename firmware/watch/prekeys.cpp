// SPDX-License-Identifier: Apache-2.0
#include "watch/prekeys.hpp"

#include <algorithm>

namespace sealcam::watch {
namespace {

/// Clocks are corrected by small steps. A larger step back means that the age of the newest key is unknown.
constexpr std::chrono::minutes clock_tolerance{1};
constexpr std::chrono::minutes retry_after{1};

}  // namespace

Prekeys::Prekeys(device::PrekeyStore& store, const Clock& clock, Log& log)
    : store_(&store), clock_(&clock), log_(&log), started_(clock.boot()), newest_since_(started_) {}

Result<Prekeys> Prekeys::open(device::PrekeyStore& store, const Clock& clock, Log& log) {
  Prekeys prekeys(store, clock, log);
  auto loaded = store.load();
  if (!loaded) return std::unexpected(loaded.error());
  prekeys.keys_ = std::move(*loaded);
  const auto* newest = prekeys.newest();
  if (newest != nullptr && clock.wall().since_epoch + clock_tolerance < newest->made.since_epoch) prekeys.make();
  prekeys.tick();
  prekeys.opened_ = true;
  return prekeys;
}

void Prekeys::tick() {
  const auto now = clock_->boot();
  if (retry_ && now < *retry_) return;
  retry_.reset();
  if (due()) make();
  forget_expired();
}

const crypto::AgreementKey* Prekeys::find(PrekeyNumber number) const noexcept {
  const auto found = std::ranges::find(keys_, number, &device::StoredPrekey::number);
  return found == keys_.end() ? nullptr : &found->key;
}

void Prekeys::note_used(PrekeyNumber number) { used_.insert_or_assign(number, clock_->boot()); }

bool Prekeys::due() const {
  return keys_.empty() || clock_->boot() - newest_since_ >= renew_after ||
         clock_->wall().since_epoch - keys_.back().made.since_epoch >= renew_after;
}

void Prekeys::make() {
  auto made = store_->make(clock_->wall());
  if (!made) return report("make", made.error());
  // Cameras may seal to the earlier key until they received this one.
  if (opened_ && !keys_.empty()) note_used(keys_.back().number);
  keys_.push_back(*made);
  newest_since_ = clock_->boot();
}

bool Prekeys::expired(const device::StoredPrekey& key) const {
  const auto now = clock_->boot();
  if (now - started_ < settle || clock_->wall().since_epoch - key.made.since_epoch < keep_for) return false;
  const auto used = used_.find(key.number);
  return used == used_.end() || now - used->second >= in_use;
}

void Prekeys::forget_expired() {
  // The newest key stays: it is the one that cameras receive.
  for (auto it = keys_.begin(); it != keys_.end() && std::next(it) != keys_.end();) {
    const bool excess = static_cast<std::size_t>(keys_.end() - it) > max_kept;
    if (!excess && !expired(*it)) {
      ++it;
      continue;
    }
    if (auto r = store_->forget(it->number); !r) return report("forget", r.error());
    used_.erase(it->number);
    it = keys_.erase(it);
  }
}

void Prekeys::report(const char* what, const Error& error) {
  retry_ = clock_->boot() + retry_after;
  if (log_limit_.allow(clock_->monotonic()))
    log_->error("cannot {} a prekey: {}; the hub tries again each minute{}", what, to_string(error), log_limit_.note());
}

}  // namespace sealcam::watch
