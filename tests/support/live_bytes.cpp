// SPDX-License-Identifier: Apache-2.0
#include "support/live_bytes.hpp"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::int64_t> live{0};
std::atomic<std::int64_t> peak{0};
thread_local bool counting = false;

/// Precedes each block.
struct alignas(__STDCPP_DEFAULT_NEW_ALIGNMENT__) Head {
  std::int64_t counted;  // 0 if the block was allocated outside of an UnderTest scope
};

void* allocate(std::size_t size) noexcept {
  auto* head = static_cast<Head*>(std::malloc(sizeof(Head) + size));
  if (head == nullptr) return nullptr;
  head->counted = counting ? static_cast<std::int64_t>(size) : 0;
  if (counting) {
    const auto now = live.fetch_add(head->counted, std::memory_order_relaxed) + head->counted;
    for (auto max = peak.load(); now > max && !peak.compare_exchange_weak(max, now);) continue;
  }
  return head + 1;
}

void release(void* p) noexcept {
  if (p == nullptr) return;
  auto* head = static_cast<Head*>(p) - 1;
  live.fetch_sub(head->counted, std::memory_order_relaxed);
  std::free(head);
}

void* or_throw(void* p) {
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

}  // namespace

namespace sealcam::test {

CountingScope::CountingScope(bool on) noexcept : before_(counting) { counting = on; }
CountingScope::~CountingScope() { counting = before_; }

std::int64_t live_bytes() noexcept { return live.load(); }
std::int64_t peak_bytes() noexcept { return peak.load(); }
void reset_peak_bytes() noexcept { peak.store(live.load()); }

}  // namespace sealcam::test

// The overloads with an alignment are not replaced, because the code under test hardly uses them.
void* operator new(std::size_t size) { return or_throw(allocate(size)); }
void* operator new[](std::size_t size) { return or_throw(allocate(size)); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* p) noexcept { release(p); }
void operator delete[](void* p) noexcept { release(p); }
void operator delete(void* p, std::size_t) noexcept { release(p); }
void operator delete[](void* p, std::size_t) noexcept { release(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { release(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { release(p); }
