// SPDX-License-Identifier: Apache-2.0
// The part of CameraWatch that the clock drives: asks and state.
#include "core/log.hpp"
#include "protocol/ask.hpp"
#include "watch/camera_watch.hpp"

namespace sealcam::watch {
namespace {

/// A candidate that does not answer was rolled back by a broker, or its camera is gone.
constexpr std::uint32_t eager_asks = 10;
constexpr std::chrono::seconds patient_interval{10};
/// While nothing answered yet: a camera takes two asks a second, and may have refused the first since this hub asked
/// just before it was restarted.
constexpr std::chrono::milliseconds first_interval{600};

bool same_to_report(const CameraStatus& a, const CameraStatus& b) {
  return a.state == b.state && a.name == b.name && a.member == b.member && a.roster_conflict == b.roster_conflict &&
         a.wanted == b.wanted && a.says_online == b.says_online && a.epoch == b.epoch &&
         a.roster_version == b.roster_version && a.width == b.width && a.height == b.height;
}

}  // namespace

void CameraWatch::set_wanted(bool wanted) {
  if (wanted == wanted_) return;
  wanted_ = wanted;
  answered_.reset();
  ask_all_now();
  ask_due();
  report_state();
}

void CameraWatch::on_connected() {
  ask_all_now();
  ask_due();
}

void CameraWatch::tick() {
  give_up_waiting();
  ask_due();
  report_state();
}

void CameraWatch::ask_all_now() noexcept {
  for (auto& epoch : epochs_.known()) {
    epoch.asks = 0;
    epoch.next_ask = {};
  }
}

void CameraWatch::ask_due() {
  if (!wanted_ || !member_ || context_.client == nullptr || !context_.client->connected()) return;
  const auto now = context_.clock.monotonic();
  if (!answered_) answered_ = now;
  for (auto& epoch : epochs_.known()) {
    if (now < epoch.next_ask) continue;
    const bool patient = &epoch != epochs_.current() && ++epoch.asks > eager_asks;
    const std::chrono::milliseconds interval = epochs_.current() == nullptr ? first_interval : ask_interval;
    epoch.next_ask = now + (patient ? patient_interval : interval);
    ask(epoch, now);
  }
}

void CameraWatch::ask(EpochState& epoch, MonotonicTime now) {
  const auto seq = context_.sequence.next();
  if (!seq) return context_.log.error("no number for an ask: {}", to_string(seq.error()));
  const auto challenge = challenges_.make(now);
  if (!challenge) return context_.log.error("no challenge: {}", to_string(challenge.error()));
  const protocol::Ask ask{protocol::Want::live, *challenge, epoch.epoch, *seq};
  const auto message = protocol::encode_ask(ask, route_, context_.keys.identity);
  if (!message) return context_.log.error("cannot sign an ask: {}", to_string(message.error()));
  ++counters_.asks;
  const auto topic = protocol::ask_topic(route_, context_.keys.identity.id());
  // Lost asks need no care: the next one comes in a second.
  context_.client->publish({.topic = topic, .payload = *message, .expiry = std::chrono::seconds(5)}, [](Result<>) {});
}

CameraState CameraWatch::state(MonotonicTime now) const {
  if (!member_ || !newest_) return CameraState::offline;
  if (shown_epoch_ && epochs_.current() != nullptr && freshness_.live(now)) return CameraState::live;
  if (says_online_ == false) return CameraState::offline;
  if (wanted_ && answered_ && now - *answered_ > unanswered_for) return CameraState::offline;
  return CameraState::stale;
}

CameraStatus CameraWatch::status() const {
  const auto now = context_.clock.monotonic();
  CameraStatus s;
  s.id = route_.camera;
  s.name = name_;
  s.state = state(now);
  s.member = member_;
  s.roster_conflict = roster_conflict_;
  s.wanted = wanted_;
  s.says_online = says_online_;
  if (newest_) {
    s.age = freshness_.age(now);
    s.captured = newest_->header.captured;
    s.width = newest_->header.width;
    s.height = newest_->header.height;
  }
  if (const auto* current = epochs_.current()) s.epoch = current->epoch;
  s.roster_version = roster_version_;
  s.counters = counters_;
  return s;
}

void CameraWatch::report_state() {
  auto now = status();
  if (reported_ && same_to_report(*reported_, now)) return;
  reported_ = std::move(now);
  context_.sink.on_state(*reported_);
}

}  // namespace sealcam::watch
