// SPDX-License-Identifier: Apache-2.0
/// How many bytes the code under test holds, in a process that also holds the test's own recordings: what is allocated
/// inside an UnderTest scope is counted until it is freed, wherever that happens. Link live_bytes.cpp into the test
/// program: it replaces operator new there. What C libraries take with malloc is not counted.
#pragma once

#include <cstdint>

namespace sealcam::test {

/// Switches the counting on or off for this thread until it goes. Scopes nest: the code under test calls back into the
/// test, and the other way round.
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

/// Bytes held now. Thread-safe.
[[nodiscard]] std::int64_t live_bytes() noexcept;
/// The most since the last reset. Thread-safe.
[[nodiscard]] std::int64_t peak_bytes() noexcept;
void reset_peak_bytes() noexcept;

}  // namespace sealcam::test
