// SPDX-License-Identifier: Apache-2.0
/// The pictures of the publisher: when the camera encodes, and what it seals and sends.
#include <utility>

#include "stream/publish/publisher.hpp"

namespace sealcam::stream {

using protocol::FrameKind;
using transport::Publication;
using transport::Qos;

/// Once per change, and at most once a second, because a sensor may fail again and again.
bool Publisher::fault_changed(MonotonicTime now) noexcept {
  if (deps_.control.fault() == published_fault_ || now - fault_published_ < std::chrono::seconds(1)) return false;
  fault_published_ = now;
  published_fault_ = deps_.control.fault();
  return true;
}

/// `requested`: a hub has a lease for stills only.
bool Publisher::still_due(MonotonicTime now, bool requested) const noexcept {
  const auto interval = rate_.reduced() && !requested ? config_.slow_still_interval : config_.still_interval;
  return !last_still_ || now - *last_still_ >= interval;
}

void Publisher::measure() noexcept {
  rate_.set_partial(deps_.control.keyframes_alone());
  rate_.measured(backlog_.measure(deps_.clock.monotonic(), client_->send_progress()));
  deps_.control.set_hold(rate_.hold() && use_.use() == PictureUse::live);  // recordings may wait
}

/// The disk of a camera without a broker is no slow network.
void Publisher::apply_quality() {
  if (past_.keeping() && !connected_) return deps_.control.set_quality(config_.rate.best);
  deps_.control.set_quality(use_.quality(rate_.quality(), config_.rate.best), rate_.reduced());
}

void Publisher::update_active() {
  const MonotonicTime now = deps_.clock.monotonic();
  const auto leases = deps_.challenges.leases(now);
  const auto keeping = past_.keeping();
  const bool sealing = deps_.epochs.is_open() || (keeping && deps_.epochs.current());
  const bool encode = !stopping_ && !deps_.commands.privacy() && sealing;
  // A recording of motion continues: send() makes stills from its key frames.
  const bool still = leases.still > 0 && use_.use() != PictureUse::motion && still_due(now, true);
  if (!use_.update(now, {.live = (leases.live > 0 || still) && encode && connected_,
                         .record = ((connected_ && leases.record > 0) || keeping == PictureUse::record) && encode,
                         .motion = (leases.motion > 0 || keeping == PictureUse::motion) && encode &&
                                   deps_.control.detects_motion()}))
    return;
  dropped_before_ = deps_.queue.counters().dropped_groups;
  rate_.idle();
  backlog_.reset();
  deps_.control.set_hold(false);
  apply_quality();
}

void Publisher::send_queued() {
  if (stopping_ || (!connected_ && !past_.keeping())) return;
  if (connected_) send_reports();
  const MonotonicTime now = deps_.clock.monotonic();
  if (use_.use() == PictureUse::preroll || use_.use() == PictureUse::motion) update_active();
  if (use_.use() == PictureUse::live)  // a recording needs also the old pictures
    deps_.queue.drop_stale(now - config_.stale_after, now - config_.drop_after);
  if (use_.sending() && connected_) measure();
  while (use_.sends(now) && (!connected_ || backlog_.frames() < config_.frames_in_flight)) {
    if (deps_.epochs.due()) return begin_epoch();
    const auto unit = deps_.queue.take();
    if (!unit) break;
    use_.note_taken(now);
    send(*unit);
    deps_.queue.release();
  }
  send_past();
}

/// Live pictures have priority: nothing of them waits, and the network is not full. While a person looks, a message
/// that delays the next picture, as a key frame does, is rare.
void Publisher::send_past() {
  if (!connected_ || stopping_ || deps_.commands.privacy() || !deps_.epochs.is_open()) return;
  if (rate_.congested() || rate_.hold() || backlog_.frames() > 0) return;
  const BitsPerSecond bitrate = rate_.quality().bitrate;
  const bool live = deps_.challenges.leases(deps_.clock.monotonic()).live > 0;
  const ByteView message = past_.next(bitrate, live ? bitrate.value() / 8 / 5 : protocol::max_message_size);
  if (message.empty()) return;
  const std::size_t slot = backlog_.add(message.size());
  client_->publish({past_topic_, message, Qos::at_most_once, false, config_.past_expiry},
                   [this, slot](const Result<>& result) {
                     backlog_.remove(slot);
                     if (result) send_queued();
                   });
}

void Publisher::send_reports() {
  auto* key = deps_.epochs.key();
  const auto* roster = deps_.roster.current();
  while (key != nullptr && roster != nullptr && !reports_.empty() && backlog_.frames() < config_.frames_in_flight) {
    const auto [hub, challenge, nonce] = reports_.front();
    reports_.erase(reports_.begin());
    const bool privacy = deps_.commands.privacy_in_effect();
    const bool detects = deps_.control.detects_motion();
    const protocol::Report report{roster->version, deps_.roster.hash(), nonce, privacy, deps_.control.fault(),
                                  detects,         past_.listed(hub)};
    const Counter counter = key->next_counter();
    if (publish_frame(kept(counter, false, builder_.report(*key, report, challenge)), false)) ++counters_.reports;
  }
}

void Publisher::send(const AccessUnitQueue::Unit& unit) {
  const bool keeping = past_.keeping().has_value();
  auto* key = keeping ? deps_.epochs.key_of_any() : deps_.epochs.key();
  if (key == nullptr || unit.info.areas != deps_.control.areas_version()) return builder_.skip();  // earlier masks
  const MonotonicTime now = deps_.clock.monotonic();
  const auto leases = deps_.challenges.leases(now);
  const bool sends =
      !keeping || (connected_ && deps_.epochs.is_open() && leases.video() + leases.motion + leases.still > 0);
  if (leases.video() == 0 && use_.use() != PictureUse::motion && !keeping) {
    builder_.skip();
  } else if (builder_.decodable(*key, unit.info.keyframe)) {
    const auto kind = unit.info.keyframe ? FrameKind::key : FrameKind::delta;
    const Counter counter = key->next_counter();
    const auto message = kept(counter, unit.info.keyframe, builder_.picture(*key, kind, unit));
    if (!sends && message) return;
    if (!publish_frame(message, false)) return;
    hubs_.sealed(counter, now, message->size());
    ++counters_.published;
    if (!first_published_) first_published_ = now;
  }
  if (!sends || !unit.info.keyframe || now - unit.info.captured > config_.drop_after ||
      !still_due(now, leases.still > 0))
    return;
  const Counter counter = key->next_counter();
  if (!publish_frame(kept(counter, false, builder_.picture(*key, FrameKind::still, unit)), true)) return;
  ++counters_.stills;
  last_still_ = now;
  deps_.challenges.end_stills();
}

bool Publisher::publish_frame(const Result<ByteView>& message, bool still) {
  if (!message) {
    ++counters_.failed;
    if (seal_log_limit_.allow(deps_.clock.monotonic()))
      deps_.log.error("cannot seal a frame: {}{}", to_string(message.error()), seal_log_limit_.note());
    clear_queue();
    return false;
  }
  const Publication publication{.topic = still ? still_topic_ : video_topic_,
                                .payload = *message,
                                .qos = Qos::at_most_once,
                                .retain = still,
                                .expiry = still ? config_.still_expiry : config_.video_expiry};
  const std::size_t slot = backlog_.add(message->size());
  rate_.sent(message->size());
  client_->publish(publication, [this, slot](const Result<>& result) { frame_answered(slot, result); });
  return true;
}

void Publisher::frame_answered(std::size_t slot, const Result<>& result) {
  const std::size_t size = backlog_.remove(slot);
  if (result) {
    counters_.published_bytes += size;
  } else {
    // No hub can decode the rest of the group. A recording needs the later groups.
    ++counters_.failed;
    builder_.skip();
    use_.use() == PictureUse::live ? clear_queue() : deps_.control.request_keyframe();
    if (connected_ && result.error().code == Errc::exhausted) rate_.dropped();
    if (result.error().code == Errc::connection) return;  // the next frames would fail, too
  }
  send_queued();
}

}  // namespace sealcam::stream
