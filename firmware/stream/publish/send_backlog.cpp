// SPDX-License-Identifier: Apache-2.0
#include "stream/publish/send_backlog.hpp"

#include <algorithm>
#include <utility>

#include "base/result.hpp"

namespace sealcam::stream {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

static constexpr nanoseconds max_delay = 60s;
static constexpr nanoseconds min_elapsed = 100ms;     // for a rate
static constexpr nanoseconds late_after = 150ms;      // then the first byte waited in a queue
static constexpr nanoseconds max_late_after = 300ms;  // because `rate_` is no rate of the path if little is sent
static constexpr nanoseconds full_delay = 200ms;      // in the network
static constexpr std::uint64_t segment_bits = std::uint64_t{1448} * 8;

static nanoseconds time_for(std::size_t bytes, std::uint64_t rate) noexcept {
  if (rate == 0) return max_delay;
  const std::chrono::duration<double> time(static_cast<double>(bytes) * 8 / static_cast<double>(rate));
  return std::chrono::duration_cast<nanoseconds>(std::min<std::chrono::duration<double>>(time, max_delay));
}

void SendBacklog::add(const Sample& added) noexcept {
  while (used_ > 1 && (used_ == samples_.size() || added.at - sample(1).at >= window)) {
    first_ = (first_ + 1) % samples_.size();
    --used_;
  }
  sample(used_++) = added;
}

/// The path carries the camera's bytes again. All earlier ones were acknowledged, so a delay is that of other traffic.
void SendBacklog::first_byte(MonotonicTime now, const transport::SendProgress& progress) noexcept {
  first_byte_ = false;
  // On a slow path, the first segment itself needs a while.
  const nanoseconds segment(rate_ == 0 ? 0 : segment_bits * std::nano::den / rate_);
  const nanoseconds delay = first_byte_missing_ - busy_since_ - progress.min_rtt;
  first_delay_ = delay;
  late_ = delay > std::clamp(segment * 3 / 2, late_after, max_late_after) ? late_ + 1 : 0;
  if (late_ == 0) shared_ = false;
  test_ = late_ == 1;
  if (late_ >= 2) {
    const bool recent = shared_until_ != MonotonicTime{} && now - shared_until_ < max_lifetime;
    lifetime_ = recent ? std::min<nanoseconds>(lifetime_ * 2, max_lifetime) : first_lifetime;
    shared_ = true;
    shared_until_ = now + lifetime_;
    other_ = std::min<nanoseconds>(delay, max_other);
  }
  used_ = 0;
  add({now, progress.acknowledged});
}

std::size_t SendBacklog::add(std::size_t bytes) noexcept {
  const auto place = std::ranges::find(frames_, 0U, &Frame::bytes);
  SC_ASSERT(place != frames_.end() && bytes > 0);
  *place = {bytes, next_number_++};
  ++used_frames_;
  return static_cast<std::size_t>(place - frames_.begin());
}

std::size_t SendBacklog::remove(std::size_t slot) noexcept {
  const Frame frame = std::exchange(frames_.at(slot), {});
  SC_ASSERT(used_frames_ > 0 && frame.bytes > 0);
  --used_frames_;
  return frame.bytes;
}

/// Bytes of the frames that are not in the socket. The oldest frame may be there in part.
std::size_t SendBacklog::waiting(std::size_t unsent) const noexcept {
  std::size_t bytes = 0;
  const Frame* oldest = nullptr;
  for (const Frame& frame : frames_) {
    if (frame.bytes == 0) continue;
    bytes += frame.bytes;
    if (oldest == nullptr || frame.number < oldest->number) oldest = &frame;
  }
  return oldest == nullptr ? 0 : bytes - std::min(oldest->bytes, unsent);
}

/// Bytes in flight, by the rate at which they are acknowledged.
nanoseconds SendBacklog::network_delay(const transport::SendProgress& progress) noexcept {
  const std::size_t sent = progress.unacknowledged - std::min(progress.unsent, progress.unacknowledged);
  return std::max<nanoseconds>(0ns, time_for(sent, rate_) - progress.min_rtt);
}

PathEstimate SendBacklog::estimate(nanoseconds wait, std::uint64_t rate) const noexcept {
  const nanoseconds other = shared_ ? other_ : 0ns;
  return {.delay = std::max<nanoseconds>(0ns, wait - other),
          .rate = rate,
          .other = other,
          .total = std::max({0ns, wait, first_delay_})};
}

/// All bytes must be acknowledged before the next picture, which takes `delay`. This says nothing about the rate.
PathEstimate SendBacklog::pause(nanoseconds delay, nanoseconds total) const noexcept {
  return {.delay = std::max<nanoseconds>(short_delay, delay - max_other),
          .other = shared_ ? other_ : 0ns,
          .pause = delay,
          .total = total};
}

void SendBacklog::judge_network(MonotonicTime now, const transport::SendProgress& progress) noexcept {
  const nanoseconds network = network_delay(progress);
  if (network < full_delay) not_full_ = now;
  if (network < short_delay) not_busy_ = now;
  if (shared_) {
    other_ = std::min<nanoseconds>(network, max_other);
    if (network < short_delay) {
      late_ = 0;
      shared_ = false;
    }
    test_ = shared_ && now > shared_until_;
  } else if ((now - not_full_ > test_after || now - not_busy_ > late_test_after) && now >= next_test_) {
    test_ = true;
    next_test_ = now + test_interval;
  }
}

PathEstimate SendBacklog::measure(MonotonicTime now, const transport::SendProgress& progress) noexcept {
  const std::size_t outstanding = progress.unacknowledged + waiting(progress.unsent);
  const bool other_connection = used_ > 0 && progress.acknowledged < sample(used_ - 1).acknowledged;
  if (first_byte_ && used_ > 0 && progress.acknowledged > sample(0).acknowledged) first_byte(now, progress);
  if (outstanding == 0 || used_ == 0 || other_connection) {
    used_ = 0;
    busy_since_ = now;
    first_byte_ = true;
    first_byte_missing_ = not_full_ = not_busy_ = now;
    add({now, progress.acknowledged});
    const PathEstimate idle = estimate(0ns, 0);
    first_delay_ = 0ns;
    return idle;
  }
  if (first_byte_) first_byte_missing_ = now;
  constexpr auto spacing = window / 40;
  if (now - sample(used_ - 1).at >= spacing) add({now, progress.acknowledged});
  if (now - busy_since_ < min_busy + progress.min_rtt) return estimate(0ns, 0);
  const Sample& from = sample(0);
  const nanoseconds elapsed = now - from.at;
  const std::uint64_t acknowledged = progress.acknowledged - from.acknowledged;
  if (first_byte_) {
    const nanoseconds delay = now - busy_since_ - progress.min_rtt;
    return pause(delay, delay);
  }
  if (elapsed < min_elapsed) return estimate(0ns, 0);
  if (acknowledged == 0) return estimate(elapsed - progress.min_rtt, 0);
  rate_ = static_cast<std::uint64_t>(static_cast<double>(acknowledged) * 8 /
                                     std::chrono::duration<double>(elapsed).count());
  judge_network(now, progress);
  const nanoseconds wait = time_for(outstanding, rate_) - progress.min_rtt;
  return test_ ? pause(max_other, wait) : estimate(wait, rate_);
}

using namespace std::chrono_literals;
using std::chrono::milliseconds;

static constexpr auto base_period = 60s;
static constexpr milliseconds max_arrival = 48h;  // an epoch ends after 24 hours
static constexpr nanoseconds very_late = 800ms;
static constexpr milliseconds min_span = 200ms;  // of two reports, for a rate

void HubReports::sealed(protocol::Counter counter, MonotonicTime at, std::size_t bytes) noexcept {
  bytes_ += bytes;
  frames_[counter.value() % frames_.size()] = {counter, at, bytes_, true};
}

void HubReports::clear() noexcept {
  frames_ = {};
  bytes_ = 0;
  hubs_.clear();
}

HubReports::Hub& HubReports::place(const DeviceId& hub, MonotonicTime now) {
  if (const auto known = std::ranges::find(hubs_, hub, &Hub::id); known != hubs_.end()) return *known;
  const Hub added{.id = hub, .at = now, .frame = {}, .base_since = now, .path = {}};
  if (hubs_.size() < protocol::Roster::max_hubs) return hubs_.emplace_back(added);
  return *std::ranges::min_element(hubs_, {}, &Hub::at) = added;
}

void HubReports::update(Hub& hub, const Frame& frame, milliseconds arrival, MonotonicTime now) {
  const nanoseconds difference = nanoseconds(arrival) - frame.at.since_boot;
  const bool first = !hub.frame.used;
  if (first) hub.previous_base = difference;
  if (first || now - hub.base_since >= base_period) {
    if (!first) hub.previous_base = hub.base;
    hub.base = difference;
    hub.base_since = now;
  }
  hub.base = std::min(hub.base, difference);
  const nanoseconds delay = difference - std::min(hub.base, hub.previous_base);
  // One late frame is not a queue: of two reports, the shorter delay counts, unless it is very late.
  hub.path.delay = first || delay > very_late ? delay : std::min(delay, hub.last_delay);
  hub.last_delay = delay;
  hub.path.rate = 0;
  if (!first && arrival - hub.arrival >= min_span && frame.bytes > hub.frame.bytes)
    hub.path.rate =
        (frame.bytes - hub.frame.bytes) * 8'000 / static_cast<std::uint64_t>((arrival - hub.arrival).count());
  hub.frame = frame;
  hub.arrival = arrival;
  hub.at = now;
}

std::optional<PathEstimate> HubReports::report(const DeviceId& hub, const protocol::ReceiverReport& report,
                                               MonotonicTime now) {
  const Frame& frame = frames_[report.counter.value() % frames_.size()];
  if (!frame.used || frame.counter != report.counter || report.arrival > max_arrival) return std::nullopt;
  Hub& entry = place(hub, now);
  if (entry.frame.used && report.counter <= entry.frame.counter) return std::nullopt;
  update(entry, frame, report.arrival, now);
  const auto age = [now](const Hub& h) { return now - h.at; };
  const Hub* best = &entry;
  for (const Hub& other : hubs_)
    if (age(other) <= max_age && other.frame.used && other.path.delay < best->path.delay) best = &other;
  return best->path;
}

}  // namespace sealcam::stream
