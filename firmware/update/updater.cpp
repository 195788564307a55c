// SPDX-License-Identifier: Apache-2.0
#include "update/updater.hpp"

#include <algorithm>
#include <utility>

#include "base/format.hpp"

namespace sealcam::update {

using namespace std::chrono_literals;
using Phase = Status::Phase;

namespace {

constexpr auto poll_pause = 6h;
constexpr auto failed_poll_pause = 1min;  // after a failure; doubles
constexpr auto max_failed_poll_pause = 30min;
constexpr auto first_poll = 2min;         // the camera starts first
constexpr auto first_poll_spread = 480U;  // seconds
constexpr auto install_pause = 1h;        // after a failure; doubles
constexpr auto max_install_pause = 24h;
constexpr auto observation = 5s;    // shorter than the camera's status file is valid
constexpr auto start_pause = 5min;  // between two starts of a trial the camera works
constexpr auto restart_limit = 10min;
constexpr auto save_pause = 1h;
constexpr auto trial_save_pause = 1min;

}  // namespace

Updater::Updater(Settings settings, Dependencies deps)
    : settings_(std::move(settings)),
      deps_(std::move(deps)),
      pause_(poll_pause, poll_pause, deps_.seed),
      failed_poll_pause_(failed_poll_pause, max_failed_poll_pause),
      install_pause_(install_pause, max_install_pause),
      started_(deps_.clock.boot()),
      counted_(started_),
      next_poll_(started_ + first_poll + std::chrono::seconds(deps_.seed % first_poll_spread)),
      next_start_(started_),
      next_install_(started_) {
  status_.version = settings_.version;
  status_.slot = settings_.slot;
}

void Updater::load() {
  state_ = {.minimum = settings_.version};
  auto stored = deps_.store.load();
  if (stored && *stored) {
    state_ = std::move(**stored);
  } else if (!stored) {
    // The running version is confirmed, or it returns to one that is.
    deps_.log.error("{}; the updater starts with an empty state", to_string(stored.error()));
  }
}

void Updater::step() {
  const auto now = deps_.clock.boot();
  if (restarting_) {
    if (now - *restarting_ < restart_limit) return;
    deps_.log.error("the board did not restart in {} min; trying again",
                    std::chrono::duration_cast<std::chrono::minutes>(restart_limit).count());
    restarting_.reset();
  }
  camera_ = deps_.camera.observe();
  switch (mode_) {
    case Mode::begin: begin(); break;
    case Mode::confirmed: step_confirmed(); break;
    case Mode::trial: step_trial(); break;
    case Mode::unknown:
      if (now - started_ >= max_wait) restart(false);
      break;
  }
}

void Updater::begin() {
  const auto now = deps_.clock.boot();
  load();
  const auto slots = rauc_.slots();
  if (!slots) {
    if (!std::exchange(begin_failed_, true)) deps_.log.error("{}; trying again", slots.error().reason);
    // A new version without RAUC cannot be confirmed or replaced.
    if (now - started_ >= start_time && state_.trial && state_.trial->slot == settings_.slot &&
        state_.trial->verdict.empty())
      fail_trial(slots.error().reason, false);
    return;
  }
  status_.slot = slots->running.name;
  counted_ = now;
  if (slots->selected) {
    mode_ = Mode::confirmed;
    if (state_.trial) resume_trial();
    show(state_.trial ? Phase::restart : Phase::idle);
  } else if (state_.trial && state_.trial->slot == slots->running.name) {
    mode_ = Mode::trial;
    gate_.emplace(state_.trial->required, now);
    state_.trial->seen = true;
    save();
    show(Phase::trial);
  } else {
    // For example after `reboot '0 tryboot'` by hand. An installation would overwrite the only slot that is selected.
    mode_ = Mode::unknown;
    deps_.log.warning("slot {} runs without a recorded trial: the board restarts into the other slot in a day",
                      slots->running.name);
    show(Phase::idle);
  }
}

/// The selected slot runs although a trial is recorded.
void Updater::resume_trial() {
  auto& trial = *state_.trial;
  if (trial.slot == status_.slot && trial.version == settings_.version) return complete_trial();
  if (trial.verdict.empty()) judge_starts(trial, status_.slot, settings_.version);
  if (!trial.verdict.empty()) return roll_back();
  next_start_ = deps_.clock.boot() + start_pause;
}

void Updater::step_confirmed() {
  const auto now = deps_.clock.boot();
  count_running_time();
  if (remember_what_works(state_, camera_)) save();
  if (state_.trial) {
    if (now >= next_start_) start_trial();
    return;
  }
  if (settings_.channel.empty()) return show(Phase::idle);
  // The owner may start a version that the board has not polled yet.
  const auto start = pending_start();
  const auto number = start ? start->number : 0;
  const bool is_new = (start && number != polled_number_) || (camera_.request && camera_.request != polled_request_);
  polled_number_ = number;
  polled_request_ = camera_.request;
  if (is_new) {
    next_poll_ = next_install_ = now;
    failed_poll_pause_.reset();
  }
  if (now >= next_poll_) poll();
  if (offer_) act(decide_about(*offer_).decided);
  else show(Phase::idle);
  end_starts();
}

std::optional<Consent> Updater::pending_start() const {
  const auto& consent = camera_.consent;
  if (consent.action != Consent::Action::start || consent.number <= state_.started) return std::nullopt;
  return consent;
}

/// A request, and a start without a version, count until a poll succeeds.
void Updater::end_starts() {
  if (!offer_) return;
  if (camera_.request) {
    if (offer_->version != *camera_.request)
      deps_.log.warning("version {} was requested, and the channel does not have it", to_string(*camera_.request));
    deps_.camera.finish_request();
  }
  if (const auto start = pending_start(); start && !start->version) {
    state_.started = start->number;
    save();
  }
}

void Updater::count_running_time() {
  const auto passed = std::chrono::floor<std::chrono::seconds>(deps_.clock.boot() - counted_);
  counted_ = counted_ + passed;
  if (!offer_ || !state_.waiting) return;
  state_.waiting->running += passed;
  unsaved_ += passed;
  if (unsaved_ >= save_pause) save();
}

void Updater::poll() {
  const auto now = deps_.clock.boot();
  auto release = rauc_.inspect(settings_.channel);
  if (!release) {
    deps_.log.warning("cannot read the release of {}: {}", settings_.channel, release.error().reason);
    if (release.error().rejected) record(Outcome::rejected, {}, release.error().reason);
    status_.poll = Poll{.at = status_.poll ? status_.poll->at : 0, .error = release.error().reason};
    offer_.reset();
    next_poll_ = now + failed_poll_pause_.next();
    return;
  }
  status_.poll = Poll{.at = epoch_seconds(deps_.clock.wall())};
  failed_poll_pause_.reset();
  next_poll_ = now + pause_.next();
  if (release->version != tried_) {
    tried_ = release->version;
    install_pause_.reset();
    next_install_ = now;
  }
  offer_ = std::move(*release);
}

Updater::Checked Updater::decide_about(const Release& release) const {
  // Without an id, only a release for everyone is for this device.
  std::uint32_t place = everyone.value() - 1;
  if (camera_.id) place = bucket(*camera_.id, release.version).value_or(place);
  const bool same = state_.waiting && state_.waiting->version == release.version;
  const Circumstances now{.board = settings_.board,
                          .running = settings_.version,
                          .minimum = state_.minimum,
                          .bucket = place,
                          .place = deps_.seed % everyone.value(),
                          .night_hour = settings_.night_hour,
                          .consent = camera_.consent,
                          .requested = camera_.request,
                          .started = state_.started,
                          .clock = deps_.clock.wall(),
                          .waited = same ? state_.waiting->running : 0s,
                          .works = missing(camera_, state_.worked).text.empty(),
                          .failed = state_.failure_of(release.version)};
  return {release, decide(release, now), place, settings_.version};
}

std::expected<Updater::Checked, Failure> Updater::check() {
  load();
  camera_ = deps_.camera.observe();
  auto release = rauc_.inspect(settings_.channel);
  if (!release) return std::unexpected(release.error());
  return decide_about(*release);
}

void Updater::act(const Decided& decided) {
  const auto version = offer_->version;
  const bool for_this_device = decided.decision != Decision::none && decided.decision != Decision::rejected;
  if (for_this_device && (!state_.waiting || state_.waiting->version != version)) {
    state_.waiting = {version, 0s};
    deps_.log.info("version {} is offered", to_string(version));
    save();
  }
  switch (decided.decision) {
    case Decision::none: return show(Phase::idle);
    case Decision::rejected: record(Outcome::rejected, version, decided.reason); return show(Phase::idle);
    case Decision::denied: return show(Phase::rejected);
    case Decision::deferred: return show(Phase::deferred);
    case Decision::wait: return show(Phase::offered);
    case Decision::install: break;
  }
  if (deps_.clock.boot() < next_install_) return show(Phase::offered);
  install();
}

void Updater::install() {
  show(Phase::downloading);
  const auto begin = deps_.clock.boot();
  const auto version = offer_->version;
  const auto slot = install_release();
  if (!offer_) return show(Phase::idle);
  if (!slot) return fail_install(version, slot.error());
  deps_.log.info("version {} is installed in slot {}", to_string(version), *slot);
  // The camera and the owner's decision may have changed during the download. Then the slot waits.
  if (deps_.clock.boot() - begin >= observation) camera_ = deps_.camera.observe();
  if (decide_about(*offer_).decided.decision != Decision::install) return show(Phase::offered);
  begin_trial(*slot);
}

void Updater::fail_install(const Version& version, const Failure& failure) {
  deps_.log.error("version {} is not installed: {}", to_string(version), failure.reason);
  record(failure.rejected ? Outcome::rejected : Outcome::failed, version, failure.reason);
  next_install_ = deps_.clock.boot() + install_pause_.next();
  show(Phase::offered);
}

/// Returns the slot. Without an offer afterwards, the release was withdrawn or replaced.
std::expected<std::string, Failure> Updater::install_release() {
  const auto failed = [](std::string reason) { return std::unexpected(Failure{false, std::move(reason)}); };
  // The maker may have withdrawn the release since the last poll.
  auto release = rauc_.inspect(settings_.channel);
  if (!release) return std::unexpected(release.error());
  offer_ = *release;
  if (decide_about(*release).decided.decision != Decision::install) {
    offer_.reset();
    next_poll_ = deps_.clock.boot();
    return failed("the release was replaced");
  }
  if (auto reason = lack_of_space(camera_); !reason.empty()) return failed(std::move(reason));
  if (!save()) return failed("the state of the updater cannot be stored");
  return rauc_.install(settings_.channel, release->hash);
}

void Updater::begin_trial(const std::string& slot) {
  const auto version = offer_->version;
  auto& trial = state_.trial.emplace(Trial{.version = version, .minimum = offer_->minimum, .slot = slot});
  // What stopped working before the update cannot be a condition of the update.
  const auto& now = camera_.works;
  trial.required = {.sensor = state_.worked.sensor && now.sensor,
                    .epoch = state_.worked.epoch && now.epoch,
                    .broker = state_.worked.broker && now.broker};
  if (const auto start = pending_start(); start && start->version.value_or(version) == version)
    state_.started = start->number;
  if (save()) return start_trial();
  state_.trial.reset();
  fail_install(version, {.rejected = false, .reason = "the state of the updater cannot be stored"});
}

void Updater::start_trial() {
  if (state_.trial->starts >= max_starts) return resume_trial();
  show(Phase::restart);
  next_start_ = deps_.clock.boot() + start_pause;
  ++state_.trial->starts;
  // If the number of starts were not on the card, a version that never starts would be tried without end.
  if (!save()) {
    --state_.trial->starts;
    return;
  }
  deps_.log.info("restarting into version {}, start {} of {}", to_string(state_.trial->version), state_.trial->starts,
                 max_starts);
  restart(true);
}

void Updater::step_trial() {
  auto& trial = *state_.trial;
  show(Phase::trial);
  if (!trial.verdict.empty()) return restart(false);
  const auto passed = std::chrono::floor<std::chrono::seconds>(deps_.clock.boot() - counted_);
  counted_ = counted_ + passed;
  trial.spent += passed;
  unsaved_ += passed;
  if (unsaved_ >= trial_save_pause) save();
  switch (gate_->check(camera_, deps_.clock.boot(), trial.spent)) {
    case HealthGate::Verdict::wait: return;
    case HealthGate::Verdict::healthy: return confirm();
    case HealthGate::Verdict::failed: return fail_trial(gate_->reason(), gate_->transient());
  }
}

void Updater::confirm() {
  auto done = rauc_.select_running();
  if (done) {
    if (const auto slots = rauc_.slots(); !slots) done = std::unexpected(slots.error());
    else if (!slots->selected) done = std::unexpected(Failure{false, "the card still selects the other slot"});
  }
  if (!done) {
    deps_.log.error("version {} works, and cannot be confirmed: {}", to_string(state_.trial->version),
                    done.error().reason);
    if (state_.trial->spent >= trial_time) fail_trial(done.error().reason, true);
    return;
  }
  mode_ = Mode::confirmed;
  complete_trial();
  show(Phase::idle);
}

/// The trial's version is selected.
void Updater::complete_trial() {
  const auto version = state_.trial->version;
  deps_.log.info("version {} is confirmed", to_string(version));
  state_.complete_trial();
  record(Outcome::installed, version, {});
}

/// The old version runs again.
void Updater::roll_back() {
  const auto trial = *state_.trial;
  state_.roll_back();
  deps_.log.warning("version {} is rolled back: {}", to_string(trial.version), trial.verdict);
  record(Outcome::rolled_back, trial.version, trial.verdict);
}

void Updater::fail_trial(std::string reason, bool transient) {
  deps_.log.error("version {} failed, restarting into the old slot: {}", to_string(state_.trial->version), reason);
  state_.trial->verdict = printable(reason, max_shown);
  state_.trial->transient = transient;
  save();
  restart(false);
}

void Updater::restart(bool into_trial) {
  if (auto done = rauc_.restart(into_trial); !done) return deps_.log.error("{}", done.error().reason);
  restarting_ = deps_.clock.boot();
}

void Updater::record(Outcome outcome, std::optional<Version> version, std::string reason) {
  const auto& last = state_.last;
  const bool same = last && last->outcome == outcome && last->version == version && last->reason == reason;
  // Each poll rejects a release again, and each hour an installation may fail for the same reason.
  if (same && (outcome == Outcome::rejected || outcome == Outcome::failed)) return;
  state_.last = Last{version, outcome, std::move(reason), epoch_seconds(deps_.clock.wall())};
  save();
}

void Updater::show(Phase phase) {
  status_.phase = phase;
  status_.offer = phase == Phase::idle || phase == Phase::trial ? std::nullopt : offer_;
  status_.last = state_.last;
  if (shown_ == status_) return;
  shown_ = status_;
  deps_.show(status_);
}

bool Updater::save() {
  unsaved_ = 0ns;
  const auto stored = deps_.store.store(state_);
  if (!stored) deps_.log.error("cannot store the state of the updater: {}", to_string(stored.error()));
  return stored.has_value();
}

}  // namespace sealcam::update
