// SPDX-License-Identifier: Apache-2.0
/// Counts what goes through C++'s operator new, to show that a hot path does without. Link allocation_counter.cpp into
/// the test program: it replaces operator new there. What C libraries take with malloc is not counted.
#pragma once

#include <cstdint>

namespace sealcam::test {

/// Allocations of the whole process since it was made. Thread-safe. Mind that Catch2's macros allocate.
class AllocationCounter {
 public:
  AllocationCounter() noexcept : start_(total()) {}
  [[nodiscard]] std::uint64_t count() const noexcept { return total() - start_; }

 private:
  static std::uint64_t total() noexcept;
  std::uint64_t start_;
};

}  // namespace sealcam::test
