// SPDX-License-Identifier: Apache-2.0
/// Counts calls of operator new, to show that a hot path does not allocate. Link allocation_counter.cpp into the test
/// program; it replaces operator new. Calls of malloc() in C libraries are not counted.
#pragma once

#include <cstdint>

namespace sealcam::test {

/// Counts allocations of the whole process since construction. Thread-safe. Catch2's macros allocate, too.
class AllocationCounter {
 public:
  AllocationCounter() noexcept : start_(total()) {}
  [[nodiscard]] std::uint64_t count() const noexcept { return total() - start_; }

 private:
  static std::uint64_t total() noexcept;
  std::uint64_t start_;
};

}  // namespace sealcam::test
