// SPDX-License-Identifier: Apache-2.0
#include "watch/verify_pool.hpp"

#include <algorithm>

namespace sealcam::watch {

VerifyPool::VerifyPool(unsigned threads, std::function<void()> wake) : wake_(std::move(wake)) {
  if (threads == 0) threads = std::max(2U, std::thread::hardware_concurrency()) - 1;
  for (unsigned i = 0; i < threads; ++i) workers_.emplace_back([this](const std::stop_token& stop) { work(stop); });
}

VerifyPool::~VerifyPool() {
  for (auto& worker : workers_) worker.request_stop();
  workers_.clear();
}

Lane VerifyPool::do_add_lane(Handler handler) {
  std::scoped_lock lock(mutex_);
  const Lane lane{next_lane_++};
  lanes_[lane].handler = std::move(handler);
  return lane;
}

void VerifyPool::do_remove_lane(Lane lane) {
  std::scoped_lock lock(mutex_);
  const auto found = lanes_.find(lane);
  if (found == lanes_.end()) return;
  for (auto& slot : found->second.slots)
    if (slot->state == Slot::State::running) orphans_.push_back(std::move(slot));
  queued_ -= found->second.queued;
  lanes_.erase(found);
}

std::unique_ptr<FrameCheck> VerifyPool::do_make() {
  std::scoped_lock lock(mutex_);
  return stock_.take();
}

std::size_t VerifyPool::do_submit(Lane id, std::unique_ptr<FrameCheck> frame) {
  SC_ASSERT(frame->frame && frame->camera);
  std::size_t dropped = 0;
  {
    std::scoped_lock lock(mutex_);
    const auto found = lanes_.find(id);
    if (found == lanes_.end()) return 1;
    auto& lane = found->second;
    const auto size = frame->message.size();
    dropped = make_room(lane, size);
    if (lane.slots.size() >= max_frames || lane.bytes + size > max_bytes) {
      stock_.put(std::move(frame));
      return dropped + 1;
    }
    lane.bytes += size;
    ++lane.queued;
    ++queued_;
    auto slot = std::make_unique<Slot>();
    slot->frame = std::move(frame);
    lane.slots.push_back(std::move(slot));
  }
  work_.notify_one();
  return dropped;
}

std::size_t VerifyPool::make_room(LaneState& lane, std::size_t bytes) {
  std::size_t dropped = 0;
  while (lane.queued > 0 && (lane.slots.size() >= max_frames || lane.bytes + bytes > max_bytes))
    dropped += drop_oldest_group(lane);
  return dropped;
}

// A group ends where the next key frame or still begins; both claims are unverified and only decide what goes first.
std::size_t VerifyPool::drop_oldest_group(LaneState& lane) {
  const auto queued = [](const auto& slot) { return slot->state == Slot::State::queued; };
  const auto first = std::ranges::find_if(lane.slots, queued);
  auto last = first;
  for (++last; last != lane.slots.end(); ++last) {
    const auto kind = (*last)->frame->frame->kind;
    if (queued(*last) && (kind == protocol::FrameKind::key || kind == protocol::FrameKind::still)) break;
  }
  std::size_t dropped = 0;
  for (auto i = first; i != last; ++i) {
    if (!queued(*i)) continue;
    lane.bytes -= (*i)->frame->message.size();
    stock_.put(std::move((*i)->frame));
    i->reset();
    ++dropped;
  }
  std::erase_if(lane.slots, [](const auto& slot) { return !slot; });
  lane.queued -= dropped;
  queued_ -= dropped;
  return dropped;
}

VerifyPool::Slot* VerifyPool::next_queued() {
  auto lane = lanes_.upper_bound(last_served_);
  for (std::size_t i = 0; i < lanes_.size(); ++i, ++lane) {
    if (lane == lanes_.end()) lane = lanes_.begin();
    if (lane->second.queued == 0) continue;
    for (auto& slot : lane->second.slots) {
      if (slot->state != Slot::State::queued) continue;
      --lane->second.queued;
      --queued_;
      last_served_ = lane->first;
      return slot.get();
    }
  }
  return nullptr;
}

void VerifyPool::work(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (work_.wait(lock, stop, [this] { return queued_ > 0; }) && !stop.stop_requested()) {
    Slot* slot = next_queued();
    SC_ASSERT(slot != nullptr);
    slot->state = Slot::State::running;
    auto& frame = *slot->frame;
    lock.unlock();
    check_frame(frame);
    lock.lock();
    slot->state = Slot::State::done;
    if (std::erase_if(orphans_, [&](const auto& o) { return o.get() == slot; }) > 0) continue;
    if (woken_ || !ready_locked()) continue;
    woken_ = true;
    lock.unlock();
    wake_();
    lock.lock();
  }
}

bool VerifyPool::ready_locked() const {
  return std::ranges::any_of(lanes_, [](const auto& lane) {
    return !lane.second.slots.empty() && lane.second.slots.front()->state == Slot::State::done;
  });
}

void VerifyPool::do_drain() {
  std::unique_lock lock(mutex_);
  woken_ = false;
  // By id, since a handler may add or remove lanes.
  for (auto at = lanes_.begin(); at != lanes_.end();) {
    const Lane id = at->first;
    auto& lane = at->second;
    if (lane.slots.empty() || lane.slots.front()->state != Slot::State::done) {
      ++at;
      continue;
    }
    auto slot = std::move(lane.slots.front());
    lane.slots.pop_front();
    lane.bytes -= slot->frame->message.size();
    const Handler handler = lane.handler;
    lock.unlock();
    handler(*slot->frame);
    lock.lock();
    stock_.put(std::move(slot->frame));
    at = lanes_.lower_bound(id);
  }
}

}  // namespace sealcam::watch
