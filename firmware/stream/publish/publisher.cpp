// SPDX-License-Identifier: Apache-2.0
#include "stream/publish/publisher.hpp"

#include <utility>

#include "protocol/status.hpp"
#include "protocol/view_request.hpp"

namespace sealcam::stream {

using namespace std::chrono_literals;
using protocol::Leaf;
using protocol::RequestKind;
using transport::Qos;

Publisher::Publisher(const PublisherConfig& config, const Dependencies& deps)
    : config_(config),
      deps_(deps),
      builder_(config.route, deps.camera, deps.clock),
      rate_(config.rate),
      backlog_(config.frames_in_flight + 1),  // the last picture may also be a still
      use_(deps.queue, deps.control, config.preroll),
      past_(deps.past, deps.clock, deps.log, config.route),
      video_topic_(protocol::topic(config.route, Leaf::video)),
      still_topic_(protocol::topic(config.route, Leaf::still)),
      past_topic_(protocol::topic(config.route, Leaf::past)),
      started_(deps.clock.wall()),
      grants_backoff_(500ms, 30s),
      epoch_backoff_(1s, 60s),
      roster_retry_(deps.clock, deps.log, "the roster"),
      roster_log_limit_(10s),
      seal_log_limit_(10s) {
  reports_.reserve(protocol::Roster::max_hubs);
  deps_.control.set_quality(rate_.quality(), rate_.reduced());
}

Result<transport::Will> Publisher::will() const {
  auto payload = protocol::encode_status({.online = false, .started = started_}, config_.route, deps_.camera);
  if (!payload) return std::unexpected(payload.error());
  return transport::Will{protocol::topic(config_.route, Leaf::status), std::move(*payload), true};
}

Result<> Publisher::start() {
  if (auto r = deps_.roster.load(); !r) return std::unexpected(r.error());
  deps_.prekeys.load();
  if (auto r = past_.load(deps_.camera.public_key()); !r) return std::unexpected(r.error());
  past_.set_bitrate(config_.rate.best.bitrate);
  auto change = deps_.commands.load();
  if (!change) return std::unexpected(change.error());
  change->applied = false;  // the first epoch, below, reports it
  follow(*change);
  if (reset_requested_) return {};
  if (deps_.commands.privacy()) past_.clear();  // a power cut may have prevented it
  if (deps_.roster.current() == nullptr) {
    deps_.log.info("no roster yet, so no hub may watch; the owner publishes it with 'sealcam sync'");
    return {};
  }
  set_request_roster();
  begin_epoch();
  return {};
}

void Publisher::set_request_roster() {
  deps_.prekeys.set_roster(*deps_.roster.current());
  past_.set_roster(*deps_.roster.current());
  if (subscribed_) subscribe_to_requests();
  if (auto r = deps_.requests.set_roster(*deps_.roster.current()); !r)
    deps_.log.warning("the roster contains a hub with an unusable key, skipping this hub: {}", to_string(r.error()));
}

void Publisher::follow(const CommandExecutor::Change& change) {
  if (change.reset) {
    reset_requested_ = true;
    stop(Ending::reset);
    return;
  }
  if (change.best) {
    config_.rate.best = *change.best;
    rate_ = RateController(config_.rate);
    past_.set_bitrate(config_.rate.best.bitrate);
    apply_quality();
  }
  if (change.privacy) {
    clear_queue(deps_.clock.monotonic());
    past_.clear();
  }
  past_.set_masks(deps_.control.areas().first.masks);
  update_active();
  if (connected_ && privacy_changed()) publish_status(true);
  if (change.applied && deps_.roster.current() != nullptr) begin_epoch();
}

void Publisher::store_roster() { (void)roster_retry_.attempted(deps_.roster.store()); }

/// No later frame is sealed with the key of the epoch, or for its hubs.
void Publisher::end_epoch() {
  deps_.epochs.close();
  clear_queue(deps_.clock.monotonic());
  deps_.requests.set_epoch(std::nullopt);
  deps_.challenges.clear();
  hubs_.clear();
  reports_.clear();
  last_still_.reset();  // the still at the broker is sealed with the old key
  update_active();
}

void Publisher::begin_epoch() {
  end_epoch();
  deps_.epochs.set_not_stored(!stored());
  const auto begun = deps_.epochs.begin(*deps_.roster.current(), deps_.roster.hash(),
                                        [this](const DeviceId& hub) { return deps_.prekeys.of(hub); });
  deps_.requests.set_epoch(deps_.epochs.current());
  grants_backoff_.reset();
  if (!begun) {
    if (epoch_fault_.empty()) deps_.log.error("cannot begin an epoch, sending no frames: {}", to_string(begun.error()));
    epoch_fault_ = to_string(begun.error());
    epoch_backoff_.failed(deps_.clock.monotonic());
    return;
  }
  if (!epoch_fault_.empty()) deps_.log.info("an epoch has begun, sending frames again");
  epoch_fault_.clear();
  epoch_backoff_.reset();
  ++counters_.epochs;
  past_.begin_epoch(*deps_.epochs.current(), deps_.epochs.grants(), *deps_.roster.current());
  if (past_.keeping()) deps_.control.request_keyframe();
  publish_grants();
}

void Publisher::publish_grants() {
  const auto epoch = deps_.epochs.current();
  if (!connected_ || !epoch || grants_in_flight_ == epoch || stopping_) return;
  grants_in_flight_ = epoch;
  const std::string topic = protocol::topic(config_.route, Leaf::grants);
  client_->publish({.topic = topic, .payload = deps_.epochs.grants(), .qos = Qos::at_least_once, .retain = true},
                   [this, epoch = *epoch](const Result<>& result) { grants_answered(epoch, result); });
}

void Publisher::grants_answered(Epoch epoch, const Result<>& result) {
  if (grants_in_flight_ == epoch) grants_in_flight_.reset();
  if (deps_.epochs.current() != epoch) return;
  if (!result) {
    ++counters_.grants_failed;
    if (!stopping_ && !std::exchange(grants_failing_, true))
      deps_.log.error("the broker did not accept the grants, sending no frames: {}", to_string(result.error()));
    grants_backoff_.failed(deps_.clock.monotonic());
    return;
  }
  grants_failing_ = false;
  grants_backoff_.reset();
  ++counters_.grants;
  if (!deps_.epochs.is_open()) deps_.log.info("epoch {:016x} is open", epoch.value());
  deps_.epochs.open(epoch);
  update_active();
  send_queued();
}

void Publisher::on_connected() {
  send_queued();  // keeps the last pictures of the time without a broker
  past_.on_connected();
  connected_ = true;
  apply_quality();
  if (!std::exchange(subscribed_, true)) {
    client_->subscribe(protocol::topic(config_.route, Leaf::roster), Qos::at_least_once);
    client_->subscribe(protocol::topic(config_.route, Leaf::command), Qos::at_least_once);
    subscribe_to_requests();
  }
  if (stopping_) return;
  // The broker may have lost its retained messages, and it has published the will.
  publish_grants();
  publish_status(true);
  update_active();
}

/// To the topic of each active hub. Many brokers forbid wildcards.
void Publisher::subscribe_to_requests() {
  const auto* const roster = deps_.roster.current();
  std::set<DeviceId> hubs;
  if (roster != nullptr)
    for (const auto& hub : roster->hubs)
      if (roster->active(hub.identity.id()) != nullptr) hubs.insert(hub.identity.id());
  for (const auto& hub : subscribed_hubs_)
    if (!hubs.contains(hub)) client_->unsubscribe(protocol::request_topic(config_.route, hub));
  for (const auto& hub : hubs)
    if (!subscribed_hubs_.contains(hub))
      client_->subscribe(protocol::request_topic(config_.route, hub), Qos::at_most_once);
  subscribed_hubs_ = std::move(hubs);
}

void Publisher::on_disconnected(const Error& why) {
  connected_ = false;
  deps_.log.debug("no frames while disconnected: {}", to_string(why));  // the client logs the reason
  if (stopping_) stopped_ = true;
  else past_.on_disconnected();
  deps_.control.set_hold(false);
  apply_quality();
  update_active();
}

void Publisher::publish_status(bool online) {
  const auto payload = protocol::encode_status({.online = online,
                                                .started = started_,
                                                .privacy = online && deps_.commands.privacy_in_effect(),
                                                .reset = !online && ending_ == Ending::reset,
                                                .fault = online ? deps_.control.fault() : std::nullopt},
                                               config_.route, deps_.camera);
  if (!payload) {
    if (stopping_) stopped_ = true;
    return;
  }
  published_privacy_ = deps_.commands.privacy_in_effect();
  client_->publish({protocol::topic(config_.route, Leaf::status), *payload, Qos::at_least_once, true, {}},
                   [this, online](const Result<>&) { stopped_ |= !online; });
}

void Publisher::stop(Ending ending) {
  if (std::exchange(stopping_, true)) return;
  past_.stop();
  ending_ = ending;
  deps_.epochs.close();
  deps_.requests.set_epoch(std::nullopt);
  update_active();
  if (connected_) publish_status(false);
  else stopped_ = true;
}

void Publisher::on_message(const transport::Message& message) {
  if (stopping_) return;
  const auto topic = protocol::parse_topic(message.topic);
  if (!topic || topic->route != config_.route) {
    ++counters_.unexpected_topics;
    return;
  }
  switch (topic->leaf) {
    case Leaf::roster: return on_roster(message.payload);
    case Leaf::request: return on_request(topic->hub, message.payload);
    case Leaf::command: return follow(deps_.commands.command(message.payload));
    default: ++counters_.unexpected_topics;
  }
}

void Publisher::on_roster(ByteView message) {
  if (message.empty()) return;  // the retained roster was deleted; the hubs keep their rights
  const MonotonicTime now = deps_.clock.monotonic();
  if (roster_window_.full(now)) {
    ++counters_.rosters_rejected;
    return;
  }
  roster_window_.count(now);
  const auto changed = deps_.roster.offer(message);
  if (!changed) {
    ++counters_.rosters_rejected;
    if (roster_log_limit_.allow(now))
      deps_.log.warning("roster rejected: {}{}", to_string(changed.error()), roster_log_limit_.note());
    return;
  }
  if (!*changed) return;
  ++counters_.rosters;
  const protocol::Roster& roster = *deps_.roster.current();
  deps_.log.info("roster version {}: {} hubs", roster.version.value(), roster.hubs.size());
  end_epoch();  // before anything that can wait for a disk
  set_request_roster();
  store_roster();
  begin_epoch();
}

void Publisher::on_request(const DeviceId& hub, ByteView message) {
  const auto accepted = deps_.requests.offer(hub, message);
  if (!accepted) return;
  const RequestKind kind = accepted->request.kind;
  const bool renew = deps_.prekeys.take(hub, accepted->request);
  if (kind == RequestKind::privacy_on || kind == RequestKind::privacy_off)
    follow(deps_.commands.switch_privacy(kind == RequestKind::privacy_on));
  if (kind == RequestKind::past) past_.request(hub, accepted->request.past);
  if (kind == RequestKind::record) past_.on_recording(PictureUse::record, deps_.clock.monotonic());
  if (kind == RequestKind::motion) past_.on_recording(PictureUse::motion, deps_.clock.monotonic());
  if (renew) return begin_epoch();
  const bool pictures = protocol::requests_pictures(kind);
  if (pictures && accepted->request.cannot_open) return send_queued();
  const auto nonce = kind == RequestKind::nonce ? std::optional(accepted->nonce) : std::nullopt;
  if (!pictures || accepted->report_due || sends_no_pictures()) add_report(hub, accepted->request.challenge, nonce);
  if (!pictures) return send_queued();
  const MonotonicTime now = deps_.clock.monotonic();
  const Lease lease = lease_of(kind);
  past_.on_lease(lease);
  const auto until = now + (lease == Lease::still ? 2 * config_.still_interval : config_.lease);
  if (deps_.challenges.add(hub, accepted->request.challenge, now, until, lease)) deps_.control.request_keyframe();
  if (lease != Lease::still && accepted->request.receiver)
    if (const auto best = hubs_.report(hub, *accepted->request.receiver, now)) rate_.reported(now, *best);
  update_active();
  send_queued();
}

void Publisher::tick() {
  const MonotonicTime now = deps_.clock.monotonic();
  if (!stopping_) {
    if (const auto change = deps_.commands.tick(); change.applied || change.privacy || change.reset || change.best)
      follow(change);
  }
  if (!deps_.roster.stored() && roster_retry_.due()) store_roster();
  deps_.prekeys.tick();
  if (connected_ && !stopping_ && (fault_changed(now) || privacy_changed())) publish_status(true);
  const bool may_begin = deps_.roster.current() != nullptr && !stopping_;
  // The grants report a change of stored() to the owner.
  const bool due = deps_.epochs.due() || deps_.epochs.not_stored() == stored();
  if (may_begin && (deps_.epochs.current() ? due : epoch_backoff_.due(now))) begin_epoch();
  if (!deps_.epochs.is_open() && grants_backoff_.due(now)) publish_grants();
  past_.tick();
  update_active();
  deps_.requests.set_past(past_.bytes() > 0);
  if (!use_.sending()) return send_past();
  const std::uint64_t dropped = deps_.queue.counters().dropped_groups;
  if (std::exchange(dropped_before_, dropped) != dropped) rate_.dropped();
  if (connected_) measure();
  if (rate_.tick(now)) apply_quality();
  send_queued();
}

}  // namespace sealcam::stream
