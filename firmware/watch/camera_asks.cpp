// SPDX-License-Identifier: Apache-2.0
// The part of CameraWatch that the clock drives: asks.
#include <algorithm>

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

}  // namespace

void CameraWatch::set_wanted(bool wanted) {
  if (wanted == wanted_) return;
  wanted_ = wanted;
  answered_.reset();
  ask_all_now();
  ask_due();
  report_state();
}

Result<> CameraWatch::switch_privacy(bool on) {
  if (!may_switch_privacy_ || cloned_) return fail(Errc::permission, "this hub may not switch the camera's privacy");
  if (context_.client == nullptr || !context_.client->connected()) return fail(Errc::connection, "no broker");
  const auto now = context_.clock.monotonic();
  wish_ = PrivacyWish{.on = on, .until = now + wish_patience, .next_ask = now};
  wish_failed_.reset();
  context_.log.info("camera {}: asked to {} its sensor", route_.camera.to_string(), on ? "close" : "open");
  ask_privacy(now);
  // It says so already, and will not say it again. Pictures that it sends all the same outweigh its word.
  const bool done = says_online_ == true && privacy_.has_value() == on && !(on && state(now) == CameraState::live);
  if (done) wish_.reset();
  report_state();
  return {};
}

void CameraWatch::on_connected() {
  ask_all_now();
  ask_due();
}

void CameraWatch::tick() {
  give_up_waiting();
  ask_privacy(context_.clock.monotonic());
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
  if (!wanted_ || !member_ || cloned_ || context_.client == nullptr || !context_.client->connected()) return;
  const auto now = context_.clock.monotonic();
  if (!answered_) answered_ = now;
  for (auto& epoch : epochs_.known()) {
    if (now < epoch.next_ask) continue;
    const bool patient = &epoch != epochs_.current() && ++epoch.asks > eager_asks;
    const std::chrono::milliseconds interval = epochs_.current() == nullptr ? first_interval : ask_interval;
    epoch.next_ask = now + (patient ? patient_interval : interval);
    ask(epoch.epoch, now);
  }
  ask_replaced(now);
}

// To every epoch that may be the camera's: one whose sensor is closed sends no frame that would tell.
void CameraWatch::ask_privacy(MonotonicTime now) {
  if (!wish_) return;
  if (now >= wish_->until) {
    wish_failed_ = wish_->on;
    wish_.reset();
    return context_.log.warning("camera {}: did not switch its privacy", route_.camera.to_string());
  }
  if (now < wish_->next_ask || context_.client == nullptr || !context_.client->connected()) return;
  wish_->next_ask = now + ask_interval;
  for (auto& epoch : epochs_.known()) {
    ask(epoch.epoch, now, wish_->on ? protocol::Want::privacy_on : protocol::Want::privacy_off);
    // In the middle between two of these: a camera takes two asks a second.
    epoch.next_ask = std::max(epoch.next_ask, now + ask_interval / 2);
  }
}

// A camera has one epoch: whoever answers for one that was replaced is another device. It is asked only after a sign of
// life of it, and seldom, since a camera counts these asks among the two a second that it takes, and anybody on
// the way can send an old message again.
void CameraWatch::ask_replaced(MonotonicTime now) {
  if (now < next_replaced_ask_) return;
  const auto* replaced = clones_.take_sign_of_life();
  if (replaced == nullptr) return;
  next_replaced_ask_ = now + replaced_interval;
  ask(replaced->epoch, now);
}

void CameraWatch::ask(Epoch epoch, MonotonicTime now, protocol::Want want) {
  const auto seq = context_.sequence.next();
  if (!seq) return context_.log.error("no number for an ask: {}", to_string(seq.error()));
  const auto challenge = challenges_.make(now);
  if (!challenge) return context_.log.error("no challenge: {}", to_string(challenge.error()));
  const protocol::Ask ask{want, *challenge, epoch, *seq};
  const auto message = protocol::encode_ask(ask, route_, context_.keys.identity);
  if (!message) return context_.log.error("cannot sign an ask: {}", to_string(message.error()));
  ++counters_.asks;
  const auto topic = protocol::ask_topic(route_, context_.keys.identity.id());
  // Lost asks need no care: the next one comes in a second.
  context_.client->publish({.topic = topic, .payload = *message, .expiry = std::chrono::seconds(5)}, [](Result<>) {});
}

}  // namespace sealcam::watch
