// SPDX-License-Identifier: Apache-2.0
#include "stream/capture/received_challenges.hpp"

#include <algorithm>
#include <cmath>

namespace sealcam::stream {

ReceivedChallenges::ReceivedChallenges() { hubs_.reserve(protocol::Roster::max_hubs); }

ReceivedChallenges::Hub& ReceivedChallenges::place(const DeviceId& hub) {
  if (const auto known = std::ranges::find(hubs_, hub, &Hub::id); known != hubs_.end()) return *known;
  if (hubs_.size() < protocol::Roster::max_hubs) return hubs_.emplace_back(Hub{.id = hub});
  Hub& oldest = *std::ranges::min_element(hubs_, {}, &Hub::until);
  return oldest = Hub{.id = hub};
}

bool ReceivedChallenges::add(const DeviceId& hub, protocol::Challenge challenge, MonotonicTime received,
                             MonotonicTime until, Lease lease) {
  const std::scoped_lock lock(mutex_);
  Hub& entry = place(hub);
  // After an interruption the hub lacks pictures of the current group, although its lease has not ended.
  const bool interrupted =
      entry.newest[0].challenge != protocol::Challenge{} && received - entry.newest[0].at > max_request_interval;
  std::shift_right(entry.newest.begin(), entry.newest.end(), 1);
  entry.newest[0] = {challenge, received};
  const bool video = lease == Lease::live || lease == Lease::record;
  const bool begins = video && (!entry.video(received) || interrupted);
  entry.end(lease) = std::max(entry.end(lease), until);
  return begins;
}

void ReceivedChallenges::end_stills() {
  const std::scoped_lock lock(mutex_);
  for (Hub& hub : hubs_) hub.end(Lease::still) = {};
}

void ReceivedChallenges::clear() {
  const std::scoped_lock lock(mutex_);
  hubs_.clear();
}

std::size_t ReceivedChallenges::needed(MonotonicTime captured) const {
  if (!last_) return protocol::Echoes::max;
  const auto leases = std::ranges::count_if(hubs_, [&](const Hub& hub) { return hub.until() > captured; });
  const std::chrono::duration<double> interval = captured - *last_;
  const double needed = std::ceil(static_cast<double>(leases) * interval.count());
  return static_cast<std::size_t>(std::clamp(needed, 1.0, static_cast<double>(protocol::Echoes::max)));
}

protocol::Echoes ReceivedChallenges::pick(MonotonicTime captured) {
  const std::scoped_lock lock(mutex_);
  const std::size_t count = needed(captured);
  last_ = captured;
  protocol::Echoes echoes;
  const std::size_t first = turn_;
  for (std::size_t i = 0; i < hubs_.size() && echoes.size() < count; ++i) {
    const std::size_t index = (first + i) % hubs_.size();
    const Hub& hub = hubs_[index];
    if (hub.until() <= captured) continue;
    const auto usable = std::ranges::find_if(hub.newest, [&](const Received& received) {
      return received.challenge != protocol::Challenge{} && received.at < captured;
    });
    // add() fails if another hub sent the same challenge.
    if (usable != hub.newest.end() && echoes.add(usable->challenge)) turn_ = index + 1;
  }
  return echoes;
}

ReceivedChallenges::Leases ReceivedChallenges::leases(MonotonicTime now) const {
  const std::scoped_lock lock(mutex_);
  Leases leases;
  for (const Hub& hub : hubs_) {
    if (hub.has(Lease::live, now)) ++leases.live;
    else if (hub.has(Lease::record, now)) ++leases.record;
    else if (hub.has(Lease::motion, now)) ++leases.motion;
    if (!hub.video(now) && hub.has(Lease::still, now)) ++leases.still;
  }
  return leases;
}

}  // namespace sealcam::stream
