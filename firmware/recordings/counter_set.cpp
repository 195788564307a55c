// SPDX-License-Identifier: Apache-2.0
#include "recordings/counter_set.hpp"

#include <algorithm>

namespace sealcam::recordings {

bool CounterSet::add(const CounterRange& range) {
  constexpr std::uint64_t limit = std::uint64_t{1} << 32;
  if (range.count == 0 || range.count > limit || range.first > limit - range.count) return false;
  auto end = range.first + range.count;
  auto first = range.first;
  auto next = ranges_.lower_bound(first);
  if (next != ranges_.end() && next->first < end) return false;
  if (next != ranges_.begin()) {
    const auto before = std::prev(next);
    if (before->second > first) return false;
    if (before->second == first) {
      first = before->first;
      ranges_.erase(before);
    }
  }
  if (next != ranges_.end() && next->first == end) {
    end = next->second;
    ranges_.erase(next);
  }
  ranges_.emplace(first, end);
  return true;
}

bool CounterSet::contains(std::uint64_t counter) const {
  const auto next = ranges_.upper_bound(counter);
  return next != ranges_.begin() && std::prev(next)->second > counter;
}

std::vector<CounterRange> CounterSet::ranges() const {
  std::vector<CounterRange> all;
  all.reserve(ranges_.size());
  for (const auto& [first, end] : ranges_) all.push_back({first, end - first});
  return all;
}

std::vector<CounterRange> CounterSet::missing(std::uint64_t first, std::uint64_t last) const {
  std::vector<CounterRange> gaps;
  auto at = first;
  for (const auto& [begin, end] : ranges_) {
    if (begin > last) break;
    if (begin > at) gaps.push_back({at, begin - at});
    at = std::max(at, end);
  }
  if (at <= last) gaps.push_back({at, last - at + 1});
  return gaps;
}

}  // namespace sealcam::recordings
