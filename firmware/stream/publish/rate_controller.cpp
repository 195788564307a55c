// SPDX-License-Identifier: Apache-2.0
#include "stream/publish/rate_controller.hpp"

#include <algorithm>
#include <array>
#include <ranges>

namespace sealcam::stream {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

static constexpr auto period = 500ms;
static constexpr nanoseconds max_hub_delay = 300ms;  // a report has a resolution of one frame
static constexpr auto max_report_age = 2500ms;
static constexpr auto hub_response = 3s, hub_other_lifetime = 60s;
static constexpr double share = 0.88;  // of what a full path carries, so that its queue becomes empty
static constexpr double slow_share = 0.95;
static constexpr nanoseconds long_delay = 600ms;  // of a queue that must become empty within `drain_time`
static constexpr std::chrono::duration<double> drain_time = 5s;
static constexpr double min_share = 0.4;
static constexpr double near_capacity = 1.15;
static constexpr double small_growth = 0.03, max_growth = 0.5;
static constexpr std::uint64_t min_budget = 4'000;             // bit/s
static constexpr std::uint64_t overhead = frame_overhead * 8;  // bits of a frame
static constexpr double used_share = 0.6;                      // of the budget; an encoder does not reach it exactly
static constexpr double fully_used = 0.75, fully_used_below = 0.85;  // the same at the first level, and below it
static constexpr auto max_limited = 20s;                             // without congestion
static constexpr double memory = 0.75;                               // of the earlier half seconds, in each half second
static constexpr nanoseconds first_improve_after = 2s, max_improve_after = 160s;
static constexpr auto test_time = 1s;   // of a better level, before the bitrate grows
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
  totals_.front() = std::max(totals_.front(), connection.total);
  if (!least_ || connection.delay < least_->delay) least_ = connection;
}

void RateController::reported(MonotonicTime now, const PathEstimate& best_hub) noexcept {
  hub_ = best_hub;
  hub_at_ = now;
}

void RateController::idle() noexcept {
  connection_ = hub_ = {};
  least_.reset();
  totals_ = {};
  hub_at_.reset();
  hub_full_.reset();
  hub_other_until_ = {};
  dropped_ = congested_ = false;
  judged_ = {};
  sent_bytes_ = 0;
  sent_bits_ = allowed_bits_ = counted_seconds_ = last_rate_ = 0;
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
  const nanoseconds hub_delay = judge_hub(now, hub);
  const bool hub_full = hub_delay > max_hub_delay;
  congested_ = own_full || hub_full || dropped_;
  if (!congested_) count_sent(elapsed);
  sent_bytes_ = 0;
  const Quality before = quality_;
  PathEstimate hub_path = hub;
  hub_path.delay = hub_delay;
  if (own_full) decrease(now, own);
  else if (hub_full) decrease(now, hub_path);
  else if (dropped_) lost(now);
  else if (own.delay < short_delay && hub_delay < target_delay) increase(now);
  choose_level(now);
  apply();
  least_.reset();
  dropped_ = false;
  return quality_ != before;
}

/// Returns the delay of the camera's data between the broker and the hub. A lower rate shortens the camera's own queue
/// within `hub_response`. If the delay stays, other traffic fills the queue, and a still lower rate has no use.
nanoseconds RateController::judge_hub(MonotonicTime now, const PathEstimate& hub) noexcept {
  // The report is about pictures of the last seconds. The own connection is judged for their delay to the broker.
  const nanoseconds delay = hub.delay - *std::ranges::max_element(totals_);
  std::ranges::copy_backward(totals_ | std::views::take(totals_.size() - 1), totals_.end());
  totals_.front() = 0ns;
  hub_other_ = now < hub_other_until_ ? std::clamp<nanoseconds>(delay, 0ns, hub_other_) : 0ns;
  if (delay - hub_other_ <= max_hub_delay) {
    hub_full_.reset();
  } else if (!hub_full_) {
    hub_full_ = {now, delay, hub.rate == 0 ? budget_ : std::min(budget_, hub.rate)};
  } else if (now - hub_full_->since >= hub_response && budget_ * 10 < hub_full_->budget * 7 &&
             delay * 10 > hub_full_->delay * 8 && delay <= SendBacklog::max_other) {
    hub_other_ = delay;
    hub_other_until_ = now + hub_other_lifetime;
    hub_full_.reset();
  }
  return delay - hub_other_;
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
  const bool all = path.delay < long_delay && carried > 0.98 * static_cast<double>(budget_);
  if (all && path.delay < 2 * target_delay) return;
  const std::chrono::duration<double> above = std::max<nanoseconds>(0ns, path.delay - long_delay);
  const double lower = std::max(min_share, share - above / drain_time);
  const auto limit = static_cast<std::uint64_t>(carried * (all ? slow_share : lower));
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
  limited_.reset();
  if (improved_ && now - *improved_ < too_early) improve_after_ = std::min(improve_after_ * 2, max_improve_after);
  improved_.reset();
}

void RateController::count_sent(nanoseconds elapsed) noexcept {
  const double seconds = std::chrono::duration<double>(elapsed).count();
  last_rate_ = static_cast<double>(sent_bytes_ * 8) / seconds;
  sent_bits_ = sent_bits_ * memory + static_cast<double>(sent_bytes_ * 8);
  counted_seconds_ = counted_seconds_ * memory + seconds;
  allowed_bits_ = allowed_bits_ * memory + static_cast<double>(budget_) * seconds;
}

/// A short delay says nothing about a higher rate than the one that is sent. So a bitrate that the encoder does not use
/// stays near the rate at which the path was full. There are two exceptions. The smallest pictures of a level can need
/// less than the budget although the next level needs more. And some encoders never use their whole bitrate.
std::uint64_t RateController::max_budget(MonotonicTime now) noexcept {
  const std::uint64_t top = config_.best.bitrate.value() + overhead_of(0);
  if (partial_ || counted_seconds_ == 0) return top;
  const bool full = sent_bits_ >= allowed_bits_ * (level_ == 0 ? fully_used : fully_used_below);
  double rate = sent_bits_ / counted_seconds_;
  if (full) rate = std::max(rate, last_rate_);
  const std::uint64_t max = level_ == 0 ? std::min(top, static_cast<std::uint64_t>(rate / used_share)) : top;
  if (capacity_ == 0 || full) {
    limited_.reset();
    return max;
  }
  const auto near = static_cast<std::uint64_t>(static_cast<double>(capacity_) * near_capacity);
  if (level_ > 0)
    return now - stepped_ < improve_after_
               ? near
               : std::max(near, threshold(level_ - 1) * 6 / 5 + overhead_of(level_ - 1) + 1);
  if (budget_ >= near) {
    if (!limited_) limited_ = now;
    if (now - *limited_ >= max_limited) {
      capacity_ = budget_;
      limited_.reset();
    }
  }
  return std::min(near, max);
}

void RateController::increase(MonotonicTime now) noexcept {
  const std::uint64_t top = config_.best.bitrate.value() + overhead_of(0);
  if (budget_ >= top) {
    capacity_ = 0;
    return;
  }
  if (now < test_until_) return;
  const std::uint64_t max = max_budget(now);
  if (max <= budget_) return;
  const bool near_full = static_cast<double>(budget_) < static_cast<double>(capacity_) * near_capacity;
  growth_ = near_full ? small_growth : std::min(growth_ * 2, max_growth);
  budget_ = std::min(max, static_cast<std::uint64_t>(static_cast<double>(budget_) * (1 + growth_)) + 1);
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
  else test_until_ = now + test_time;
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
