// SPDX-License-Identifier: Apache-2.0
// PastTrack and a simple model of it, with random lists, frames and times.
#include <catch2/catch_test_macros.hpp>
#include <random>
#include <set>

#include "recordings/recorder_past.hpp"

namespace sealcam::recordings {
namespace {

using namespace std::chrono_literals;
using protocol::FrameKind;
using protocol::PastRange;

/// Up to three ranges of few counters, so that most calls meet a listed frame.
std::vector<PastRange> some_ranges(std::mt19937& random) {
  std::vector<PastRange> ranges;
  for (std::uint64_t epoch = 1; epoch <= 3; ++epoch) {
    if (random() % 3 == 0) continue;
    const auto first = random() % 20;
    ranges.push_back({Epoch(epoch), Counter(first), Counter(first + random() % 20)});
  }
  return ranges;
}

struct Model {
  PastTrack track;
  std::vector<PastRange> listed;
  std::set<PastTrack::Key> have;  ///< of listed epochs
  std::set<PastTrack::Key> waiting;
  MonotonicTime now{};

  [[nodiscard]] bool is_listed(const PastTrack::Key& key) const {
    return std::ranges::any_of(listed, [&](const PastRange& range) {
      return range.epoch == key.first && range.first <= key.second && key.second <= range.last;
    });
  }
  void list(std::vector<PastRange> ranges) {
    listed = std::move(ranges);
    std::erase_if(waiting, [&](const auto& key) { return !is_listed(key); });
    std::erase_if(have, [&](const auto& key) { return !std::ranges::contains(listed, key.first, &PastRange::epoch); });
    for (const Epoch epoch : track.list(listed)) track.receive(epoch, {});
  }
  void offer(const PastTrack::Key& key, std::size_t size) {
    if (is_listed(key) && !have.contains(key)) waiting.insert(key);
    track.offer(key, {nullptr, FrameKind::key, Bytes(size), {}, {}, now});
  }
  void take(const PastTrack::Key& key) {
    waiting.erase(key);
    if (std::ranges::contains(listed, key.first, &PastRange::epoch)) have.insert(key);
    track.take(key);
  }
  /// Each listed frame is a gap, or waits, or the hub has it.
  void check() const {
    std::set<PastTrack::Key> gaps, expected;
    for (const PastRange& gap : track.gaps())
      for (auto counter = gap.first; counter <= gap.last; counter = counter.next()) gaps.emplace(gap.epoch, counter);
    for (const PastRange& range : listed)
      for (auto counter = range.first; counter <= range.last; counter = counter.next())
        if (const PastTrack::Key key{range.epoch, counter}; !have.contains(key) && !waiting.contains(key))
          expected.insert(key);
    // The request has room for 16 ranges, the first ones.
    if (track.gaps().size() < PastRange::max) CHECK(gaps == expected);
    else CHECK(std::ranges::includes(expected, gaps));
    CHECK(track.empty() == waiting.empty());
  }
};

}  // namespace

TEST_CASE("random lists, kept frames and live frames leave each frame a gap, waiting, or recorded once") {
  std::mt19937 random(20261130);
  std::size_t filed = 0;
  for (int round = 0; round < 200; ++round) {
    Model model;
    model.list(some_ranges(random));
    std::optional<PastTrack::Key> end;
    for (int step = 0; step < 100; ++step) {
      const PastTrack::Key key{Epoch(1 + random() % 3), Counter(random() % 40)};
      const auto choice = random() % 16;
      if (choice == 0) model.list(some_ranges(random));
      else if (choice < 3) model.take(key);
      else if (choice < 6) model.now = model.now + 6s;
      else model.offer(key, 100);
      while (const auto* const next = model.track.next(end, model.now)) {
        const auto here = next->first;
        CHECK(model.waiting.contains(here));
        CHECK_FALSE(model.have.contains(here));
        end = PastTrack::Key{here.first, here.second.next()};
        model.take(here);
        ++filed;
      }
      model.check();
    }
  }
  CHECK(filed > 500);
}

TEST_CASE("frames that wait have a bound, and the last ones make room") {
  Model model;
  model.list({{Epoch(1), Counter(0), Counter(99)}});
  constexpr std::size_t size = PastTrack::max_waiting / 8;
  for (std::uint64_t i = 99; i > 0; --i)
    model.track.offer({Epoch(1), Counter(i)}, {nullptr, {}, Bytes(size), {}, {}, {}});
  CHECK(model.track.gaps() ==
        std::vector<PastRange>{{Epoch(1), Counter(0), Counter(0)}, {Epoch(1), Counter(9), Counter(99)}});
}

TEST_CASE("an epoch with too many holes gets no more kept frames") {
  Model model;
  model.list({{Epoch(1), Counter(0), Counter(100000)}});
  for (std::uint64_t i = 0; i <= PastTrack::max_holes; ++i) model.track.take({Epoch(1), Counter(2 * i + 1)});
  CHECK(model.track.gaps().empty());
  model.track.offer({Epoch(1), Counter(0)}, {nullptr, {}, Bytes(10), {}, {}, {}});
  CHECK(model.track.empty());
  // The last one that was added is the limit.
  CHECK(model.track.has({Epoch(1), Counter(2 * PastTrack::max_holes + 1)}));
  model.track.take({Epoch(1), Counter(2 * PastTrack::max_holes + 3)});
  CHECK_FALSE(model.track.has({Epoch(1), Counter(2 * PastTrack::max_holes + 3)}));
}

}  // namespace sealcam::recordings
