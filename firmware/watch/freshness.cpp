// SPDX-License-Identifier: Apache-2.0
#include "watch/freshness.hpp"

#include <algorithm>

#include "core/bytes.hpp"
#include "crypto/psa.hpp"

namespace sealcam::watch {

Result<protocol::Challenge> ChallengeBook::make(MonotonicTime now) {
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

std::optional<ChallengeBook::Made> ChallengeBook::made(protocol::Challenge challenge) const noexcept {
  if (challenge.value() == 0) return std::nullopt;
  const auto found = std::ranges::find(entries_, challenge, &Entry::challenge);
  if (found == entries_.end()) return std::nullopt;
  return found->made;
}

void Freshness::begin_epoch() noexcept {
  shown_.reset();
  ahead_.reset();
}

void Freshness::on_echo(FrameNumber number, MonotonicTime made) noexcept {
  if (shown_ && number <= *shown_) raise(made);
  else if (!ahead_ || ahead_->made < made) ahead_ = Echo{number, made};
}

void Freshness::on_shown(FrameNumber number) noexcept {
  if (!shown_) made_.reset();
  shown_ = number;
  if (ahead_ && ahead_->number <= number) {
    raise(ahead_->made);
    ahead_.reset();
  }
}

std::optional<std::chrono::milliseconds> Freshness::age(MonotonicTime now) const noexcept {
  if (!made_) return std::nullopt;
  return std::chrono::ceil<std::chrono::milliseconds>(now - *made_);
}

}  // namespace sealcam::watch
