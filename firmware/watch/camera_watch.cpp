// SPDX-License-Identifier: Apache-2.0
#include "watch/camera_watch.hpp"

#include <algorithm>

#include "base/types.hpp"
#include "protocol/roster.hpp"

namespace sealcam::watch {

using protocol::to_reject_reason;

CameraWatch::CameraWatch(CameraDependencies& deps, const protocol::Route& route, std::uint32_t max_counter)
    : deps_(deps),
      route_(route),
      queue_(deps.checker.add_queue([this](FrameCheck& frame) { on_checked(frame); })),
      epochs_(max_counter),
      requester_(deps, route),
      shown_(route.camera, deps.cache, deps.sink, deps.clock),
      recorded_(deps.frames, deps.owner),
      past_(deps, route, recorded_, counters_) {}

CameraWatch::~CameraWatch() {
  deps_.checker.remove_queue(queue_);
  shown_.forget();
}

Result<> CameraWatch::on_roster(const protocol::Roster& roster, const RosterMark& mark, ByteView message) {
  if (!camera_keys_) {
    auto verifier = crypto::Verifier::open(roster.camera_identity);
    if (!verifier) return std::unexpected(verifier.error());
    camera_keys_ = std::make_shared<const CameraKeys>(protocol::FrameOpener(route_), std::move(*verifier), deps_.rule);
    key_ = roster.camera_identity;
    shown_.set_key(key_);
  } else if (key_ != roster.camera_identity) {
    return fail(Errc::malformed, "another key with the camera's id");
  }
  if (membership_.apply(roster, mark, deps_.keys, deps_.clock.boot())) {
    deps_.log.info("camera {}: {}", route_.camera.to_string(),
                   membership_.suspended() ? "the roster suspends this hub" : "the roster no longer lists this hub");
    forget();
    recorded_.end(route_.camera, membership_.suspended() ? FrameSink::End::suspended : FrameSink::End::removed);
  }
  recorded_.set_roster(message);
  if (!membership_.may_switch_privacy()) requester_.end_privacy();
  report_state();
  return {};
}

void CameraWatch::on_roster_conflict() {
  if (!membership_.conflict())
    deps_.log.error("camera {}: two rosters have the same version, keeping the first one", route_.camera.to_string());
  membership_.note_conflict();
  report_state();
}

// Deletes keys and opened pictures. Keeps the name, so that viewers can identify the camera.
void CameraWatch::forget() {
  epochs_.clear();
  clones_.clear();
  held_.clear();
  shown_.forget();
  restored_.reset();
  answered_.reset();
  newest_echo_.reset();
  reported_state_.clear_proof();
  requester_.clear_privacy();
  requester_.clear_unopened();
  past_.clear();
}

std::optional<RejectReason> CameraWatch::blocked() const noexcept {
  if (cloned_) return RejectReason::cloned;
  if (!membership_.member()) return RejectReason::not_member;
  return std::nullopt;
}

void CameraWatch::on_grants(ByteView message) {
  if (const auto reason = blocked()) return reject_control(*reason);
  const auto grants = protocol::decode_grants(message, route_, camera_keys_->verifier);
  if (!grants) return reject_control(to_reject_reason(grants.error()));
  membership_.note_applied({grants->roster_version, grants->roster_hash}, deps_.clock.boot());
  if (epochs_.find(grants->epoch) != nullptr) return;  // the broker sends them after each reconnect
  if (epochs_.closed(grants->epoch)) return on_closed_grants(*grants);
  auto opened = open_epoch(*grants);
  // The camera made these grants before it received the roster that lists this hub. The next ones contain a grant for
  // it.
  if (!opened && opened.error().code == Errc::not_found && grants->roster_version < membership_.version()) return;
  if (!opened) {
    if (opened.error().code == Errc::not_decryptable) requester_.set_unopened(grants->epoch);
    request_due();
    return reject_control(to_reject_reason(opened.error()));
  }
  requester_.clear_unopened();
  auto& epoch = epochs_.add_candidate(std::move(*opened));
  take_name(epoch);
  recorded_.set_grants(epoch, message);
  deps_.log.info("camera {}: received the key of epoch {:016x}", route_.camera.to_string(), grants->epoch.value());
  request_due();
  for (auto& frame : held_.take(grants->epoch)) {
    frame->key = epoch.key;
    submit(std::move(frame));
  }
  report_state();
}

// A broker may offer such grants at any time. They prove something only if the camera uses the epoch now.
void CameraWatch::on_closed_grants(const protocol::Grants& grants) {
  if (clones_.find(grants.epoch) == nullptr && epochs_.below_max(grants.epoch)) {
    const auto* current = epochs_.current();
    if (auto old = open_epoch(grants))
      clones_.on_old(grants.epoch, std::move(old->key), current == nullptr ? Epoch() : current->epoch,
                     requester_.challenges().next());
  }
  clones_.on_activity(grants.epoch);
  request_due();
  reject_control(RejectReason::closed_epoch);
}

void CameraWatch::on_status(ByteView message) {
  if (const auto reason = blocked()) return reject_control(*reason);
  const auto status = protocol::decode_status(message, route_, camera_keys_->verifier);
  if (!status) return reject_control(to_reject_reason(status.error()));
  reported_state_.on_status(*status, deps_.clock.wall());
  // A camera publishes its status after it connected. It did not receive earlier requests.
  const auto now = deps_.clock.boot();
  if (status->online && (!status_request_ || now - *status_request_ >= ViewRequester::request_interval)) {
    status_request_ = now;
    clones_.on_activity();
    ViewRequester::make_due(epochs_);
    request_due();
  }
  report_state();
}

void CameraWatch::on_frame(ByteView message, bool retained) {
  if (!membership_.member()) return counters_.rejected.add(RejectReason::not_member);
  if (cloned_) {
    report_cloned();
    return counters_.rejected.add(RejectReason::cloned);
  }
  auto frame = deps_.checker.make();
  frame->message.assign(message.begin(), message.end());
  const auto view = protocol::parse_frame(frame->message);
  if (!view) return counters_.rejected.add(RejectReason::malformed);
  if (view->signer != route_.camera) return counters_.rejected.add(RejectReason::wrong_account);
  frame->frame.emplace(*view);
  frame->camera = camera_keys_;
  frame->received = deps_.clock.boot();
  frame->retained = retained;
  if (const auto* epoch = epochs_.find(view->epoch)) {
    frame->key = epoch->key;
    submit(std::move(frame));
  } else if (epochs_.closed(view->epoch)) {
    // Also checked without a key, because the signature decides which reason is counted.
    if (const auto* replaced = clones_.find(view->epoch)) frame->key = replaced->key;
    submit(std::move(frame));
  } else {
    held_.add(std::move(frame));
    submit_excess();
  }
}

// Frames without grants are checked without a key, so that forged frames and frames for other hubs are counted apart.
void CameraWatch::submit_excess() {
  while (auto frame = held_.take_excess(deps_.clock.boot())) submit(std::move(frame));
}

void CameraWatch::on_checked(FrameCheck& frame) {
  auto* epoch = epochs_.find(frame.frame->epoch);
  const bool closed = epoch == nullptr && epochs_.closed(frame.frame->epoch);
  if (frame.rejection) {
    const bool authentic = *frame.rejection == RejectReason::not_decryptable;
    return counters_.rejected.add(authentic && closed ? RejectReason::closed_epoch : *frame.rejection);
  }
  if (const auto reason = blocked()) return counters_.rejected.add(*reason);
  if (closed) return on_closed(frame);
  if (epoch == nullptr) return counters_.rejected.add(RejectReason::not_decryptable);

  const auto& view = *frame.frame;
  const auto verdict = epoch->order.accept(view.kind, view.counter, frame.header);
  const bool video = view.kind == protocol::FrameKind::key || view.kind == protocol::FrameKind::delta;
  if (video && verdict != StreamOrder::Verdict::replayed) epoch->received.note(view.counter, frame.received);
  if (verdict == StreamOrder::Verdict::replayed) {
    // A broker sends the retained still again after each subscription. This is not an attack.
    const bool again = frame.retained && last_still_ == view.counter && epoch == epochs_.current();
    if (!again) counters_.rejected.add(RejectReason::replayed);
    return;
  }
  const bool ordered = verdict != StreamOrder::Verdict::out_of_order;
  if (ordered) on_accepted(*epoch, verdict, frame);
  else counters_.rejected.add(RejectReason::out_of_order);
  recorded_.forward(epochs_.current(), frame, video && ordered);
}

// The frame is rejected, but it is opened before: it may complete the proof of a clone, or be the first activity of
// one.
void CameraWatch::on_closed(const FrameCheck& frame) {
  counters_.rejected.add(RejectReason::closed_epoch);
  const auto epoch = frame.frame->epoch;
  const auto echoed = requester_.challenges().made(frame.header.echoes);
  if (echoed && clones_.proves(epoch, echoed->serial)) {
    const auto& proven = *clones_.find(epoch);
    if (!proven.old) return on_cloned(epoch, proven.replaced_by);
    if (!restored_)
      deps_.log.error(
          "camera {}: uses an old copy of its card, so its pictures are not shown; reset it and pair it again",
          route_.camera.to_string());
    if (!restored_) restored_ = requester_.challenges().next();
    report_state();
  }
  clones_.on_activity(epoch);
  request_due();
}

void CameraWatch::on_cloned(Epoch epoch, Epoch other) {
  cloned_ = true;
  deps_.log.error("camera {}: epoch {:016x} is in use, although {}", route_.camera.to_string(), epoch.value(),
                  other == Epoch() ? "a device uses an old copy of the camera's card"
                                   : sealcam::format("epoch {:016x} replaced it", other.value()));
  forget();
  recorded_.end(route_.camera, FrameSink::End::cloned);
  report_cloned();
  report_state();
}

void CameraWatch::report_cloned() {
  if (!cloned_log_limit_.allow(deps_.clock.monotonic())) return;
  deps_.log.error("camera {}: two devices use its identity, showing no pictures; reset the camera and pair it again{}",
                  route_.camera.to_string(), cloned_log_limit_.note());
}

void CameraWatch::on_accepted(EpochState& epoch, StreamOrder::Verdict verdict, const FrameCheck& frame) {
  const auto& view = *frame.frame;
  accept_echo(epoch, frame);
  if (cloned_) return;
  const bool report = view.kind == protocol::FrameKind::report;
  if (report) on_report(epoch, frame);
  else epoch.newest_picture = std::max(epoch.newest_picture, std::optional(view.counter));
  if (!report && &epoch == epochs_.current()) reported_state_.on_picture(view.counter);
  if (view.kind == protocol::FrameKind::still) last_still_ = view.counter;
  if (verdict == StreamOrder::Verdict::show) {
    const PictureInfo picture{view.kind,    CameraState::stale, frame.header,   view.epoch,
                              view.counter, std::nullopt,       frame.received, {}};
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

void CameraWatch::accept_echo(EpochState& epoch, const FrameCheck& frame) {
  const auto made = requester_.challenges().made(frame.header.echoes);
  if (!made) return;
  // An epoch that echoes an older challenge than the current epoch ended before the current one began. Its frames were
  // held back on the path. If it became current again, its pictures would follow newer ones on the screen.
  if (&epoch != epochs_.current()) {
    if (newest_echo_ && made->at < *newest_echo_) return;
    promote(epoch, made->serial);
  } else if (restored_ && made->serial >= *restored_) {
    // A device used a smaller counter between two uses of this epoch, whose key only one device has.
    return on_cloned(epoch.epoch, Epoch());
  }
  answered_ = deps_.clock.boot();
  if (!newest_echo_ || *newest_echo_ < made->at) newest_echo_ = made->at;
  if (frame.frame->kind != protocol::FrameKind::report) shown_.on_echo(frame.header.number, made->at);
}

void CameraWatch::on_report(const EpochState& epoch, const FrameCheck& frame) {
  const auto report = protocol::decode_report(frame.content);
  if (!report) return;
  membership_.note_applied({report->roster_version, report->roster_hash}, deps_.clock.boot());
  const auto made = requester_.challenges().made(frame.header.echoes);
  if (made && &epoch == epochs_.current()) {
    reported_state_.on_report(frame.frame->counter, made->at, *report);
    past_.on_report(*report);
    if (const auto privacy = reported_state_.proven_privacy(deps_.clock.boot()))
      requester_.on_proven_privacy(made->serial, *privacy);
  }
  if (report->nonce) requester_.on_nonce(epoch, frame.header.echoes, *report->nonce);
}

void CameraWatch::promote(EpochState& epoch, ChallengeSerial echoed) {
  const auto next = requester_.challenges().next();
  if (const auto* before = epochs_.current()) clones_.on_replaced(*before, epoch.epoch, echoed, next);
  clones_.on_promoted(epoch.epoch, next);
  shown_.begin_epoch(epoch.epoch);
  reported_state_.clear_proof();
  restored_.reset();
  if (epoch.newest_picture) reported_state_.on_picture(*epoch.newest_picture);
  requester_.clear_unopened();
  if (epochs_.promote(epoch))
    if (auto r = deps_.max_epochs.store(route_.camera, epochs_.max_counter()); !r)
      deps_.log.error("camera {}: cannot store the newest epoch; after a restart, the hub may accept an older one: {}",
                      route_.camera.to_string(), to_string(r.error()));
  take_name(epoch);
  recorded_.begin(epoch);
  last_still_.reset();
  deps_.log.info("camera {}: epoch {:016x} is live", route_.camera.to_string(), epoch.epoch.value());
  if (!epoch.shown)
    epoch.held.for_each([&](const PictureInfo& picture, ByteView unit) { hand_out(epoch, picture, unit); });
  epoch.held.clear();
}

void CameraWatch::set_requested(std::optional<protocol::RequestKind> kind) {
  if (kind == requested_) return;
  if (!kind || !requested_) answered_.reset();
  // The next request of another kind than live may wait: the camera accepts two a second.
  if (!requested_ || kind == protocol::RequestKind::live) ViewRequester::make_due(epochs_);
  requested_ = kind;
  requested_since_ = deps_.clock.boot();
  request_due();
  report_state();
}

void CameraWatch::tick() {
  submit_excess();
  requester_.request_privacy(epochs_);
  request_due();
  report_state();
}

void CameraWatch::request_due() {
  if (!requested_ || blocked() || !requester_.connected()) return;
  const auto now = deps_.clock.boot();
  answered_ = answered_.value_or(now);
  const bool record =
      recorded_kind_ && (now - requested_since_) % recording_interval >= recording_interval - std::chrono::seconds(1);
  requester_.request_due(epochs_, clones_, record ? *recorded_kind_ : *requested_);
  past_.request_due(requester_, epochs_, recorded_kind_.has_value());
}

CameraState CameraWatch::state(BootTime now) const {
  if (blocked() || !shown_.newest()) return CameraState::offline;
  if (epochs_.current() != nullptr && shown_.live(now)) return CameraState::live;
  if (reported_state_.offline(now) || unanswered(now)) return CameraState::offline;
  return CameraState::stale;
}

Reason CameraWatch::reason(CameraState state, BootTime now) const {
  const auto& m = membership_;
  if (cloned_) return Reason::cloned;
  if (m.suspended()) return Reason::suspended;
  if (!m.member() && m.removed() && now - *m.removed() < removed_for) return Reason::removed;
  if (m.conflict()) return Reason::roster_conflict;
  if (!m.member()) return Reason::none;
  if (restored_) return Reason::restored;
  if (m.unpublished(now)) return Reason::unpublished_roster;
  if (state == CameraState::live) return shown_.clock_ahead() ? Reason::clock : Reason::none;
  if (const auto reported = reported_state_.reason(now); reported != Reason::none) return reported;
  if (unanswered(now)) return Reason::no_answer;
  return shown_.newest() ? Reason::none : Reason::waiting;
}

CameraStatus CameraWatch::status() const {
  const auto now = deps_.clock.boot();
  CameraStatus s;
  s.id = route_.camera;
  s.name = name_;
  s.software = software_;
  s.state = state(now);
  s.reason = reason(s.state, now);
  s.member = membership_.member();
  s.roster_conflict = membership_.conflict();
  s.members = membership_.members();
  s.members_changed = membership_.changed();
  s.watched = requested_.has_value();
  reported_state_.describe(s, now);
  s.may_switch_privacy = membership_.may_switch_privacy();
  s.requested_privacy = requester_.requested_privacy();
  s.privacy_failed = requester_.failed_privacy();
  if (const auto& newest = shown_.newest()) {
    s.age = shown_.age(now);
    s.captured = newest->header.captured;
    s.clock_ahead = shown_.clock_ahead();
    s.width = newest->header.width;
    s.height = newest->header.height;
  }
  if (const auto* current = epochs_.current()) s.epoch = current->epoch;
  s.roster_version = membership_.version();
  s.counters = counters_;
  s.counters.requests = requester_.sent();
  return s;
}

void CameraWatch::report_state() {
  auto now = status();
  if (reported_ && reported_->same_report(now)) return;
  reported_ = std::move(now);
  deps_.sink.on_state(*reported_);
}

}  // namespace sealcam::watch
