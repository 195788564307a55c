// SPDX-License-Identifier: Apache-2.0
/// Sets of the counters of one epoch, as ranges.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace sealcam::recordings {

/// `count` counters from `first` on; count > 0.
struct CounterRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  friend bool operator==(const CounterRange&, const CounterRange&) = default;
};

/// Thread-bound.
class CounterSet {
 public:
  /// False, and no change, if the set contains the counter.
  bool add(std::uint64_t counter) { return add(CounterRange{counter, 1}); }
  /// False, and no change, if the set contains one of the counters, or if they exceed 2^32.
  bool add(const CounterRange& range);
  [[nodiscard]] bool contains(std::uint64_t counter) const;
  [[nodiscard]] bool empty() const noexcept { return ranges_.empty(); }
  /// Ascending, not adjacent.
  [[nodiscard]] std::vector<CounterRange> ranges() const;
  [[nodiscard]] std::size_t range_count() const noexcept { return ranges_.size(); }
  /// The counters from `first` to `last` that are not in the set.
  [[nodiscard]] std::vector<CounterRange> missing(std::uint64_t first, std::uint64_t last) const;
  /// Requires !empty().
  [[nodiscard]] std::uint64_t first() const { return ranges_.begin()->first; }
  [[nodiscard]] std::uint64_t last() const { return ranges_.rbegin()->second - 1; }
  void clear() noexcept { ranges_.clear(); }

 private:
  std::map<std::uint64_t, std::uint64_t> ranges_;  ///< first counter -> counter after the last one
};

}  // namespace sealcam::recordings
