// SPDX-License-Identifier: Apache-2.0
#include "watch/frame_sink.hpp"

#include <algorithm>
#include <utility>

#include "watch/view_requester.hpp"

namespace sealcam::watch {

using protocol::PastRange;

PastReceiver::PastReceiver(const CameraDependencies& deps, const protocol::Route& route, FrameForwarder& forwarder,
                           CameraCounters& counters)
    : deps_(deps),
      route_(route),
      forwarder_(forwarder),
      counters_(counters),
      // A queue of its own: many old frames never delay live ones.
      queue_(deps.checker.add_queue([this](FrameCheck& frame) { on_checked(frame); })) {}

PastReceiver::~PastReceiver() { deps_.checker.remove_queue(queue_); }

void PastReceiver::unsubscribe() {
  if (std::exchange(subscribed_, false) && deps_.client != nullptr)
    deps_.client->unsubscribe(protocol::topic(route_, protocol::Leaf::past));
}

void PastReceiver::subscribe(BootTime now) {
  if (subscribed_ || listed_.empty() || now < next_subscription_) return;
  subscribed_ = true;
  subscribed_at_ = now;
  deps_.client->subscribe(protocol::topic(route_, protocol::Leaf::past), transport::Qos::at_most_once);
}

void PastReceiver::on_connected() {
  subscribed_at_ = deps_.clock.boot();
  announced_.reset();  // after an outage the camera has a new list
}

bool PastReceiver::on_disconnected() {
  if (!subscribed_) return false;
  const auto now = deps_.clock.boot();
  if (now - subscribed_at_ >= rejection_time) {
    rejections_ = 0;
    return false;
  }
  if (++rejections_ < max_rejections) return false;
  rejections_ = max_rejections - 1;  // one attempt after the pause
  next_subscription_ = now + rejection_pause;
  unsubscribe();
  return true;
}

void PastReceiver::clear() {
  unsubscribe();
  listed_.clear();
  changed_ = false;
  known_.clear();
  unopened_.clear();
  requested_.clear();
}

bool PastReceiver::requested(Epoch epoch) const noexcept {
  return std::ranges::contains(requested_, epoch, &PastRange::epoch);
}

bool PastReceiver::requested(Epoch epoch, Counter counter) const noexcept {
  return std::ranges::any_of(
      requested_, [&](const PastRange& r) { return r.epoch == epoch && r.first <= counter && counter <= r.last; });
}

void PastReceiver::on_report(const protocol::Report& report) {
  if (deps_.frames == nullptr || report.past == listed_) return;
  listed_ = report.past;
  changed_ = true;
  std::erase_if(unopened_, [&](Epoch epoch) { return !std::ranges::contains(listed_, epoch, &PastRange::epoch); });
}

void PastReceiver::on_message(ByteView message, EpochSet& epochs, const std::shared_ptr<const CameraKeys>& camera) {
  if (deps_.frames == nullptr) return counters_.rejected.add(RejectReason::closed_epoch);
  const auto claimed = protocol::parse_frame(message);
  if (!claimed) return on_grants(message, *camera);
  if (claimed->signer != route_.camera) return counters_.rejected.add(RejectReason::wrong_account);
  if (!requested(claimed->epoch, claimed->counter)) return counters_.rejected.add(RejectReason::closed_epoch);
  auto known = known_.find(claimed->epoch);
  if (known == known_.end())
    if (const auto* const current = epochs.current(); current != nullptr && current->epoch == claimed->epoch)
      known = known_.emplace(claimed->epoch, Known{current->recorded, current->key}).first;
  auto frame = deps_.checker.make();
  frame->message.assign(message.begin(), message.end());
  frame->frame.emplace(*protocol::parse_frame(frame->message));
  frame->camera = camera;
  frame->received = deps_.clock.boot();
  // Without a key, the signature decides which reason is counted. The camera sends the grants again with each answer.
  if (known != known_.end()) frame->key = known->second.key;
  counters_.overload += deps_.checker.submit(queue_, std::move(frame));
}

void PastReceiver::on_grants(ByteView message, const CameraKeys& camera) {
  const auto now = deps_.clock.boot();
  if (grants_checked_ && now - *grants_checked_ < grants_interval) {
    ++counters_.overload;
    return;
  }
  grants_checked_ = now;
  const auto reject = [&](RejectReason reason) { counters_.rejected_control.add(reason); };
  const auto grants = protocol::decode_grants(message, route_, camera.verifier);
  if (!grants) return reject(protocol::to_reject_reason(grants.error()));
  if (known_.contains(grants->epoch)) return;  // the camera sends them again
  if (!requested(grants->epoch)) return reject(RejectReason::closed_epoch);
  auto opened = open_epoch(*grants, route_, deps_.keys, deps_.prekeys, {}, true);
  if (!opened) {
    // Else its gaps would fill each request, and keep the hub from the other epochs.
    changed_ |= unopened_.insert(grants->epoch).second;
    return reject(protocol::to_reject_reason(opened.error()));
  }
  FrameForwarder::set_grants(*opened, message);
  forwarder_.begin(*opened);
  known_.emplace(grants->epoch, Known{std::move(opened->recorded), std::move(opened->key)});
}

void PastReceiver::on_checked(FrameCheck& frame) {
  if (frame.rejection) return counters_.rejected.add(*frame.rejection);
  const auto known = known_.find(frame.frame->epoch);
  if (known != known_.end() && known->second.recorded) deps_.frames->on_past_frame(known->second.recorded, frame);
}

void PastReceiver::announce(ViewRequester& requester, Epoch current, BootTime now) {
  if (now - subscribed_at_ < rejection_time) return;  // the camera may connect later than the hub
  if (announced_ == current && (!listed_.empty() || now < next_announcement_)) return;
  announced_ = current;
  next_announcement_ = now + repeat_interval;
  requester.request_past(current, {PastRange{}});
}

void PastReceiver::request_due(ViewRequester& requester, EpochSet& epochs, bool recorded) {
  const auto now = deps_.clock.boot();
  if (deps_.frames == nullptr || epochs.current() == nullptr) return;
  if (recorded) announce(requester, epochs.current()->epoch, now);
  subscribe(now);
  if (changed_ ? now >= next_list_ : !listed_.empty() && now >= next_list_ + repeat_interval) {
    changed_ = false;
    next_list_ = now + list_interval;
    auto openable = listed_;
    std::erase_if(openable, [&](const PastRange& range) { return unopened_.contains(range.epoch); });
    deps_.frames->on_past_listed(route_.camera, openable);
  }
  if (!subscribed_ || now < next_request_ || (listed_.empty() && requested_.empty())) return;
  auto gaps = deps_.frames->past_gaps(route_.camera);
  std::erase_if(gaps, [&](const PastRange& gap) { return unopened_.contains(gap.epoch); });
  // A camera that sends nothing of them may have nothing, or no room on its network.
  interval_ = gaps == requested_ ? std::min(interval_ * 2, max_interval) : min_interval;
  next_request_ = now + interval_;
  requested_ = gaps;
  std::erase_if(known_, [&](const auto& known) { return !requested(known.first); });
  if (!gaps.empty()) requester.request_past(epochs.current()->epoch, std::move(gaps));
}

}  // namespace sealcam::watch
