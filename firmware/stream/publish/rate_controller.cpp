// SPDX-License-Identifier: Apache-2.0
#include "stream/publish/rate_controller.hpp"

#include <algorithm>
#include <array>

namespace sealcam::stream {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

static constexpr auto period = 500ms;
static constexpr nanoseconds max_hub_delay = 300ms;  // a report has a resolution of one frame
static constexpr auto max_report_age = 2500ms;
static constexpr double share = 0.88;  // of what a full path carries, so that its queue becomes empty
static constexpr double slow_share = 0.95;
static constexpr double near_capacity = 1.15;
static constexpr double small_growth = 0.03, max_growth = 0.5;
static constexpr std::uint64_t min_budget = 4'000;             // bit/s
static constexpr std::uint64_t overhead = frame_overhead * 8;  // bits of a frame
static constexpr double used_share = 0.6;                      // of the budget; an encoder does not reach it exactly
static constexpr double memory = 0.75;                         // of the earlier half seconds, in each half second
static constexpr nanoseconds first_improve_after = 2s, max_improve_after = 160s;
static constexpr auto too_early = 10s;  // congestion sooner after an improvement doubles the wait

namespace {

struct Level {
  milliseconds min_interval;  // between pictures; 0: each picture of the sensor
  std::uint16_t pictures_per_10s;
  std::uint16_t keyframe_interval;  // 0: as configured
  std::uint8_t downscale;
  std::uint8_t divisor;  // the level is right down to min_bitrate / divisor
};

constexpr std::array<Level, 7> levels = {{
    {0ms, 300, 0, 0, 1},
    {66ms, 150, 150, 0, 2},
    {200ms, 50, 50, 0, 6},
    {1000ms, 10, 10, 0, 10},
    {1000ms, 10, 10, 1, 20},
    {1000ms, 10, 10, 2, 30},
    {2000ms, 5, 1, 2, 255},
}};

std::uint64_t overhead_of(std::size_t level) { return overhead * levels[level].pictures_per_10s / 10; }

}  // namespace

RateController::RateController(const RateControllerConfig& config)
    : config_(config),
      quality_(config.best),
      budget_(config.best.bitrate.value() + overhead_of(0)),
      improve_after_(first_improve_after) {
  config_.min_bitrate = std::min(config_.min_bitrate, config_.best.bitrate);
}

void RateController::measured(const PathEstimate& connection) noexcept {
  connection_ = connection;
  if (!least_ || connection.delay < least_->delay) least_ = connection;
}

void RateController::reported(MonotonicTime now, const PathEstimate& best_hub) noexcept {
  hub_ = best_hub;
  hub_at_ = now;
}

void RateController::idle() noexcept {
  connection_ = hub_ = {};
  least_.reset();
  hub_at_.reset();
  dropped_ = congested_ = false;
  judged_ = {};
  sent_bytes_ = 0;
  sent_bits_ = allowed_bits_ = 0;
}

nanoseconds RateController::hold_limit() const noexcept {
  return reduced() ? hold_delay : std::max<nanoseconds>(hold_delay, config_.best.vbv + short_delay);
}

std::uint64_t RateController::media(std::size_t level) const noexcept {
  const std::uint64_t frames = overhead_of(level);
  return budget_ > frames ? std::min<std::uint64_t>(budget_ - frames, config_.best.bitrate.value()) : 0;
}

std::uint64_t RateController::threshold(std::size_t level) const noexcept {
  return config_.min_bitrate.value() / levels[level].divisor;
}

bool RateController::tick(MonotonicTime now) noexcept {
  if (judged_ == MonotonicTime{}) judged_ = now;
  const nanoseconds elapsed = now - judged_;
  if (elapsed < period) return false;
  judged_ = now;
  const PathEstimate own = least_.value_or(PathEstimate{});
  const PathEstimate hub = hub_at_ && now - *hub_at_ <= max_report_age ? hub_ : PathEstimate{};
  const bool own_full = own.delay > target_delay;
  const nanoseconds hub_delay = hub.delay - own.other;
  const bool hub_full = hub_delay > max_hub_delay;
  congested_ = own_full || hub_full || dropped_;
  if (!congested_) count_sent(elapsed);
  sent_bytes_ = 0;
  const Quality before = quality_;
  if (own_full) decrease(now, own);
  else if (hub_full) decrease(now, hub);
  else if (dropped_) lost(now);
  else if (own.delay < short_delay && hub_delay < target_delay) increase();
  choose_level(now);
  apply();
  least_.reset();
  dropped_ = false;
  return quality_ != before;
}

/// The result depends on what the path carried, not on how often the path was found full.
void RateController::decrease(MonotonicTime now, const PathEstimate& path) noexcept {
  growth_ = small_growth;
  const auto carried = static_cast<double>(path.rate);
  if (path.rate == 0) {
    // It says nothing about the rate of the path, so the bitrate does not fall below the minimum.
    const std::uint64_t least = config_.min_bitrate.value() + overhead_of(level_);
    return reduce_to(now, std::max(budget_ / 2, std::min(budget_, least)), budget_ / 2);
  }
  // The path carries all, so that the queue does not grow, but it also does not become empty.
  const bool all = carried > 0.98 * static_cast<double>(budget_);
  if (all && path.delay < 2 * target_delay) return;
  const auto limit = static_cast<std::uint64_t>(carried * (all ? slow_share : share));
  reduce_to(now, std::max({limit, budget_ / 2, min_budget}), path.rate);
}

void RateController::lost(MonotonicTime now) noexcept {
  const std::uint64_t frames = std::min(overhead_of(level_), budget_);
  growth_ = small_growth;
  reduce_to(now, (budget_ - frames) * 7 / 10 + frames, budget_);
}

void RateController::reduce_to(MonotonicTime now, std::uint64_t budget, std::uint64_t capacity) noexcept {
  if (budget >= budget_) return;
  budget_ = budget;
  capacity_ = capacity;
  if (improved_ && now - *improved_ < too_early) improve_after_ = std::min(improve_after_ * 2, max_improve_after);
  improved_.reset();
}

void RateController::count_sent(nanoseconds elapsed) noexcept {
  const double seconds = std::chrono::duration<double>(elapsed).count();
  sent_bits_ = sent_bits_ * memory + static_cast<double>(sent_bytes_ * 8);
  allowed_bits_ = allowed_bits_ * memory + static_cast<double>(budget_) * seconds;
}

/// Below the first level, the encoder's smallest pictures can need less than the budget although the next level would
/// need more. These levels have a margin and a wait instead.
bool RateController::unused() const noexcept {
  return level_ == 0 && !partial_ && sent_bits_ < allowed_bits_ * used_share;
}

void RateController::increase() noexcept {
  const std::uint64_t top = config_.best.bitrate.value() + overhead_of(0);
  if (budget_ >= top) {
    capacity_ = 0;
    return;
  }
  if (unused()) return;
  const bool near_full = static_cast<double>(budget_) < static_cast<double>(capacity_) * near_capacity;
  growth_ = near_full ? small_growth : std::min(growth_ * 2, max_growth);
  budget_ = std::min(top, static_cast<std::uint64_t>(static_cast<double>(budget_) * (1 + growth_)) + 1);
}

void RateController::choose_level(MonotonicTime now) noexcept {
  std::size_t level = level_;
  while (level + 1 < levels.size() && media(level) < threshold(level)) ++level;
  if (level > level_) {
    level_ = level;
    stepped_ = now;
    return;
  }
  if (level_ == 0) return;
  const std::uint64_t better = media(level_ - 1);
  const std::uint64_t needed = threshold(level_ - 1);
  if (better < needed * 6 / 5) return;
  if (better < needed * 2 && now - stepped_ < improve_after_) return;
  if (better >= needed * 2) improve_after_ = first_improve_after;
  --level_;
  stepped_ = now;
  improved_ = now;
}

void RateController::apply() noexcept {
  const Level& level = levels[level_];
  quality_ = config_.best;
  quality_.bitrate = BitsPerSecond(static_cast<std::uint32_t>(std::max<std::uint64_t>(media(level_), 2'000)));
  if (quality_.bitrate < config_.best.bitrate) quality_.vbv = std::min(quality_.vbv, slow_vbv);
  if (level_ == 0) return;
  quality_.min_interval = level.min_interval;
  quality_.keyframe_interval = level.keyframe_interval;
  quality_.downscale = level.downscale;
}

}  // namespace sealcam::stream
