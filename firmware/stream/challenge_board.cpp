// SPDX-License-Identifier: Apache-2.0
#include "stream/challenge_board.hpp"

#include <algorithm>

namespace sealcam::stream {

ChallengeBoard::ChallengeBoard() { hubs_.reserve(protocol::Roster::max_hubs); }

ChallengeBoard::Hub& ChallengeBoard::place(const DeviceId& hub) {
  if (const auto known = std::ranges::find(hubs_, hub, &Hub::id); known != hubs_.end()) return *known;
  if (hubs_.size() < protocol::Roster::max_hubs)
    return hubs_.emplace_back(Hub{.id = hub, .live_until = {}, .until = {}});
  Hub& oldest = *std::ranges::min_element(hubs_, {}, &Hub::until);
  return oldest = Hub{.id = hub, .live_until = {}, .until = {}};
}

bool ChallengeBoard::add(const DeviceId& hub, protocol::Challenge challenge, MonotonicTime received,
                         MonotonicTime until, bool live) {
  const std::scoped_lock lock(mutex_);
  Hub& entry = place(hub);
  // Asks come each second. One after a silence is of a hub that lost its connection or its memory: what it has of the
  // running group cannot be decoded, although its lease still runs.
  const bool silent = entry.newest[0].challenge != protocol::Challenge{} && received - entry.newest[0].at > silence;
  std::shift_right(entry.newest.begin(), entry.newest.end(), 1);
  entry.newest[0] = {challenge, received};
  const bool begins = live && (entry.live_until <= received || silent);
  if (live) entry.live_until = std::max(entry.live_until, until);
  entry.until = std::max(entry.until, until);
  return begins;
}

void ChallengeBoard::end_stills() {
  const std::scoped_lock lock(mutex_);
  for (Hub& hub : hubs_) hub.until = hub.live_until;
}

void ChallengeBoard::clear() {
  const std::scoped_lock lock(mutex_);
  hubs_.clear();
}

protocol::Challenge ChallengeBoard::pick(MonotonicTime captured) {
  const std::scoped_lock lock(mutex_);
  for (std::size_t i = 0; i < hubs_.size(); ++i) {
    const std::size_t index = (turn_ + i) % hubs_.size();
    const Hub& hub = hubs_[index];
    if (hub.until <= captured) continue;
    for (const Received& received : hub.newest) {
      if (received.challenge == protocol::Challenge{} || received.at >= captured) continue;
      turn_ = index + 1;
      return received.challenge;
    }
  }
  return {};
}

ChallengeBoard::Leases ChallengeBoard::leases(MonotonicTime now) const {
  const std::scoped_lock lock(mutex_);
  Leases leases;
  for (const Hub& hub : hubs_) {
    if (hub.live_until > now) ++leases.live;
    else if (hub.until > now) ++leases.still;
  }
  return leases;
}

}  // namespace sealcam::stream
