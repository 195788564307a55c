// SPDX-License-Identifier: Apache-2.0
#include "watch/verify_pool.hpp"

#include <algorithm>
#include <utility>

namespace sealcam::watch {

using protocol::RejectReason;

static std::optional<RejectReason> check(FrameCheck& f) {
  SC_ASSERT(f.frame && f.camera);
  if (auto r = f.camera->opener.verify(*f.frame, f.camera->verifier); !r)
    return r.error().code == Errc::wrong_key ? RejectReason::wrong_account : RejectReason::bad_signature;
  if (!f.key) return RejectReason::not_decryptable;
  if (f.plain.size() < f.frame->sealed.size()) f.plain.resize(f.frame->sealed.size());
  const auto opened = f.camera->opener.open(f.plain, *f.frame, *f.key);
  if (!opened) {
    const auto code = opened.error().code;
    return code == Errc::malformed || code == Errc::unsupported ? RejectReason::malformed
                                                                : RejectReason::not_decryptable;
  }
  const bool picture = f.frame->kind != protocol::FrameKind::report;
  if (picture != (opened->header.codec == protocol::Codec::h264_annex_b) || (picture && opened->content.empty()))
    return RejectReason::malformed;
  if (!picture && !protocol::decode_report(opened->content)) return RejectReason::malformed;
  const auto rule = f.camera->rule;
  const bool key = f.frame->kind != protocol::FrameKind::delta;
  if (picture && rule != nullptr && !rule(opened->content, opened->header.width, opened->header.height, key))
    return RejectReason::malformed;
  f.header = opened->header;
  f.content = opened->content;
  return std::nullopt;
}

void check_frame(FrameCheck& frame) { frame.rejection = check(frame); }

std::unique_ptr<FrameCheck> FrameStock::take() {
  if (free_.empty()) return std::make_unique<FrameCheck>();
  auto frame = std::move(free_.back());
  free_.pop_back();
  return frame;
}

void FrameStock::put(std::unique_ptr<FrameCheck> frame) {
  if (free_.size() == max_frames || frame->message.capacity() > max_buffer || frame->plain.capacity() > max_buffer)
    return;
  frame->frame.reset();
  frame->camera.reset();
  frame->key.reset();
  frame->content = {};
  frame->rejection.reset();
  free_.push_back(std::move(frame));
}

void HeldFrames::add(std::unique_ptr<FrameCheck> frame) {
  bytes_ += frame->message.size();
  frames_.push_back(std::move(frame));
}

std::vector<std::unique_ptr<FrameCheck>> HeldFrames::take(Epoch epoch) {
  std::vector<std::unique_ptr<FrameCheck>> taken;
  for (auto& frame : std::exchange(frames_, {})) {
    if (frame->frame->epoch != epoch) {
      frames_.push_back(std::move(frame));
      continue;
    }
    bytes_ -= frame->message.size();
    taken.push_back(std::move(frame));
  }
  return taken;
}

std::unique_ptr<FrameCheck> HeldFrames::take_excess(BootTime now) {
  if (frames_.empty() || (bytes_ <= max_bytes && now - frames_.front()->received <= max_age)) return nullptr;
  auto frame = std::move(frames_.front());
  frames_.pop_front();
  bytes_ -= frame->message.size();
  return frame;
}

void HeldFrames::clear() noexcept {
  frames_.clear();
  bytes_ = 0;
}

VerifyPool::VerifyPool(unsigned threads, std::function<void()> wake) : wake_(std::move(wake)) {
  if (threads == 0) threads = std::max(2U, std::thread::hardware_concurrency()) - 1;
  for (unsigned i = 0; i < threads; ++i) workers_.emplace_back([this](const std::stop_token& stop) { work(stop); });
}

VerifyPool::~VerifyPool() {
  for (auto& worker : workers_) worker.request_stop();
  workers_.clear();
}

VerificationQueue VerifyPool::do_add_queue(Handler handler) {
  std::scoped_lock lock(mutex_);
  const VerificationQueue queue{next_queue_++};
  queues_[queue].handler = std::move(handler);
  return queue;
}

void VerifyPool::do_remove_queue(VerificationQueue queue) {
  std::scoped_lock lock(mutex_);
  const auto found = queues_.find(queue);
  if (found == queues_.end()) return;
  for (auto& slot : found->second.slots)
    if (slot->state == Slot::State::running) orphans_.push_back(std::move(slot));
  queued_ -= found->second.queued;
  queues_.erase(found);
}

std::unique_ptr<FrameCheck> VerifyPool::do_make() {
  std::scoped_lock lock(mutex_);
  return stock_.take();
}

std::size_t VerifyPool::do_submit(VerificationQueue id, std::unique_ptr<FrameCheck> frame) {
  SC_ASSERT(frame->frame && frame->camera);
  std::size_t dropped = 0;
  {
    std::scoped_lock lock(mutex_);
    const auto found = queues_.find(id);
    if (found == queues_.end()) return 1;
    auto& queue = found->second;
    const auto size = frame->message.size();
    dropped = make_room(queue, size);
    if (queue.slots.size() >= max_frames || queue.bytes + size > max_bytes) {
      stock_.put(std::move(frame));
      return dropped + 1;
    }
    queue.bytes += size;
    ++queue.queued;
    ++queued_;
    auto slot = std::make_unique<Slot>();
    slot->frame = std::move(frame);
    queue.slots.push_back(std::move(slot));
  }
  work_.notify_one();
  return dropped;
}

std::size_t VerifyPool::make_room(QueueState& queue, std::size_t bytes) {
  std::size_t dropped = 0;
  while (queue.queued > 0 && (queue.slots.size() >= max_frames || queue.bytes + bytes > max_bytes))
    dropped += drop_oldest_group(queue);
  return dropped;
}

// A group ends at the next key frame or still. The kinds are not verified yet; they only decide which frames are
// dropped.
std::size_t VerifyPool::drop_oldest_group(QueueState& queue) {
  const auto queued = [](const auto& slot) { return slot->state == Slot::State::queued; };
  const auto first = std::ranges::find_if(queue.slots, queued);
  auto last = first;
  for (++last; last != queue.slots.end(); ++last) {
    const auto kind = (*last)->frame->frame->kind;
    if (queued(*last) && (kind == protocol::FrameKind::key || kind == protocol::FrameKind::still)) break;
  }
  std::size_t dropped = 0;
  for (auto i = first; i != last; ++i) {
    if (!queued(*i)) continue;
    queue.bytes -= (*i)->frame->message.size();
    stock_.put(std::move((*i)->frame));
    i->reset();
    ++dropped;
  }
  std::erase_if(queue.slots, [](const auto& slot) { return !slot; });
  queue.queued -= dropped;
  queued_ -= dropped;
  return dropped;
}

VerifyPool::Slot* VerifyPool::next_queued() {
  auto queue = queues_.upper_bound(last_served_);
  for (std::size_t i = 0; i < queues_.size(); ++i, ++queue) {
    if (queue == queues_.end()) queue = queues_.begin();
    if (queue->second.queued == 0) continue;
    for (auto& slot : queue->second.slots) {
      if (slot->state != Slot::State::queued) continue;
      --queue->second.queued;
      --queued_;
      last_served_ = queue->first;
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
  return std::ranges::any_of(queues_, [](const auto& queue) {
    return !queue.second.slots.empty() && queue.second.slots.front()->state == Slot::State::done;
  });
}

void VerifyPool::do_drain() {
  std::unique_lock lock(mutex_);
  woken_ = false;
  // Continues by id, because a handler may add or remove queues.
  for (auto at = queues_.begin(); at != queues_.end();) {
    const VerificationQueue id = at->first;
    auto& queue = at->second;
    if (queue.slots.empty() || queue.slots.front()->state != Slot::State::done) {
      ++at;
      continue;
    }
    auto slot = std::move(queue.slots.front());
    queue.slots.pop_front();
    queue.bytes -= slot->frame->message.size();
    const Handler handler = queue.handler;
    lock.unlock();
    handler(*slot->frame);
    lock.lock();
    stock_.put(std::move(slot->frame));
    at = queues_.lower_bound(id);
  }
}

}  // namespace sealcam::watch
