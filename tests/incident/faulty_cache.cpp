// SPDX-License-Identifier: Apache-2.0
#include "faulty_cache.hpp"

#include <algorithm>

#include "base/format.hpp"

namespace sealcam::incident {

FaultyCache::FaultyCache(const CacheModel& model, std::uint64_t seed, std::size_t accounts)
    : model_(model), seed_(seed), slots_(std::size_t{model.slots} * 2) {
  for (std::uint32_t i = 0; i < accounts; ++i) open(i);
}

void FaultyCache::do_begin_wave() {
  accounts_.clear();
  for (auto i = wave().first; i < wave().last; ++i) open(i);
}

void FaultyCache::open(std::uint32_t number) {
  auto& account = accounts_[number];
  std::seed_seq sequence{static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32), number};
  account.random.seed(sequence);
  account.mean_delay_ms = chance(account, model_.poor_share) ? model_.poor_delay_ms : model_.good_delay_ms;
  account.slot = static_cast<unsigned>(account.random() % model_.slots);
}

bool FaultyCache::chance(Account& account, double probability) {
  return std::uniform_real_distribution<>(0, 1)(account.random) < probability;
}

void FaultyCache::do_on_request(std::uint32_t account) {
  auto& a = accounts_.at(account);
  a.slow = std::exponential_distribution<>(1 / a.mean_delay_ms)(a.random) > model_.timeout_ms;
  ++requests_;
  if (!a.slow) return;
  ++slow_requests_;
  count("requests to a slow camera");
}

std::deque<FaultyCache::Entry>& FaultyCache::slot(const Account& account, Kind kind) noexcept {
  return slots_[account.slot * 2 + (kind == Kind::still ? 0 : 1)];
}

std::vector<Handed> FaultyCache::do_pass(std::uint32_t account, Kind kind, ByteView message) {
  auto& a = accounts_.at(account);
  const bool cacheable = kind == Kind::still || kind == Kind::key;
  if (!cacheable && a.slow && kind == Kind::delta) return {};
  const auto own = std::make_shared<const Bytes>(message.begin(), message.end());
  Handed handed{own, account, account};
  if (cacheable) {
    auto& entries = slot(a, kind);
    // The fault: cameras with the same key share their pictures. The late answer only fills the cache.
    if (a.slow && !entries.empty()) {
      const auto& entry = entries[a.random() % entries.size()];
      handed = Handed{entry.message, entry.source, account, true};
    }
    entries.push_back({own, account});
    if (entries.size() > model_.depth) entries.pop_front();
    if (chance(a, handed.cached ? model_.damaged_from_cache : model_.damaged_direct)) damage(a, handed);
  }
  return {handed};
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

std::vector<std::string> FaultyCache::do_model() const {
  const auto& m = model_;
  return {sealcam::format("The cache answers if the camera takes longer than {:.0f} ms.", m.timeout_ms),
          sealcam::format(
              "{:.0f} % of the cameras are on a poor network, with a mean delay of {:.0f} ms. The others have a mean "
              "delay of {:.0f} ms. Delays have an exponential distribution.",
              m.poor_share * 100, m.poor_delay_ms, m.good_delay_ms),
          sealcam::format(
              "The cache key is too coarse: a hash of the camera, modulo {}. Each slot has the newest {} pictures.",
              m.slots, m.depth),
          sealcam::format(
              "{:.0f} % of the pictures from the cache are truncated or have flipped bits, and {:.0f} % of the others.",
              m.damaged_from_cache * 100, m.damaged_direct * 100)};
}

GlobalCache::GlobalCache(std::size_t accounts, unsigned rounds)
    : requests_per_page_(std::max<std::size_t>(accounts * (rounds - 1) / stored_pages, 2)), rounds_(rounds) {}

void GlobalCache::do_on_request(std::uint32_t) {
  if (page_ && ++requests_ < requests_per_page_) return;
  page_.reset();
  requests_ = 0;
}

std::vector<Handed> GlobalCache::do_pass(std::uint32_t account, Kind kind, ByteView message) {
  const auto own = [&] { return std::make_shared<const Bytes>(message.begin(), message.end()); };
  if (round() >= rounds_) return {Handed{own(), account, account}};
  // A page has a still. A hub that shows a stored page does not open the video of its camera.
  if (kind != Kind::still) return {};
  if (!page_) {
    page_ = own();
    source_ = account;
    count("pages stored for all users");
  }
  return {Handed{page_, source_, account, true}};
}

std::vector<std::string> GlobalCache::do_model() const {
  return {
      "The cache stores the page of one user under a key without the user, and delivers it to all users until it "
      "expires.",
      sealcam::format("{} pages are stored one after the other during the fault.", stored_pages),
      "A page contains a still. No video is opened while the page of another user is on the screen.",
      sealcam::format("The half hour is compressed: the fault lasts {} of {} requests of each hub.", rounds_ - 1,
                      rounds_),
      "The number of users of the page was not published. The number of accounts is a choice of this test."};
}

}  // namespace sealcam::incident
