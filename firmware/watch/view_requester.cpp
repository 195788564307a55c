// SPDX-License-Identifier: Apache-2.0
#include "watch/view_requester.hpp"

#include <algorithm>

namespace sealcam::watch {
namespace {

/// Requests to a candidate that does not answer, before the interval becomes longer.
constexpr std::uint32_t max_frequent_requests = 10;
constexpr std::chrono::seconds slow_interval{10};
/// Before the first answer. A camera accepts two requests a second. It may have rejected the first one, if this hub
/// sent one just before it was restarted.
constexpr std::chrono::milliseconds first_interval{600};

/// A request without challenge and number.
protocol::ViewRequest request_of(Epoch epoch, protocol::RequestKind kind = protocol::RequestKind::live) {
  protocol::ViewRequest request;
  request.kind = kind;
  request.epoch = epoch;
  return request;
}

}  // namespace

void ViewRequester::make_due(EpochSet& epochs) noexcept {
  for (auto& epoch : epochs.known()) {
    epoch.requests = 0;
    epoch.next_request = {};
  }
}

void ViewRequester::request_due(EpochSet& epochs, CloneDetector& clones, protocol::RequestKind kind) {
  const auto now = deps_.clock.boot();
  for (auto& epoch : epochs.known()) {
    if (now < epoch.next_request) continue;
    const bool slow = &epoch != epochs.current() && ++epoch.requests > max_frequent_requests;
    const std::chrono::milliseconds interval = epochs.current() == nullptr ? first_interval : request_interval;
    epoch.next_request = now + (slow ? slow_interval : interval);
    request_pictures(epoch, kind, now);
  }
  request_unopened(now);
  request_replaced(clones, now);
}

void ViewRequester::request_pictures(const EpochState& epoch, protocol::RequestKind kind, BootTime now) {
  auto request = request_of(epoch.epoch, kind);
  request.receiver = epoch.received.report();
  request.prekey = newest_prekey();
  if (request.prekey && request.prekey->number == epoch.grant_key) request.prekey.reset();  // the camera has it
  (void)send(request, now);
}

void ViewRequester::request_past(Epoch epoch, std::vector<protocol::PastRange> gaps) {
  auto request = request_of(epoch, protocol::RequestKind::past);
  request.past = std::move(gaps);
  (void)send(std::move(request), deps_.clock.boot());
}

void ViewRequester::set_unopened(Epoch epoch) noexcept {
  if (!unopened_ || unopened_->epoch != epoch) unopened_ = Unopened{.epoch = epoch, .next_request = {}};
}

// A camera rejects such a request for an earlier epoch. So a broker that offers old grants achieves nothing.
void ViewRequester::request_unopened(BootTime now) {
  if (!unopened_ || now < unopened_->next_request) return;
  const bool slow = ++unopened_->requests > max_frequent_requests;
  unopened_->next_request = now + (slow ? std::chrono::milliseconds(slow_interval) : first_interval);
  auto request = request_of(unopened_->epoch);
  request.prekey = newest_prekey();
  request.cannot_open = true;
  (void)send(request, now);
}

// A camera has one epoch, so an answer for a replaced epoch proves a second device. The hub sends such requests only
// after activity, and rarely: a camera counts them towards its rate limit, and a broker can repeat an old message at
// any time.
void ViewRequester::request_replaced(CloneDetector& clones, BootTime now) {
  if (now < next_replaced_request_) return;
  const auto* replaced = clones.take_active();
  if (replaced == nullptr) return;
  next_replaced_request_ = now + replaced_interval;
  (void)send(request_of(replaced->epoch), now);
}

void ViewRequester::begin_privacy(bool on, EpochSet& epochs) {
  const auto now = deps_.clock.boot();
  privacy_ = PrivacyRequest{.on = on, .since = challenges_.next(), .until = now + privacy_timeout, .next_request = now};
  failed_privacy_.reset();
  deps_.log.info("camera {}: requesting to {} the sensor", route_.camera.to_string(), on ? "close" : "open");
  request_privacy(epochs);
}

void ViewRequester::request_privacy(EpochSet& epochs) {
  if (!privacy_) return;
  const auto now = deps_.clock.boot();
  if (now >= privacy_->until) {
    failed_privacy_ = privacy_->on;
    privacy_.reset();
    return deps_.log.warning("camera {}: did not switch privacy within {} s", route_.camera.to_string(),
                             privacy_timeout.count());
  }
  if (now < privacy_->next_request || !connected()) return;
  privacy_->next_request = now + request_interval;
  for (auto& epoch : epochs.known()) {
    // A camera accepts two requests a second: one to close the sensor and a live one. Opening the sensor needs two, so
    // live requests wait.
    const auto kind = privacy_->on ? protocol::RequestKind::privacy_on : protocol::RequestKind::nonce;
    const auto challenge = send(request_of(epoch.epoch, kind), now);
    if (!privacy_->on) epoch.next_request = std::max(epoch.next_request, now + request_interval);
    if (challenge && !privacy_->on) privacy_->nonce_challenges.push_back(*challenge);
  }
}

void ViewRequester::on_nonce(const EpochState& epoch, const protocol::Echoes& echoes, protocol::Nonce nonce) {
  const auto now = deps_.clock.boot();
  if (!privacy_ || privacy_->on || now >= privacy_->until || !connected()) return;
  const auto answers = [&](protocol::Challenge challenge) { return echoes.contains(challenge); };
  if (std::ranges::none_of(privacy_->nonce_challenges, answers)) return;
  // A nonce is valid once. If this request is lost, the next second begins with another nonce.
  privacy_->nonce_challenges.clear();
  auto request = request_of(epoch.epoch, protocol::RequestKind::privacy_off);
  request.nonce = nonce;
  (void)send(request, now);
}

// Before the request, the camera may have had the same value, and another hub may have changed it since.
void ViewRequester::on_proven_privacy(ChallengeSerial echoed, bool privacy) noexcept {
  if (privacy_ && echoed >= privacy_->since && privacy == privacy_->on) privacy_.reset();
  if (failed_privacy_ == privacy) failed_privacy_.reset();
}

void ViewRequester::clear_privacy() noexcept {
  privacy_.reset();
  failed_privacy_.reset();
}

std::optional<bool> ViewRequester::requested_privacy() const noexcept {
  return privacy_ ? std::optional(privacy_->on) : std::nullopt;
}

std::optional<protocol::Prekey> ViewRequester::newest_prekey() const {
  const auto* newest = deps_.prekeys == nullptr ? nullptr : deps_.prekeys->newest();
  if (newest == nullptr) return std::nullopt;
  return protocol::Prekey{newest->number, newest->key.public_key()};
}

std::optional<protocol::Challenge> ViewRequester::send(protocol::ViewRequest request, BootTime now) {
  const auto failed = [&](const char* what, const Error& error) {
    deps_.log.error("cannot {}: {}", what, to_string(error));
    return std::nullopt;
  };
  const auto seq = deps_.sequence.next();
  if (!seq) return failed("reserving a request number", seq.error());
  const auto challenge = challenges_.make(now);
  if (!challenge) return failed("making a challenge", challenge.error());
  request.seq = *seq;
  request.challenge = *challenge;
  const auto message = protocol::encode_view_request(request, route_, deps_.keys.identity);
  if (!message) return failed("signing a view request", message.error());
  ++sent_;
  const auto topic = protocol::request_topic(route_, deps_.keys.identity.id());
  // A lost request needs no action, because the next one follows within a second.
  deps_.client->publish({.topic = topic, .payload = *message, .expiry = std::chrono::seconds(5)}, [](Result<>) {});
  return *challenge;
}

}  // namespace sealcam::watch
