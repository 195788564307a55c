// SPDX-License-Identifier: Apache-2.0
#include "stream/publisher.hpp"

#include <algorithm>

#include "protocol/status.hpp"

namespace sealcam::stream {

using namespace std::chrono_literals;
using protocol::FrameKind;
using protocol::Leaf;
using transport::Publication;
using transport::Qos;

Publisher::Publisher(const PublisherConfig& config, const Parts& parts)
    : config_(config),
      parts_(parts),
      maker_(config.route, parts.camera, parts.clock),
      pace_(config.pace),
      video_topic_(protocol::topic(config.route, Leaf::video)),
      still_topic_(protocol::topic(config.route, Leaf::still)),
      started_(parts.clock.wall()),
      grants_backoff_(500ms, 30s),
      epoch_backoff_(1s, 60s),
      roster_log_(10s),
      seal_log_(10s),
      unanswered_(config.frames_in_flight + 1) {  // the last one under way may be a still beside its picture
  reports_.reserve(protocol::Roster::max_hubs);
  parts_.control.set_quality(pace_.quality());
}

Result<transport::Will> Publisher::will() const {
  auto payload = protocol::encode_status({.online = false, .started = started_}, config_.route, parts_.camera);
  if (!payload) return std::unexpected(payload.error());
  return transport::Will{protocol::topic(config_.route, Leaf::status), std::move(*payload), true};
}

Result<> Publisher::start() {
  if (auto r = parts_.roster.load(); !r) return std::unexpected(r.error());
  if (parts_.orders != nullptr) {
    auto change = parts_.orders->load();
    if (!change) return std::unexpected(change.error());
    change->obeyed = false;  // the first epoch, below, says so
    follow(*change);
    if (reset_wanted_) return {};
  }
  if (const auto* roster = parts_.roster.current()) {
    if (auto r = parts_.asks.set_roster(*roster); !r)
      parts_.log.warning("a hub cannot be served: {}", to_string(r.error()));
    begin_epoch();
  } else {
    parts_.log.info("no roster yet: nobody may watch");
  }
  return {};
}

void Publisher::follow(const Orders::Change& change) {
  if (change.reset) {
    reset_wanted_ = true;
    stop(Ending::reset);
    return;
  }
  if (change.best) {
    config_.pace.best = *change.best;
    pace_ = Pace(config_.pace);
    parts_.control.set_quality(pace_.quality());
  }
  update_active();
  if (change.privacy && connected_) publish_status(true);
  if (change.obeyed && parts_.roster.current() != nullptr) begin_epoch();
}

void Publisher::begin_epoch() {
  // First of all, so that nothing is sealed with the old key or for those who had it.
  parts_.board.clear();
  reports_.clear();
  last_still_.reset();  // the one that is kept at the broker opens with the old key
  const auto begun = parts_.epochs.begin(*parts_.roster.current(), parts_.roster.hash());
  parts_.asks.set_epoch(parts_.epochs.current());
  grants_backoff_.reset();
  update_active();
  if (!begun) {
    if (!std::exchange(epoch_failing_, true))
      parts_.log.error("no epoch can begin, no frame is sent: {}", to_string(begun.error()));
    epoch_backoff_.failed(parts_.clock.monotonic());
    return;
  }
  if (std::exchange(epoch_failing_, false)) parts_.log.info("an epoch could begin again");
  epoch_backoff_.reset();
  ++counters_.epochs;
  publish_grants();
}

void Publisher::publish_grants() {
  const auto epoch = parts_.epochs.current();
  if (!connected_ || !epoch || grants_under_way_ == epoch || stopping_) return;
  grants_under_way_ = epoch;
  const std::string topic = protocol::topic(config_.route, Leaf::grants);
  client_->publish({.topic = topic, .payload = parts_.epochs.grants(), .qos = Qos::at_least_once, .retain = true},
                   [this, epoch = *epoch](const Result<>& result) { grants_answered(epoch, result); });
}

void Publisher::grants_answered(Epoch epoch, const Result<>& result) {
  if (grants_under_way_ == epoch) grants_under_way_.reset();
  if (parts_.epochs.current() != epoch) return;
  if (!result) {
    ++counters_.grants_failed;
    if (!stopping_ && !std::exchange(grants_failing_, true))
      parts_.log.error("the broker does not take the grants, no frame is sent: {}", to_string(result.error()));
    grants_backoff_.failed(parts_.clock.monotonic());
    return;
  }
  grants_failing_ = false;
  grants_backoff_.reset();
  ++counters_.grants;
  if (!parts_.epochs.is_open()) parts_.log.info("epoch {:016x} is open", epoch.value());
  parts_.epochs.open(epoch);
  update_active();
  pump();
}

void Publisher::on_connected() {
  connected_ = true;
  if (!std::exchange(subscribed_, true)) {
    client_->subscribe(protocol::topic(config_.route, Leaf::roster), Qos::at_least_once);
    if (parts_.orders != nullptr) client_->subscribe(protocol::topic(config_.route, Leaf::command), Qos::at_least_once);
    client_->subscribe(protocol::ask_filter(config_.route), Qos::at_most_once);
  }
  if (stopping_) return;
  // The broker may have lost what it kept, and has published the will.
  publish_grants();
  publish_status(true);
  update_active();
}

void Publisher::on_disconnected(const Error& why) {
  connected_ = false;
  parts_.log.debug("no pictures while disconnected: {}", to_string(why));  // the client logs why, once
  if (stopping_) stopped_ = true;
  update_active();
}

void Publisher::publish_status(bool online) {
  const auto payload = protocol::encode_status({.online = online,
                                                .started = started_,
                                                .privacy = online && closed(),
                                                .reset = !online && ending_ == Ending::reset},
                                               config_.route, parts_.camera);
  if (!payload) {
    if (stopping_) stopped_ = true;
    return;
  }
  const std::string topic = protocol::topic(config_.route, Leaf::status);
  client_->publish({.topic = topic, .payload = *payload, .qos = Qos::at_least_once, .retain = true},
                   [this, online](const Result<>&) {
                     if (!online) stopped_ = true;
                   });
}

void Publisher::stop(Ending ending) {
  if (std::exchange(stopping_, true)) return;
  ending_ = ending;
  parts_.epochs.close();
  parts_.asks.set_epoch(std::nullopt);
  update_active();
  if (connected_) publish_status(false);
  else stopped_ = true;
}

void Publisher::on_message(const transport::Message& message) {
  const auto topic = protocol::parse_topic(message.topic);
  if (stopping_) return;
  if (topic && topic->route == config_.route && topic->leaf == Leaf::roster) on_roster(message.payload);
  else if (topic && topic->route == config_.route && topic->leaf == Leaf::ask) on_ask(topic->hub, message.payload);
  else if (topic && topic->route == config_.route && topic->leaf == Leaf::command && parts_.orders != nullptr)
    follow(parts_.orders->command(message.payload));
  else ++counters_.foreign;
}

void Publisher::on_roster(ByteView message) {
  if (message.empty()) return;  // somebody deleted the retained one; that takes nobody's rights
  const MonotonicTime now = parts_.clock.monotonic();
  if (roster_window_.full(now)) {
    ++counters_.rosters_refused;
    return;
  }
  roster_window_.count(now);
  const auto changed = parts_.roster.offer(message);
  if (!changed) {
    ++counters_.rosters_refused;
    if (roster_log_.allow(now)) parts_.log.warning("a roster was refused: {}", to_string(changed.error()));
    return;
  }
  if (!*changed) return;
  ++counters_.rosters;
  const protocol::Roster& roster = *parts_.roster.current();
  parts_.log.info("roster version {}: {} hubs", roster.version.value(), roster.hubs.size());
  if (auto r = parts_.asks.set_roster(roster); !r)
    parts_.log.warning("a hub cannot be served: {}", to_string(r.error()));
  begin_epoch();
}

void Publisher::on_ask(const DeviceId& hub, ByteView message) {
  const auto accepted = parts_.asks.offer(hub, message);
  if (!accepted) return;
  if (accepted->ask.want == protocol::Want::privacy_on || accepted->ask.want == protocol::Want::privacy_off) {
    if (parts_.orders != nullptr)
      follow(parts_.orders->switch_privacy(accepted->ask.want == protocol::Want::privacy_on));
    return;
  }
  const MonotonicTime now = parts_.clock.monotonic();
  const bool live = accepted->ask.want == protocol::Want::live;
  const auto until = now + (live ? config_.lease : 2 * config_.still_interval);
  if (parts_.board.add(hub, accepted->ask.challenge, now, until, live)) parts_.control.request_keyframe();
  if (accepted->first_in_epoch && reports_.size() < protocol::Roster::max_hubs)
    reports_.push_back(accepted->ask.challenge);
  update_active();
  pump();
}

bool Publisher::still_due(MonotonicTime now) const noexcept {
  return !last_still_ || now - *last_still_ >= config_.still_interval;
}

void Publisher::clear_queue() {
  parts_.queue.clear();
  dropped_before_ = parts_.queue.counters().dropped_groups;
}

void Publisher::update_active() {
  const MonotonicTime now = parts_.clock.monotonic();
  const auto leases = parts_.board.leases(now);
  const bool wanted = leases.live > 0 || (leases.still > 0 && still_due(now));
  const bool active = wanted && !closed() && connected_ && !stopping_ && parts_.epochs.is_open();
  if (active == active_) return;
  active_ = active;
  // On both edges: a picture that was in the encoder when nobody asked any more may lie there still.
  clear_queue();
  pace_.idle();
  parts_.control.set_active(active);
}

void Publisher::tick() {
  const MonotonicTime now = parts_.clock.monotonic();
  if (parts_.orders != nullptr && !stopping_) {
    if (const auto change = parts_.orders->tick(); change.obeyed || change.privacy || change.reset || change.best)
      follow(change);
  }
  const bool may_begin = parts_.roster.current() != nullptr && !stopping_;
  if (may_begin && (parts_.epochs.current() ? parts_.epochs.due() : epoch_backoff_.due(now))) begin_epoch();
  if (!parts_.epochs.is_open() && grants_backoff_.due(now)) publish_grants();
  update_active();
  if (!active_) return;
  const std::uint64_t dropped = parts_.queue.counters().dropped_groups;
  if (std::exchange(dropped_before_, dropped) != dropped) pace_.dropped();
  if (pace_.tick(now, client_->unsent_bytes())) parts_.control.set_quality(pace_.quality());
  pump();
}

void Publisher::pump() {
  if (!connected_ || stopping_) return;
  send_reports();
  if (active_) parts_.queue.drop_stale(parts_.clock.monotonic() - config_.stale_after);
  while (active_ && frames_in_flight_ < config_.frames_in_flight) {
    if (parts_.epochs.due()) {
      begin_epoch();
      return;
    }
    const auto unit = parts_.queue.take();
    if (!unit) return;
    send(*unit);
    parts_.queue.release();
  }
}

void Publisher::send_reports() {
  auto* key = parts_.epochs.key();
  const auto* roster = parts_.roster.current();
  while (key != nullptr && roster != nullptr && !reports_.empty() && frames_in_flight_ < config_.frames_in_flight) {
    const auto challenge = reports_.front();
    reports_.erase(reports_.begin());
    if (publish_frame(maker_.report(*key, {roster->version, parts_.roster.hash()}, challenge), false))
      ++counters_.reports;
  }
}

void Publisher::send(const AccessUnitQueue::Unit& unit) {
  const MonotonicTime now = parts_.clock.monotonic();
  auto* key = parts_.epochs.key();
  if (key == nullptr) return;
  if (parts_.board.leases(now).live > 0) {
    const auto kind = unit.info.keyframe ? FrameKind::key : FrameKind::delta;
    if (!publish_frame(maker_.picture(*key, kind, unit), false)) return;
    ++counters_.published;
    if (!first_published_) first_published_ = now;
  }
  if (!unit.info.keyframe || !still_due(now)) return;
  if (!publish_frame(maker_.picture(*key, FrameKind::still, unit), true)) return;
  ++counters_.stills;
  last_still_ = now;
  parts_.board.end_stills();
}

bool Publisher::publish_frame(const Result<ByteView>& message, bool still) {
  if (!message) {
    ++counters_.failed;
    if (seal_log_.allow(parts_.clock.monotonic()))
      parts_.log.error("a frame was not sealed: {}", to_string(message.error()));
    clear_queue();
    return false;
  }
  const auto place = std::ranges::find(unanswered_, 0U, &Unanswered::size);
  SC_ASSERT(place != unanswered_.end());
  *place = {parts_.clock.monotonic(), static_cast<std::uint32_t>(message->size())};
  ++frames_in_flight_;
  const Publication publication{.topic = still ? still_topic_ : video_topic_,
                                .payload = *message,
                                .qos = Qos::at_most_once,
                                .retain = still,
                                .expiry = still ? config_.still_expiry : config_.video_expiry};
  const auto slot = static_cast<std::size_t>(place - unanswered_.begin());
  client_->publish(publication, [this, slot](const Result<>& result) { frame_answered(slot, result); });
  return true;
}

void Publisher::frame_answered(std::size_t slot, const Result<>& result) {
  const auto frame = std::exchange(unanswered_.at(slot), {});
  SC_ASSERT(frames_in_flight_ > 0 && frame.size > 0);
  --frames_in_flight_;
  if (result) {
    counters_.published_bytes += frame.size;
    pace_.published(parts_.clock.monotonic() - frame.begun);
  } else {
    // The rest of its group can be decoded by nobody.
    ++counters_.failed;
    clear_queue();
    if (connected_ && result.error().code == Errc::exhausted) pace_.dropped();
  }
  pump();
}

}  // namespace sealcam::stream
