// SPDX-License-Identifier: Apache-2.0
/// The frames that a camera keeps without a broker, on a disk in memory that can fail.
#pragma once

#include <functional>
#include <map>
#include <set>

#include "device/past_store.hpp"

namespace sealcam::test {

using protocol::Counter;
using protocol::Epoch;
using protocol::PastRange;

class MemoryPastStore final : public device::PastStore {
 public:
  bool broken = false;  ///< nothing can be written or deleted
  bool unreadable = false;
  std::function<void()> on_access = [] {};  ///< reads and writes of frames

  /// Power is cut: a deletion that failed is forgotten.
  void restart() { hidden_.clear(); }

 private:
  struct Kept {
    Bytes grants;
    std::map<Counter, Bytes> frames;
  };
  [[nodiscard]] std::vector<PastRange> do_ranges() const override {
    std::vector<PastRange> ranges;
    for (const auto& [epoch, kept] : disk_) {
      if (hidden_.contains(epoch)) continue;
      for (const auto& [counter, message] : kept.frames) {
        const bool joins = !ranges.empty() && ranges.back().epoch == epoch && ranges.back().last.next() == counter;
        if (joins) ranges.back().last = counter;
        else ranges.push_back({epoch, counter, counter});
      }
    }
    return ranges;
  }
  [[nodiscard]] Result<> do_add(Epoch epoch, ByteView grants, std::span<const device::PastFrame> frames) override {
    on_access();
    if (auto r = do_tick(); !r) return r;
    auto& kept = disk_[epoch];
    kept.grants.assign(grants.begin(), grants.end());
    for (const auto& [counter, message] : frames) kept.frames[counter].assign(message.begin(), message.end());
    for (auto all = do_ranges(); all.size() > PastRange::max; all = do_ranges()) {
      const auto min_range = std::ranges::min_element(
          all, {}, [](const PastRange& range) { return range.last.value() - range.first.value(); });
      auto& kept_frames = disk_[min_range->epoch].frames;
      kept_frames.erase(kept_frames.find(min_range->first), kept_frames.upper_bound(min_range->last));
    }
    return {};
  }
  [[nodiscard]] Result<> do_grants(Epoch epoch, Bytes& out) override {
    const auto found = disk_.find(epoch);
    if (found == disk_.end() || hidden_.contains(epoch)) return fail(Errc::not_found, "no grants");
    out = found->second.grants;
    return {};
  }
  [[nodiscard]] Result<std::optional<Counter>> do_read(Epoch epoch, Counter from, Bytes& out) override {
    on_access();
    if (unreadable) return fail(Errc::io, "the disk cannot be read");
    const auto found = disk_.find(epoch);
    if (found == disk_.end() || hidden_.contains(epoch)) return std::nullopt;
    const auto frame = found->second.frames.lower_bound(from);
    if (frame == found->second.frames.end()) return std::nullopt;
    out = frame->second;
    return frame->first;
  }
  [[nodiscard]] Result<> do_remove(std::span<const Epoch> epochs) override {
    hidden_.insert(epochs.begin(), epochs.end());
    return do_tick();
  }
  [[nodiscard]] Result<> do_clear() override {
    for (const auto& [epoch, kept] : disk_) hidden_.insert(epoch);
    return do_tick();
  }
  [[nodiscard]] Result<> do_set_digest(const crypto::Digest& digest) override {
    return std::exchange(digest_, digest) == digest ? Result<>() : do_clear();
  }
  [[nodiscard]] Result<> do_tick() override {
    if (broken) return fail(Errc::io, "the disk cannot be written");
    std::erase_if(disk_, [&](const auto& kept) { return hidden_.contains(kept.first); });
    hidden_.clear();
    return {};
  }
  [[nodiscard]] std::uint64_t do_bytes() const noexcept override { return disk_.size(); }

  std::map<Epoch, Kept> disk_;
  std::set<Epoch> hidden_;  ///< their deletion failed
  crypto::Digest digest_{};
};

}  // namespace sealcam::test
