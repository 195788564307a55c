// SPDX-License-Identifier: Apache-2.0
#include "update/decision.hpp"

#include "base/format.hpp"

namespace sealcam::update {

using namespace std::chrono_literals;

namespace {

Decided rejected(std::string reason) { return {Decision::rejected, printable(reason, max_shown)}; }

bool applies(const Consent& consent, Consent::Action action, const Version& version) {
  return consent.action == action && (!consent.version || *consent.version == version);
}

/// A board whose clock is not set cannot know the end of a deferral. It then counts the time that it runs.
bool is_deferred(const Circumstances& now) {
  if (now.consent.action != Consent::Action::defer || now.waited >= max_deferral) return false;
  return !is_plausible(now.clock) || epoch_seconds(now.clock) < now.consent.until;
}

}  // namespace

std::int64_t epoch_seconds(CaptureTime clock) {
  return is_plausible(clock) ? std::chrono::floor<std::chrono::seconds>(clock.since_epoch).count() : 0;
}

bool is_night(CaptureTime clock, unsigned night_hour, std::uint32_t place) {
  if (!is_plausible(clock)) return false;
  const auto time_of_day = clock.since_epoch % 24h;
  const auto since_begin = (time_of_day - std::chrono::hours(night_hour) + 24h) % 24h;
  // Half of the night remains for each device. The devices begin one after the other, so that the web server and the
  // brokers do not have all of them at once.
  const std::chrono::microseconds own = std::chrono::microseconds(night) / 2 * place / everyone.value();
  return since_begin >= own && since_begin < night;
}

Decided decide(const Release& release, const Circumstances& now) {
  const auto version = to_string(release.version), running = to_string(now.running);
  if (release.compatible != "sealcam-" + now.board)
    return rejected(
        sealcam::format("the release is for '{}', and this board is 'sealcam-{}'", release.compatible, now.board));
  if (release.version == now.running) return {};
  if (release.version < now.running)
    return rejected(sealcam::format("version {} is older than {}, which runs", version, running));
  if (release.version < now.minimum)
    return rejected(sealcam::format("version {} is older than {}, the oldest that this board may run", version,
                                    to_string(now.minimum)));
  if (now.running < release.minimum)
    return rejected(sealcam::format("version {} needs version {} first, and {} runs", version,
                                    to_string(release.minimum), running));
  if (now.bucket >= release.share.value()) return {};
  if (now.requested == release.version) return {Decision::install, {}};
  const bool start = applies(now.consent, Consent::Action::start, release.version) && now.consent.number > now.started;
  if (applies(now.consent, Consent::Action::reject, release.version)) return {Decision::denied, {}};
  if (start) return {Decision::install, {}};
  if (now.failed) {
    if (now.failed->final) return {};
    if (now.waited < max_wait) return {Decision::wait, {}};
  }
  if (is_deferred(now)) return {Decision::deferred, {}};
  const auto max = is_plausible(now.clock) ? max_night_wait : max_wait;
  const bool time = is_night(now.clock, now.night_hour, now.place) || now.waited >= max;
  // A camera that stopped working before the update must not miss the update that repairs it.
  return {time && (now.works || now.waited >= 2 * max_wait) ? Decision::install : Decision::wait, {}};
}

}  // namespace sealcam::update
