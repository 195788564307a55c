// SPDX-License-Identifier: Apache-2.0
#include "faulty_cache.hpp"

#include <algorithm>

namespace sealcam::incident {

FaultyCache::FaultyCache(const FaultModel& model, std::uint64_t seed, std::size_t accounts)
    : model_(model), accounts_(accounts), slots_(std::size_t{model.slots} * 2) {
  for (std::size_t i = 0; i < accounts; ++i) {
    auto& account = accounts_[i];
    std::seed_seq sequence{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
                           static_cast<std::uint32_t>(i)};
    account.random.seed(sequence);
    account.mean_delay_ms = chance(account, model.poor_share) ? model.poor_delay_ms : model.good_delay_ms;
    account.slot = static_cast<unsigned>(account.random() % model.slots);
  }
}

bool FaultyCache::chance(Account& account, double probability) {
  return std::uniform_real_distribution<>(0, 1)(account.random) < probability;
}

void FaultyCache::on_request(std::uint32_t account) {
  auto& a = accounts_.at(account);
  a.slow = std::exponential_distribution<>(1 / a.mean_delay_ms)(a.random) > model_.timeout_ms;
  ++requests_;
  if (a.slow) ++slow_requests_;
}

std::deque<FaultyCache::Entry>& FaultyCache::slot(const Account& account, Kind kind) noexcept {
  return slots_[account.slot * 2 + (kind == Kind::still ? 0 : 1)];
}

std::optional<Handed> FaultyCache::pass(std::uint32_t account, Kind kind, ByteView message) {
  auto& a = accounts_.at(account);
  const auto own = std::make_shared<const Bytes>(message.begin(), message.end());
  const bool cacheable = kind == Kind::still || kind == Kind::key;
  std::optional<Handed> handed = Handed{own, account};
  if (cacheable) {
    auto& entries = slot(a, kind);
    // The fault: cameras with the same key share their pictures. The late answer only fills the cache.
    if (a.slow && !entries.empty()) {
      const auto& entry = entries[a.random() % entries.size()];
      handed = Handed{entry.message, entry.source, true};
    }
    entries.push_back({own, account});
    if (entries.size() > model_.depth) entries.pop_front();
  } else if (a.slow && kind == Kind::delta) {
    return std::nullopt;
  }
  if (cacheable && chance(a, handed->cached ? model_.damaged_from_cache : model_.damaged_direct)) damage(a, *handed);
  return handed;
}

void FaultyCache::damage(Account& account, Handed& handed) {
  Bytes bytes = *handed.message;
  // The head stays, because damage usually affects the long part.
  const std::size_t head = std::min<std::size_t>(bytes.size(), 600);
  const std::size_t body = bytes.size() - head;
  if (body < 64) return;
  if (account.random() % 2 == 0) {
    bytes.resize(head + body / 4 + account.random() % (body / 2));
  } else {
    for (int i = 0; i < 6; ++i)
      bytes[head + account.random() % body] ^= static_cast<std::byte>(1U << account.random() % 8);
  }
  handed.message = std::make_shared<const Bytes>(std::move(bytes));
  handed.damaged = true;
}

}  // namespace sealcam::incident
