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
constexpr auto failed_poll_pause = 30min;
constexpr auto first_poll = 2min;         // the camera starts first
constexpr auto first_poll_spread = 480U;  // seconds
constexpr auto install_pause = 1h;        // after a failure
constexpr auto start_pause = 5min;        // between two starts of a trial the camera works
constexpr auto restart_limit = 10min;
constexpr auto save_pause = 1h;
constexpr auto trial_save_pause = 1min;
constexpr unsigned max_tries = 3;

}  // namespace

Updater::Updater(Settings settings, Dependencies deps)
    : settings_(std::move(settings)),
      deps_(std::move(deps)),
      pause_(poll_pause, poll_pause, deps_.seed),
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
  if (trial.slot == status_.slot) {
    trial.verdict = sealcam::format("slot {} has version {}", status_.slot, to_string(settings_.version));
  } else if (trial.verdict.empty() && trial.starts >= max_starts) {
    trial.transient = trial.seen;
    trial.verdict = trial.seen
                        ? sealcam::format("the trial was interrupted {} times", trial.starts)
                        : sealcam::format("version {} did not start, {} times", to_string(trial.version), trial.starts);
  }
  if (!trial.verdict.empty()) return roll_back();
  next_start_ = deps_.clock.boot() + start_pause;
}

void Updater::step_confirmed() {
  const auto now = deps_.clock.boot();
  count_running_time();
  remember_what_works();
  if (state_.trial) {
    if (now >= next_start_) start_trial();
    return;
  }
  if (settings_.channel.empty()) return show(Phase::idle);
  // The owner may start a version that the board has not polled yet.
  if (starts_now() && camera_.consent.number != polled_number_) {
    polled_number_ = camera_.consent.number;
    next_poll_ = next_install_ = now;
  }
  if (now >= next_poll_) poll();
  if (offer_) act(decide_about(*offer_).decided);
  else show(Phase::idle);
}

bool Updater::starts_now() const noexcept {
  return camera_.consent.action == Consent::Action::start && camera_.consent.number > state_.started;
}

void Updater::count_running_time() {
  const auto passed = std::chrono::floor<std::chrono::seconds>(deps_.clock.boot() - counted_);
  counted_ = counted_ + passed;
  if (!offer_ || !state_.waiting) return;
  state_.waiting->running += passed;
  unsaved_ += passed;
  if (unsaved_ >= save_pause) save();
}

void Updater::remember_what_works() {
  auto worked = camera_.paired ? state_.worked : Works{};
  if (camera_.paired) {
    worked.sensor |= camera_.works.sensor && !camera_.privacy;
    worked.epoch |= camera_.works.epoch;
    worked.broker |= camera_.works.broker;
  }
  if (worked == state_.worked) return;
  state_.worked = worked;
  save();
}

void Updater::poll() {
  const auto now = deps_.clock.boot();
  auto release = rauc_.inspect(settings_.channel);
  if (!release) {
    deps_.log.warning("cannot read the release of {}: {}", settings_.channel, release.error().reason);
    if (release.error().rejected) record(Outcome::rejected, {}, release.error().reason);
    offer_.reset();
    next_poll_ = now + failed_poll_pause;
    return;
  }
  next_poll_ = now + pause_.next();
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
                          .started = state_.started,
                          .clock = deps_.clock.wall(),
                          .waited = same ? state_.waiting->running : 0s,
                          .works = missing(camera_, state_.worked).text.empty(),
                          .failed = state_.failed};
  return {release, decide(release, now), place};
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
  const auto version = offer_->version;
  const auto release = install_release();
  if (!offer_) return show(Phase::idle);
  if (!release) {
    deps_.log.error("version {} is not installed: {}", to_string(version), release.error().reason);
    record(release.error().rejected ? Outcome::rejected : Outcome::failed, version, release.error().reason);
    next_install_ = deps_.clock.boot() + install_pause;
    return show(Phase::offered);
  }
  begin_trial(*release);
}

/// Without an offer afterwards, the release was withdrawn or replaced.
std::expected<Release, Failure> Updater::install_release() {
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
  if (camera_.free_space && *camera_.free_space < min_free_space)
    return failed(
        sealcam::format("the data partition has {} KiB free, and an update needs {}; the camera must keep less, "
                        "or the card must be larger",
                        *camera_.free_space / 1024, min_free_space / 1024));
  if (!save()) return failed("the state of the updater cannot be stored");
  if (auto done = rauc_.install(settings_.channel); !done) return std::unexpected(done.error());
  const auto slots = rauc_.slots();
  if (!slots) return std::unexpected(slots.error());
  // The web server can exchange the bundle between the two downloads, for another one that the maker signed.
  if (slots->other.hash != release->hash) return failed("another bundle than the one of the decision was installed");
  state_.trial = Trial{.version = release->version, .minimum = release->minimum, .slot = slots->other.name};
  return release;
}

void Updater::begin_trial(const Release& release) {
  auto& trial = *state_.trial;
  // What stopped working before the update cannot be a condition of the update.
  const auto& now = camera_.works;
  trial.required = {.sensor = state_.worked.sensor && now.sensor,
                    .epoch = state_.worked.epoch && now.epoch,
                    .broker = state_.worked.broker && now.broker};
  if (starts_now()) state_.started = camera_.consent.number;
  deps_.log.info("version {} is installed in slot {}", to_string(release.version), trial.slot);
  if (save()) return start_trial();
  state_.trial.reset();
  record(Outcome::failed, release.version, "the state of the updater cannot be stored");
  next_install_ = deps_.clock.boot() + install_pause;
}

void Updater::start_trial() {
  if (state_.trial->starts >= max_starts) return resume_trial();
  show(Phase::restart);
  next_start_ = deps_.clock.boot() + start_pause;
  ++state_.trial->starts;
  // Without the number on the card, a version that never starts would be tried without end.
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
  const auto trial = *std::exchange(state_.trial, {});
  deps_.log.info("version {} is confirmed", to_string(trial.version));
  state_.minimum = std::max(state_.minimum, trial.minimum);
  state_.worked = trial.required;
  state_.waiting.reset();
  state_.failed.reset();
  record(Outcome::installed, trial.version, {});
}

/// The old version runs again.
void Updater::roll_back() {
  const auto trial = *std::exchange(state_.trial, {});
  const bool again = state_.failed && state_.failed->version == trial.version;
  const unsigned tries = (again ? state_.failed->tries : 0) + 1;
  state_.failed = Failed{.version = trial.version, .tries = tries, .final = !trial.transient || tries >= max_tries};
  state_.waiting = {trial.version, 0s};
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
  const auto wall = deps_.clock.wall();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wall.since_epoch).count();
  state_.last = Last{version, outcome, std::move(reason), is_plausible(wall) ? seconds : 0};
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
