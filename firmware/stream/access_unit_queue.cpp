// SPDX-License-Identifier: Apache-2.0
#include "stream/access_unit_queue.hpp"

#include <algorithm>

namespace sealcam::stream {

AccessUnitQueue::AccessUnitQueue(const QueueLimits& limits)
    : limits_(limits), ring_(limits.bytes), entries_(limits.slots) {
  SC_ASSERT(limits.slots > 0 && limits.largest <= limits.bytes && limits.largest > protocol::frame_header_size);
}

std::optional<std::size_t> AccessUnitQueue::find_room(std::size_t size) noexcept {
  if (count_ == entries_.size()) return std::nullopt;
  if (count_ == 0) return size <= ring_.size() ? std::optional<std::size_t>(0) : std::nullopt;
  const std::size_t begin = at(0).offset;
  const std::size_t end = at(count_ - 1).offset + at(count_ - 1).size;
  const bool wrapped = at(count_ - 1).offset < begin;
  if (wrapped) return begin - end >= size ? std::optional(end) : std::nullopt;
  if (ring_.size() - end >= size) return end;
  return begin >= size ? std::optional<std::size_t>(0) : std::nullopt;
}

void AccessUnitQueue::await_keyframe() noexcept {
  need_keyframe_ = true;
  asked_ = false;
}

// Removes entries that stand at the front or right behind the lent one, whose record moves up.
void AccessUnitQueue::drop(std::size_t from, std::size_t count) noexcept {
  SC_ASSERT(from <= 1 && from + count <= count_);
  if (count == 0) return;
  if (from == 1) at(count) = at(0);
  head_ = (head_ + count) % entries_.size();
  count_ -= count;
  counters_.dropped += count;
  ++counters_.dropped_groups;
}

bool AccessUnitQueue::drop_group() noexcept {
  const std::size_t first = lent_ ? 1 : 0;
  if (first >= count_) return false;
  std::size_t end = first + 1;
  while (end < count_ && !at(end).info.keyframe) ++end;
  if (end == count_) await_keyframe();  // the newest group is the one that goes: its rest is still to come
  drop(first, end - first);
  return true;
}

bool AccessUnitQueue::push(ByteView access_unit, const UnitInfo& info) {
  const std::scoped_lock lock(mutex_);
  if (need_keyframe_ && !info.keyframe) {
    ++counters_.refused;
    return false;
  }
  const std::size_t size = protocol::frame_header_size + access_unit.size();
  std::optional<std::size_t> offset;
  if (size <= limits_.largest) {
    offset = find_room(size);
    while (!offset && drop_group()) offset = find_room(size);
  }
  if (!offset || (need_keyframe_ && !info.keyframe)) {
    // Too large, or its own group had to go, or the lent unit is in the way.
    if (!need_keyframe_ || info.keyframe) await_keyframe();
    ++counters_.refused;
    return false;
  }
  ++count_;
  at(count_ - 1) = Entry{*offset, size, info};
  std::ranges::copy(access_unit, ring_.begin() + static_cast<std::ptrdiff_t>(*offset + protocol::frame_header_size));
  if (info.keyframe) need_keyframe_ = asked_ = false;
  ++counters_.pushed;
  return true;
}

void AccessUnitQueue::break_group() {
  const std::scoped_lock lock(mutex_);
  if (!need_keyframe_) await_keyframe();
}

bool AccessUnitQueue::take_keyframe_request() {
  const std::scoped_lock lock(mutex_);
  if (!need_keyframe_ || asked_ || count_ > 0) return false;
  asked_ = true;
  ++counters_.keyframe_requests;
  return true;
}

std::optional<AccessUnitQueue::Unit> AccessUnitQueue::take() {
  const std::scoped_lock lock(mutex_);
  SC_ASSERT(!lent_);
  if (count_ == 0) return std::nullopt;
  lent_ = true;
  ++counters_.taken;
  const Entry& entry = at(0);
  return Unit{MutableBytes(ring_).subspan(entry.offset, entry.size), entry.info};
}

void AccessUnitQueue::release() {
  const std::scoped_lock lock(mutex_);
  SC_ASSERT(lent_ && count_ > 0);
  lent_ = false;
  head_ = (head_ + 1) % entries_.size();
  --count_;
}

void AccessUnitQueue::clear() {
  const std::scoped_lock lock(mutex_);
  while (drop_group()) {
  }
  await_keyframe();
}

void AccessUnitQueue::drop_stale(MonotonicTime limit) {
  const std::scoped_lock lock(mutex_);
  const std::size_t first = lent_ ? 1 : 0;
  while (first < count_ && at(first).info.captured < limit) {
    std::size_t next = first + 1;
    while (next < count_ && !at(next).info.keyframe) ++next;
    if (next == count_) return;
    drop(first, next - first);
  }
}

std::size_t AccessUnitQueue::size() const {
  const std::scoped_lock lock(mutex_);
  return count_;
}

QueueCounters AccessUnitQueue::counters() const {
  const std::scoped_lock lock(mutex_);
  return counters_;
}

}  // namespace sealcam::stream
