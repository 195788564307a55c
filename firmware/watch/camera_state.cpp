// SPDX-License-Identifier: Apache-2.0
// The part of CameraWatch that says how the camera is.
#include <algorithm>

#include "watch/camera_watch.hpp"

namespace sealcam::watch {
namespace {

bool same_to_report(const CameraStatus& a, const CameraStatus& b) {
  return a.state == b.state && a.reason == b.reason && a.name == b.name && a.member == b.member &&
         a.roster_conflict == b.roster_conflict && a.wanted == b.wanted && a.says_online == b.says_online &&
         a.epoch == b.epoch && a.privacy == b.privacy && a.may_switch_privacy == b.may_switch_privacy &&
         a.privacy_wish == b.privacy_wish && a.privacy_failed == b.privacy_failed &&
         a.roster_version == b.roster_version && a.width == b.width && a.height == b.height;
}

}  // namespace

std::string_view name(Reason reason) noexcept {
  switch (reason) {
    case Reason::none: return "";
    case Reason::cloned: return "cloned";
    case Reason::suspended: return "suspended";
    case Reason::removed: return "removed";
    case Reason::roster_conflict: return "roster_conflict";
    case Reason::clock: return "clock";
    case Reason::privacy: return "privacy";
    case Reason::said_goodbye: return "said_goodbye";
    case Reason::no_answer: return "no_answer";
    case Reason::waiting: return "waiting";
  }
  return "";
}

CameraState CameraWatch::state(MonotonicTime now) const {
  if (!member_ || cloned_ || !newest_) return CameraState::offline;
  if (shown_epoch_ && epochs_.current() != nullptr && freshness_.live(now)) return CameraState::live;
  if (says_online_ == false) return CameraState::offline;
  if (wanted_ && answered_ && now - *answered_ > unanswered_for) return CameraState::offline;
  return CameraState::stale;
}

Reason CameraWatch::reason(CameraState state, MonotonicTime now) const {
  if (cloned_) return Reason::cloned;
  if (suspended_) return Reason::suspended;
  if (!member_ && removed_ && now - *removed_ < removed_for) return Reason::removed;
  if (roster_conflict_) return Reason::roster_conflict;
  if (!member_) return Reason::none;
  if (state == CameraState::live) return clock_ahead_ ? Reason::clock : Reason::none;
  if (says_online_ == false) return Reason::said_goodbye;
  if (privacy_) return Reason::privacy;
  if (wanted_ && answered_ && now - *answered_ > unanswered_for) return Reason::no_answer;
  return newest_ ? Reason::none : Reason::waiting;
}

// A LIVE picture is a few seconds old at most, whatever its own time says.
void CameraWatch::judge_clock(const PictureInfo& picture) {
  constexpr std::chrono::microseconds most = std::chrono::hours(24 * 365 * 1000);  // any 64 bits may be sent
  const auto captured = std::clamp(picture.header.captured.since_epoch, -most, most);
  const auto ahead = captured - context_.clock.wall().since_epoch;
  const bool off = ahead > clock_tolerance || ahead < -(clock_tolerance + Freshness::live_for);
  clock_ahead_.reset();
  if (off) clock_ahead_ = std::chrono::duration_cast<std::chrono::seconds>(ahead);
}

CameraStatus CameraWatch::status() const {
  const auto now = context_.clock.monotonic();
  CameraStatus s;
  s.id = route_.camera;
  s.name = name_;
  s.state = state(now);
  s.reason = reason(s.state, now);
  s.member = member_;
  s.roster_conflict = roster_conflict_;
  s.wanted = wanted_;
  s.says_online = says_online_;
  s.privacy = privacy_.has_value();
  s.privacy_heard = privacy_;
  s.may_switch_privacy = may_switch_privacy_;
  if (wish_) s.privacy_wish = wish_->on;
  s.privacy_failed = wish_failed_;
  if (newest_) {
    s.age = freshness_.age(now);
    s.captured = newest_->header.captured;
    s.clock_ahead = clock_ahead_;
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
