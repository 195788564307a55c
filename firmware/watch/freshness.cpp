// SPDX-License-Identifier: Apache-2.0
#include "watch/freshness.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "crypto/psa.hpp"
#include "watch/stream_order.hpp"

namespace sealcam::watch {

Result<protocol::Challenge> IssuedChallenges::make(BootTime now) {
  std::array<std::byte, 8> random{};
  std::uint64_t value = 0;
  while (value == 0) {
    if (auto r = crypto::random(random); !r) return std::unexpected(r.error());
    value = load_be<std::uint64_t>(random);
  }
  entries_[next_.value() % capacity] = {protocol::Challenge(value), {now, next_}};
  next_ = next_.next();
  return protocol::Challenge(value);
}

std::optional<IssuedChallenges::Made> IssuedChallenges::made(const protocol::Echoes& echoes) const noexcept {
  std::optional<Made> newest;
  for (const auto challenge : echoes) {
    const auto found = std::ranges::find(entries_, challenge, &Entry::challenge);
    if (found != entries_.end() && (!newest || newest->serial < found->made.serial)) newest = found->made;
  }
  return newest;
}

void Freshness::begin_epoch() noexcept {
  shown_.reset();
  ahead_.reset();
}

void Freshness::on_echo(FrameNumber number, BootTime made) noexcept {
  if (shown_ && at_or_before(number, *shown_)) raise(made);
  else if (!ahead_ || ahead_->made < made) ahead_ = Echo{number, made};
}

void Freshness::on_shown(FrameNumber number) noexcept {
  if (!shown_) made_.reset();
  shown_ = number;
  if (ahead_ && at_or_before(ahead_->number, number)) {
    raise(ahead_->made);
    ahead_.reset();
  }
}

std::optional<std::chrono::milliseconds> Freshness::age(BootTime now) const noexcept {
  if (!made_) return std::nullopt;
  return std::chrono::ceil<std::chrono::milliseconds>(now - *made_);
}

std::optional<std::chrono::seconds> clock_difference(CaptureTime captured, CaptureTime now) noexcept {
  constexpr std::chrono::microseconds max = std::chrono::hours(24 * 365 * 1000);  // a camera may send any 64 bits
  constexpr std::chrono::minutes tolerance{1};
  const auto ahead = std::clamp(captured.since_epoch, -max, max) - now.since_epoch;
  if (ahead <= tolerance && ahead >= -(tolerance + Freshness::live_for)) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::seconds>(ahead);
}

}  // namespace sealcam::watch
