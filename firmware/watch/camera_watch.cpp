// SPDX-License-Identifier: Apache-2.0
#include "watch/camera_watch.hpp"

#include <algorithm>

#include "protocol/grants.hpp"
#include "protocol/status.hpp"

namespace sealcam::watch {

Refusal to_refusal(const Error& error) noexcept {
  switch (error.code) {
    case Errc::wrong_key: return Refusal::wrong_account;
    case Errc::bad_signature:
    case Errc::crypto: return Refusal::bad_signature;
    case Errc::not_decryptable:
    case Errc::not_found: return Refusal::not_decryptable;
    default: return Refusal::malformed;
  }
}

CameraWatch::CameraWatch(WatchContext& context, const protocol::Route& route)
    : context_(context),
      route_(route),
      lane_(context.checker.add_lane([this](FrameCheck& frame) { on_checked(frame); })) {}

CameraWatch::~CameraWatch() {
  context_.checker.remove_lane(lane_);
  context_.cache.remove(key_);
}

Result<> CameraWatch::on_roster(const protocol::Roster& roster) {
  if (!camera_keys_) {
    auto verifier = crypto::Verifier::open(roster.camera_identity);
    if (!verifier) return std::unexpected(verifier.error());
    camera_keys_ = std::make_shared<const CameraKeys>(protocol::FrameOpener(route_), std::move(*verifier));
    key_ = roster.camera_identity;
  } else if (key_ != roster.camera_identity) {
    return fail(Errc::malformed, "another key with the camera's id");
  }
  roster_version_ = roster.version;
  roster_conflict_ = false;
  // Both keys must be ours: an entry with a foreign HPKE key would only ever bring grants that do not open.
  const auto& keys = context_.keys;
  const auto own = std::ranges::find_if(roster.hubs, [&](const protocol::RosterHub& hub) {
    return hub.identity == keys.identity.public_key() && hub.hpke == keys.hpke.public_key();
  });
  const bool listed = own != roster.hubs.end();
  const bool member = listed && roster.active(keys.identity.id()) != nullptr;
  if (member_ && !member) {
    context_.log.info("camera {}: {}", route_.camera.to_string(), listed ? "suspended" : "no longer on its roster");
    forget();
  }
  if (listed) removed_.reset();
  else if (member_ || suspended_) removed_ = context_.clock.monotonic();
  member_ = member;
  suspended_ = listed && !member;
  may_switch_privacy_ = member && own->may_switch_privacy;
  if (!may_switch_privacy_) wish_.reset();
  report_state();
  return {};
}

void CameraWatch::on_roster_conflict() {
  if (!roster_conflict_)
    context_.log.error("camera {}: two rosters with one version; the first one stays", route_.camera.to_string());
  roster_conflict_ = true;
  report_state();
}

// What was opened before goes, too. The name stays, so that people know which camera it is about.
void CameraWatch::forget() {
  epochs_.clear();
  clones_.clear();
  waiting_.clear();
  waiting_bytes_ = 0;
  context_.cache.remove(key_);
  freshness_ = {};
  newest_.reset();
  shown_epoch_.reset();
  answered_.reset();
  newest_echo_.reset();
  clock_ahead_.reset();
  wish_.reset();
  wish_failed_.reset();
}

void CameraWatch::on_grants(ByteView message) {
  if (!member_ || cloned_) return refuse_control(cloned_ ? Refusal::cloned : Refusal::not_member);
  const auto grants = protocol::decode_grants(message, route_, camera_keys_->verifier);
  if (!grants) return refuse_control(to_refusal(grants.error()));
  if (epochs_.find(grants->epoch) != nullptr) return;  // again, as after every reconnect
  if (epochs_.closed(grants->epoch)) {
    clones_.on_sign_of_life(grants->epoch);
    ask_due();
    return refuse_control(Refusal::closed_epoch);
  }
  auto content = protocol::open_grant(*grants, route_, context_.keys.identity.id(), context_.keys.hpke);
  // Made before the camera learned of the roster that lists us; the next ones will have ours.
  if (!content && content.error().code == Errc::not_found && grants->roster_version < roster_version_) return;
  if (!content) return refuse_control(to_refusal(content.error()));
  auto key = crypto::sframe::OpeningKey::open(grants->suite, grants->epoch, content->base_key);
  if (!key) return refuse_control(to_refusal(key.error()));

  auto& epoch = epochs_.add_candidate(EpochState{
      .epoch = grants->epoch,
      .key = std::make_shared<const crypto::sframe::OpeningKey>(std::move(*key)),
      .camera_name = std::move(content->camera_name),
      .known_since = challenges_.next(),
  });
  if (name_.empty()) name_ = epoch.camera_name;
  context_.log.info("camera {}: key of epoch {:016x}", route_.camera.to_string(), grants->epoch.value());
  ask_due();
  release_waiting(grants->epoch);
  report_state();
}

void CameraWatch::on_status(ByteView message) {
  if (!member_ || cloned_) return refuse_control(cloned_ ? Refusal::cloned : Refusal::not_member);
  const auto status = protocol::decode_status(message, route_, camera_keys_->verifier);
  if (!status) return refuse_control(to_refusal(status.error()));
  says_online_ = status->online;
  if (!status->privacy) privacy_.reset();
  else if (!privacy_) privacy_ = context_.clock.wall();
  if (wish_ && status->online && status->privacy == wish_->on) wish_.reset();
  if (status->online && wish_failed_ == status->privacy) wish_failed_.reset();
  // A camera says so whenever it connects: what we asked before that reached nobody.
  const auto now = context_.clock.monotonic();
  if (status->online && (!nudged_ || now - *nudged_ >= ask_interval)) {
    nudged_ = now;
    clones_.on_sign_of_life();
    ask_all_now();
    ask_due();
  }
  report_state();
}

void CameraWatch::on_frame(ByteView message, bool retained) {
  if (!member_) return counters_.refused.add(Refusal::not_member);
  if (cloned_) {
    say_cloned();
    return counters_.refused.add(Refusal::cloned);
  }
  auto frame = context_.checker.make();
  frame->message.assign(message.begin(), message.end());
  const auto view = protocol::parse_frame(frame->message);
  if (!view) return counters_.refused.add(Refusal::malformed);
  if (view->signer != route_.camera) return counters_.refused.add(Refusal::wrong_account);
  frame->frame.emplace(*view);
  frame->camera = camera_keys_;
  frame->received = context_.clock.monotonic();
  frame->retained = retained;
  if (const auto* epoch = epochs_.find(view->epoch)) {
    frame->key = epoch->key;
    submit(std::move(frame));
  } else if (epochs_.closed(view->epoch)) {
    // Also without a key the signature decides which reason is counted.
    if (const auto* replaced = clones_.find(view->epoch)) frame->key = replaced->key;
    submit(std::move(frame));
  } else {
    hold_for_grants(std::move(frame));
  }
}

void CameraWatch::submit(std::unique_ptr<FrameCheck> frame) {
  counters_.overload += context_.checker.submit(lane_, std::move(frame));
}

void CameraWatch::hold_for_grants(std::unique_ptr<FrameCheck> frame) {
  waiting_bytes_ += frame->message.size();
  waiting_.push_back(std::move(frame));
  give_up_waiting();
}

void CameraWatch::release_waiting(Epoch epoch) {
  std::deque<std::unique_ptr<FrameCheck>> others;
  for (auto& frame : waiting_) {
    if (frame->frame->epoch != epoch) {
      others.push_back(std::move(frame));
      continue;
    }
    waiting_bytes_ -= frame->message.size();
    frame->key = epochs_.find(epoch)->key;
    submit(std::move(frame));
  }
  waiting_ = std::move(others);
}

// They are checked without a key, so that each is counted for what it is: forged, or not for us.
void CameraWatch::give_up_waiting() {
  const auto now = context_.clock.monotonic();
  while (!waiting_.empty() && (waiting_bytes_ > waiting_bytes || now - waiting_.front()->received > waiting_time)) {
    waiting_bytes_ -= waiting_.front()->message.size();
    submit(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

void CameraWatch::on_checked(FrameCheck& frame) {
  auto* epoch = epochs_.find(frame.frame->epoch);
  const bool closed = epoch == nullptr && epochs_.closed(frame.frame->epoch);
  if (frame.refusal) {
    const bool authentic = *frame.refusal == Refusal::not_decryptable;
    return counters_.refused.add(authentic && closed ? Refusal::closed_epoch : *frame.refusal);
  }
  if (!member_ || cloned_) return counters_.refused.add(cloned_ ? Refusal::cloned : Refusal::not_member);
  if (closed) return on_closed(frame);
  if (epoch == nullptr) return counters_.refused.add(Refusal::not_decryptable);

  const auto& view = *frame.frame;
  const auto verdict = epoch->order.accept(view.kind, view.counter, frame.header.number);
  if (verdict == StreamOrder::Verdict::replayed) {
    // A broker delivers the retained still again with every subscription; that is no attack.
    const bool again = frame.retained && last_still_ == view.counter && epoch == epochs_.current();
    if (!again) counters_.refused.add(Refusal::replayed);
    return;
  }
  if (verdict == StreamOrder::Verdict::out_of_order) return counters_.refused.add(Refusal::out_of_order);
  on_accepted(*epoch, verdict, frame);
}

// Verified and opened, which is more than a frame of an epoch that is over needs to be refused: it may complete the
// proof that two devices are at work, or be the first sign of it.
void CameraWatch::on_closed(const FrameCheck& frame) {
  counters_.refused.add(Refusal::closed_epoch);
  const auto epoch = frame.frame->epoch;
  const auto echoed = challenges_.made(frame.header.echo);
  if (echoed && clones_.proves(epoch, echoed->serial)) return on_cloned(*clones_.find(epoch));
  clones_.on_sign_of_life(epoch);
  ask_due();
}

void CameraWatch::on_cloned(const ReplacedEpoch& replaced) {
  cloned_ = true;
  context_.log.error("camera {}: epoch {:016x} answers although epoch {:016x} replaced it", route_.camera.to_string(),
                     replaced.epoch.value(), replaced.replaced_by.value());
  forget();
  say_cloned();
  report_state();
}

void CameraWatch::say_cloned() {
  if (!cloned_log_.allow(context_.clock.monotonic())) return;
  context_.log.error(
      "camera {}: two devices live with its identity, nothing of it is shown; reset the camera and pair "
      "it again",
      route_.camera.to_string());
}

void CameraWatch::on_accepted(EpochState& epoch, StreamOrder::Verdict verdict, const FrameCheck& frame) {
  const auto& view = *frame.frame;
  take_echo(epoch, frame);
  if (view.kind == protocol::FrameKind::still) last_still_ = view.counter;
  if (verdict == StreamOrder::Verdict::show) {
    const PictureInfo picture{.kind = view.kind,
                              .header = frame.header,
                              .epoch = view.epoch,
                              .counter = view.counter,
                              .age = {},
                              .received = frame.received,
                              .handed_out = {}};
    if (may_show(epoch)) {
      hand_out(epoch, picture, frame.content);
    } else {
      ++counters_.held_back;
      epoch.held.add(picture, frame.content);
    }
  } else if (verdict == StreamOrder::Verdict::wait_for_key) {
    ++counters_.waiting_for_key;
  } else {
    ++counters_.nothing_new;
  }
  report_state();
}

void CameraWatch::take_echo(EpochState& epoch, const FrameCheck& frame) {
  const auto made = challenges_.made(frame.header.echo);
  if (!made) return;
  // An epoch that echoes an older challenge than the current one did had ended before that began: its frames were held
  // back on the way. Whoever let it become current again would show them behind newer ones.
  if (&epoch != epochs_.current()) {
    if (newest_echo_ && made->at < *newest_echo_) return;
    promote(epoch, made->serial);
  }
  answered_ = context_.clock.monotonic();
  if (!newest_echo_ || *newest_echo_ < made->at) newest_echo_ = made->at;
  if (frame.frame->kind != protocol::FrameKind::report) freshness_.on_echo(frame.header.number, made->at);
}

void CameraWatch::promote(EpochState& epoch, ChallengeSerial echoed) {
  if (const auto* before = epochs_.current()) clones_.on_replaced(*before, epoch.epoch, echoed, challenges_.next());
  if (shown_epoch_ != epoch.epoch) freshness_.begin_epoch();
  epochs_.promote(epoch);
  name_ = epoch.camera_name;
  last_still_.reset();
  context_.log.info("camera {}: epoch {:016x} is live", route_.camera.to_string(), epoch.epoch.value());
  if (!epoch.shown)
    epoch.held.for_each([&](const PictureInfo& picture, ByteView unit) { hand_out(epoch, picture, unit); });
  epoch.held.clear();
}

bool CameraWatch::may_show(const EpochState& epoch) const noexcept {
  return epochs_.current() != nullptr ? &epoch == epochs_.current() : &epoch == epochs_.preferred();
}

void CameraWatch::hand_out(EpochState& epoch, PictureInfo picture, ByteView access_unit) {
  const auto now = context_.clock.monotonic();
  if (shown_epoch_ != epoch.epoch) {
    // Set anew only when promote() did not: its echo may wait in there for this very picture.
    if (&epoch != epochs_.current()) freshness_.begin_epoch();
    shown_epoch_ = epoch.epoch;
  }
  epoch.shown = true;
  freshness_.on_shown(picture.header.number);
  const bool live = &epoch == epochs_.current() && freshness_.live(now);
  picture.state = live ? CameraState::live : CameraState::stale;
  picture.age = freshness_.age(now);
  picture.handed_out = now;
  if (live) judge_clock(picture);
  ++(live ? counters_.shown_live : counters_.shown_stale);
  newest_ = picture;
  context_.cache.add(key_, picture, access_unit);
  context_.sink.on_picture(route_.camera, picture, access_unit);
}

}  // namespace sealcam::watch
