// SPDX-License-Identifier: Apache-2.0
#include "stream/publish/hub_reports.hpp"

#include <algorithm>

namespace sealcam::stream {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

static constexpr auto base_period = 60s;
static constexpr milliseconds max_arrival = 48h;  // an epoch ends after 24 hours
static constexpr milliseconds min_span = 200ms;   // of two reports, for a rate

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
  // One late frame is not a queue: of two reports, the shorter delay counts.
  hub.path.delay = first ? delay : std::min(delay, hub.last_delay);
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
