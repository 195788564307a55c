// SPDX-License-Identifier: Apache-2.0
/// Counts the bytes that the code under test holds. Memory that is allocated in an UnderTest scope counts until it is
/// freed, in any scope. The test's own memory does not count. Link live_bytes.cpp into the test program; it replaces
/// operator new. Memory that C libraries allocate with malloc() is not counted.
#pragma once

#include <cstdint>

namespace sealcam::test {

/// Enables or disables counting in this thread until destruction. Scopes nest, because the code under test calls back
/// into the test.
class CountingScope {
 public:
  explicit CountingScope(bool on) noexcept;
  CountingScope(const CountingScope&) = delete;
  CountingScope& operator=(const CountingScope&) = delete;
  ~CountingScope();

 private:
  bool before_;
};
struct UnderTest : CountingScope {
  UnderTest() noexcept : CountingScope(true) {}
};
struct OutsideTest : CountingScope {
  OutsideTest() noexcept : CountingScope(false) {}
};

/// Returns the bytes that are allocated now. Thread-safe.
[[nodiscard]] std::int64_t live_bytes() noexcept;
/// Returns the maximum of live_bytes() since the last reset. Thread-safe.
[[nodiscard]] std::int64_t peak_bytes() noexcept;
void reset_peak_bytes() noexcept;

}  // namespace sealcam::test
