// SPDX-License-Identifier: Apache-2.0
#include "hal/libcamera/module/completions.hpp"

#include "core/assert.hpp"

namespace sealcam::hal::libcamera {

void Completions::push(Done done) {
  const std::scoped_lock lock(mutex_);
  SC_ASSERT(count_ < ring_.size());
  ring_[(first_ + count_++) % ring_.size()] = done;
  changed_.notify_one();
}

void Completions::lose() {
  const std::scoped_lock lock(mutex_);
  lost_ = true;
  changed_.notify_one();
}

bool Completions::lost() const {
  const std::scoped_lock lock(mutex_);
  return lost_;
}

Completions::Done Completions::pop() {
  const Done done = ring_[first_];
  first_ = (first_ + 1) % ring_.size();
  --count_;
  return done;
}

std::optional<Completions::Done> Completions::wait(std::chrono::nanoseconds timeout) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout, [this] { return count_ > 0 || lost_; });
  if (lost_ || count_ == 0) return std::nullopt;
  return pop();
}

void Completions::pause(std::chrono::nanoseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [this] { return lost_; });
}

std::optional<Completions::Done> Completions::take(std::size_t least) {
  const std::scoped_lock lock(mutex_);
  if (lost_ || count_ == 0 || count_ < least) return std::nullopt;
  return pop();
}

}  // namespace sealcam::hal::libcamera
