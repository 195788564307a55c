// SPDX-License-Identifier: Apache-2.0
/// Stores of a hub in memory, and a frame checker without threads.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "device/hub_stores.hpp"
#include "device/stores.hpp"
#include "protocol/envelope.hpp"
#include "watch/verify_pool.hpp"

namespace sealcam::test {

using protocol::RequestSeq;

class MemoryHubRosterStore final : public device::RosterStore {
 public:
  std::map<DeviceId, Bytes> messages;
  bool broken = false;

 private:
  [[nodiscard]] Result<std::vector<device::StoredRoster>> do_load() const override {
    std::vector<device::StoredRoster> all;
    for (const auto& [camera, message] : messages) all.push_back({camera, message});
    return all;
  }
  [[nodiscard]] Result<> do_store(const DeviceId& camera, ByteView message) override {
    if (broken) return fail(Errc::io, "the disk is full");
    messages.insert_or_assign(camera, Bytes(message.begin(), message.end()));
    return {};
  }
};

class MemorySequenceStore final : public device::SequenceStore {
 public:
  std::uint64_t free = 1;
  int reservations = 0;

 private:
  [[nodiscard]] Result<RequestSeq> do_reserve(std::uint64_t count) override {
    ++reservations;
    return RequestSeq(std::exchange(free, free + count));
  }
};

/// Keys of this process. `stolen()` is what a thief of the state finds.
class MemoryPrekeyStore final : public device::PrekeyStore {
 public:
  bool broken = false;
  bool full = false;  ///< no prekey can be added, and one can be deleted
  [[nodiscard]] std::vector<device::StoredPrekey> stolen() const {
    std::vector<device::StoredPrekey> all;
    for (const auto& kept : kept_) all.push_back(kept.stored);
    return all;
  }
  /// Null if there is no such key.
  [[nodiscard]] const crypto::AgreementKey* find(protocol::PrekeyNumber number) const noexcept {
    const auto found = std::ranges::find(kept_, number, [](const Kept& kept) { return kept.stored.number; });
    return found == kept_.end() ? nullptr : &found->stored.key;
  }

 private:
  struct Kept {
    crypto::VolatileKey key;
    device::StoredPrekey stored;
  };
  [[nodiscard]] Result<std::vector<device::StoredPrekey>> do_load() override { return stolen(); }
  [[nodiscard]] Result<device::StoredPrekey> do_make(CaptureTime now) override {
    if (broken || full) return fail(Errc::io, "the disk is full");
    auto key = crypto::generate_agreement_key();
    if (!key) return std::unexpected(key.error());
    last_ = last_.next();
    const crypto::AgreementKey handle(key->first.id(), key->second);
    kept_.push_back({std::move(key->first), {last_, handle, now}});
    return kept_.back().stored;
  }
  [[nodiscard]] Result<> do_forget(protocol::PrekeyNumber number) override {
    if (broken) return fail(Errc::io, "the disk is full");
    std::erase_if(kept_, [&](const Kept& kept) { return kept.stored.number == number; });
    return {};
  }
  std::vector<Kept> kept_;
  protocol::PrekeyNumber last_;
};

class MemoryMaxEpochStore final : public device::MaxEpochStore {
 public:
  std::map<DeviceId, std::uint32_t> counters;
  int writes = 0;
  bool broken = false;

 private:
  [[nodiscard]] Result<std::vector<device::MaxEpoch>> do_load() const override {
    std::vector<device::MaxEpoch> all;
    for (const auto& [camera, counter] : counters) all.push_back({camera, counter});
    return all;
  }
  [[nodiscard]] Result<> do_store(const DeviceId& camera, std::uint32_t counter) override {
    if (broken) return fail(Errc::io, "the disk is full");
    ++writes;
    counters.insert_or_assign(camera, counter);
    return {};
  }
};

/// Checks each frame inside submit().
class InlineChecker final : public watch::FrameChecker {
 private:
  watch::VerificationQueue do_add_queue(Handler handler) override {
    const watch::VerificationQueue queue{next_++};
    queues_.emplace(queue, std::move(handler));
    return queue;
  }
  void do_remove_queue(watch::VerificationQueue queue) override {
    queues_.erase(queue);
    std::erase_if(checked_, [&](const Checked& c) { return c.queue == queue; });
  }
  std::unique_ptr<watch::FrameCheck> do_make() override { return stock_.take(); }
  std::size_t do_submit(watch::VerificationQueue queue, std::unique_ptr<watch::FrameCheck> frame) override {
    watch::check_frame(*frame);
    checked_.push_back({queue, std::move(frame)});
    return 0;
  }
  void do_drain() override {
    while (!checked_.empty()) {
      auto checked = std::move(checked_.front());
      checked_.pop_front();
      if (const auto queue = queues_.find(checked.queue); queue != queues_.end()) queue->second(*checked.frame);
      stock_.put(std::move(checked.frame));
    }
  }

  struct Checked {
    watch::VerificationQueue queue;
    std::unique_ptr<watch::FrameCheck> frame;
  };
  std::map<watch::VerificationQueue, Handler> queues_;
  std::deque<Checked> checked_;
  watch::FrameStock stock_;
  std::uint64_t next_ = 1;
};

}  // namespace sealcam::test
