// SPDX-License-Identifier: Apache-2.0
#include "stream/pace.hpp"

#include <algorithm>

namespace sealcam::stream {

using namespace std::chrono_literals;

static constexpr auto period = 500ms;
static constexpr auto slow_publish = 250ms;
static constexpr auto calm = 2s;
static constexpr auto most_patience = 160s;
static constexpr auto regret = 30s;  // an improvement that lasted less was made too early

Pace::Pace(const PaceConfig& config) : config_(config), quality_(config.best) {
  config_.lowest = std::min(config_.lowest, config_.best.bitrate);
}

void Pace::published(std::chrono::nanoseconds took) noexcept { longest_publish_ = std::max(longest_publish_, took); }

void Pace::idle() noexcept {
  longest_publish_ = {};
  dropped_ = false;
  congested_ = false;
  judged_ = {};
}

bool Pace::tick(MonotonicTime now, std::size_t unsent_bytes) noexcept {
  if (judged_ == MonotonicTime{}) judged_ = good_since_ = now;
  if (now - judged_ < period) return false;
  judged_ = now;
  const std::size_t half_second = quality_.bitrate.value() / 16;
  congested_ = dropped_ || longest_publish_ > slow_publish || unsent_bytes > half_second;
  dropped_ = false;
  longest_publish_ = {};
  const Quality before = quality_;
  if (congested_) worse(now);
  else better(now);
  return quality_ != before;
}

void Pace::apply_level() noexcept {
  quality_.keyframe_interval =
      level_ == 0 ? config_.best.keyframe_interval : std::max(config_.longest_group, config_.best.keyframe_interval);
  quality_.shrink = level_ < 2 ? std::uint8_t{0} : static_cast<std::uint8_t>(level_ - 1);
}

void Pace::worse(MonotonicTime now) noexcept {
  good_since_ = now;
  if (quality_.bitrate > config_.lowest) {
    const auto reduced = static_cast<std::uint32_t>(std::uint64_t{quality_.bitrate.value()} * 7 / 10);
    quality_.bitrate = std::max(config_.lowest, BitsPerSecond(reduced));
    return;
  }
  if (level_ > config_.most_shrink || now - stepped_ < calm) return;
  if (improved_ && now - *improved_ < regret)
    patience_ = std::min<std::chrono::nanoseconds>(patience_ * 2, most_patience);
  improved_.reset();
  ++level_;
  stepped_ = now;
  apply_level();
}

void Pace::better(MonotonicTime now) noexcept {
  if (now - good_since_ < calm) return;
  const std::uint32_t best = config_.best.bitrate.value();
  if (quality_.bitrate.value() < best) {
    quality_.bitrate = BitsPerSecond(std::min(best, quality_.bitrate.value() + best / 20));
    if (quality_.bitrate.value() == best) top_since_ = now;
    return;
  }
  if (level_ == 0 || now - std::max(top_since_, stepped_) < patience_) return;
  --level_;
  stepped_ = now;
  improved_ = now;
  apply_level();
}

}  // namespace sealcam::stream
