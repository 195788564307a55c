// SPDX-License-Identifier: Apache-2.0
#include "stream/capture/access_unit_queue.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace sealcam::stream {

/// The ring is large for slow networks. Without this, all of it would be resident although units usually leave at once.
static void release_pages(MutableBytes ring) noexcept {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* begin = ring.data();
  std::size_t left = ring.size();
  if (std::align(page, page, begin, left) != nullptr) (void)::madvise(begin, left / page * page, MADV_DONTNEED);
}

AccessUnitQueue::AccessUnitQueue(const QueueLimits& limits)
    : limits_(limits), ring_(limits.bytes), entries_(limits.slots) {
  SC_ASSERT(limits.slots > 0 && limits.max_unit <= limits.bytes && limits.max_unit > protocol::FrameHeader::max_size);
  release_pages(ring_);
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
  keyframe_requested_ = false;
}

// Removes `count` entries from the front, or from behind the lent entry. The record of the lent entry moves up.
void AccessUnitQueue::drop(std::size_t from, std::size_t count) noexcept {
  SC_ASSERT(from <= 1 && from + count <= count_);
  if (count == 0) return;
  if (from == 1) at(count) = at(0);
  head_ = (head_ + count) % entries_.size();
  count_ -= count;
}

void AccessUnitQueue::count_dropped(std::size_t count) noexcept {
  counters_.dropped += count;
  ++counters_.dropped_groups;
}

// The index of the next key frame behind `from`, or the number of units.
std::size_t AccessUnitQueue::next_keyframe(std::size_t from) const noexcept {
  std::size_t next = from + 1;
  while (next < count_ && !at(next).info.keyframe) ++next;
  return next;
}

// The newest group stays, because without it nothing could be decoded until the next key frame.
void AccessUnitQueue::expire(MonotonicTime limit) noexcept {
  const std::size_t first = lent_ ? 1 : 0;
  while (first < count_ && at(first).info.captured < limit) {
    const std::size_t next = next_keyframe(first);
    if (next >= count_) return;
    counters_.expired += next - first;
    drop(first, next - first);
  }
}

bool AccessUnitQueue::drop_group() noexcept {
  const std::size_t first = lent_ ? 1 : 0;
  if (first >= count_) return false;
  const std::size_t end = next_keyframe(first);
  if (end == count_) await_keyframe();  // the newest group is dropped, and the rest of it has not arrived yet
  count_dropped(end - first);
  drop(first, end - first);
  return true;
}

bool AccessUnitQueue::push(ByteView access_unit, const UnitInfo& info) {
  const std::scoped_lock lock(mutex_);
  const bool early = info.captured < limit_;
  if (early && info.keyframe) await_keyframe();  // this key frame fulfilled the last request
  if (early || (need_keyframe_ && !info.keyframe)) {
    ++counters_.rejected;
    return false;
  }
  const std::size_t header = protocol::FrameHeader::size(info.echoes);
  const std::size_t size = header + access_unit.size();
  std::optional<std::size_t> offset;
  if (size <= limits_.max_unit) {
    offset = find_room(size);
    while (!offset && drop_group()) offset = find_room(size);
  }
  if (!offset || (need_keyframe_ && !info.keyframe)) {
    // The unit is too large, its own group was dropped, or the lent unit occupies the room.
    if (!need_keyframe_ || info.keyframe) await_keyframe();
    ++counters_.rejected;
    return false;
  }
  ++count_;
  at(count_ - 1) = Entry{*offset, size, info};
  std::ranges::copy(access_unit, ring_.begin() + static_cast<std::ptrdiff_t>(*offset + header));
  newest_ = info.captured;
  if (info.keyframe) {
    need_keyframe_ = keyframe_requested_ = false;
    newest_keyframe_ = info.captured;
  }
  if (info.motion) motion_ = info.captured;
  if (span_) expire(info.captured - *span_);
  ++counters_.pushed;
  return true;
}

void AccessUnitQueue::break_group() {
  const std::scoped_lock lock(mutex_);
  if (!need_keyframe_) await_keyframe();
}

bool AccessUnitQueue::take_keyframe_request() {
  const std::scoped_lock lock(mutex_);
  const bool needed = need_keyframe_ && (count_ == 0 || span_);
  const bool old = span_ && newest_ - newest_keyframe_ >= keyframe_age;
  if (keyframe_requested_ || (!needed && !old)) return false;
  keyframe_requested_ = true;
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
  if (span_) grow();
}

void AccessUnitQueue::clear(MonotonicTime limit) {
  const std::scoped_lock lock(mutex_);
  limit_ = std::max(limit_, limit);
  while (drop_group()) {
  }
  motion_.reset();
  await_keyframe();
}

void AccessUnitQueue::retain(std::optional<std::chrono::nanoseconds> span) {
  const std::scoped_lock lock(mutex_);
  span_ = span;
  if (span_ && !lent_) grow();
}

/// Moves the units into the larger memory, because a hub may request pictures for a recording while some wait.
void AccessUnitQueue::grow() {
  if (entries_.size() >= limits_.retained_slots) return;
  Bytes ring(std::max(ring_.size(), limits_.retained_bytes));
  release_pages(ring);
  std::vector<Entry> entries(limits_.retained_slots);
  std::size_t end = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    entries[i] = at(i);
    std::ranges::copy(ByteView(ring_).subspan(entries[i].offset, entries[i].size),
                      ring.begin() + static_cast<std::ptrdiff_t>(end));
    entries[i].offset = std::exchange(end, end + entries[i].size);
  }
  ring_ = std::move(ring);
  entries_ = std::move(entries);
  head_ = 0;
}

std::optional<MonotonicTime> AccessUnitQueue::oldest() const {
  const std::scoped_lock lock(mutex_);
  const std::size_t first = lent_ ? 1 : 0;
  return first < count_ ? std::optional(at(first).info.captured) : std::nullopt;
}

std::optional<MonotonicTime> AccessUnitQueue::newest_motion() const {
  const std::scoped_lock lock(mutex_);
  return motion_;
}

void AccessUnitQueue::drop_stale(MonotonicTime limit, MonotonicTime useless) {
  const std::scoped_lock lock(mutex_);
  const std::size_t first = lent_ ? 1 : 0;
  while (first < count_ && at(first).info.captured < limit) {
    const std::size_t next = next_keyframe(first);
    if (next == count_) {
      if (at(first).info.captured >= useless) return;
      await_keyframe();  // the rest of the group has not arrived yet
    }
    count_dropped(next - first);
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
