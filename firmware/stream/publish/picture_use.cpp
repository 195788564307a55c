// SPDX-License-Identifier: Apache-2.0
#include "stream/publish/picture_use.hpp"

#include <algorithm>

namespace sealcam::stream {

std::string_view name(PictureUse use) noexcept {
  switch (use) {
    case PictureUse::none: return "none";
    case PictureUse::preroll: return "preroll";
    case PictureUse::motion: return "motion";
    case PictureUse::record: return "record";
    case PictureUse::live: return "live";
  }
  return "";
}

namespace {

/// Between these uses the pictures in the queue keep their meaning.
bool continues(PictureUse from, PictureUse to) noexcept {
  const auto preroll = [](PictureUse use) { return use == PictureUse::preroll || use == PictureUse::motion; };
  const auto video = [](PictureUse use) { return use == PictureUse::record || use == PictureUse::live; };
  // A hub that records motion lacks the end of the tail if the pictures of a motion are dropped when a person leaves.
  return (preroll(from) && preroll(to)) || (video(from) && (video(to) || to == PictureUse::motion));
}

}  // namespace

bool PictureUseSelector::in_tail(std::optional<MonotonicTime> captured) const {
  const auto motion = queue_.newest_motion();
  return captured && motion && *captured <= *motion + limits_.tail;
}

PictureUse PictureUseSelector::choose(MonotonicTime now, const Demand& demand) const {
  if (demand.live) return PictureUse::live;
  if (demand.record) return PictureUse::record;
  if (!demand.motion) return PictureUse::none;
  if (use_ != PictureUse::motion) return in_tail(now) ? PictureUse::motion : PictureUse::preroll;
  // On a slow network, pictures of the motion may still wait when the tail has ended.
  return in_tail(now - limits_.late) || in_tail(queue_.oldest()) ? PictureUse::motion : PictureUse::preroll;
}

bool PictureUseSelector::update(MonotonicTime now, const Demand& demand) {
  const PictureUse next = choose(now, demand);
  if (next == use_) return false;
  const bool emptied = !continues(use_, next);
  const bool before = sending();
  // At each change: the queue may have a picture that was in the encoder when the last lease ended.
  if (emptied) queue_.clear();
  else if (next == PictureUse::motion && use_ != PictureUse::preroll) control_.request_keyframe();  // perhaps skipped
  use_ = next;
  switch (use_) {
    case PictureUse::preroll: queue_.retain(limits_.span); break;
    case PictureUse::motion:
    case PictureUse::record: queue_.retain(limits_.backlog); break;
    case PictureUse::none:
    case PictureUse::live: queue_.retain(std::nullopt); break;
  }
  control_.set_active(use_ != PictureUse::none);
  return emptied || sending() != before;
}

Quality PictureUseSelector::quality(Quality network, const Quality& best) const noexcept {
  if (use_ != PictureUse::preroll) return network;
  network.min_interval = std::min(network.min_interval, std::chrono::milliseconds(200));
  network.downscale = best.downscale;
  network.keyframe_interval = best.keyframe_interval;
  return network;
}

bool PictureUseSelector::sends(MonotonicTime now) const {
  switch (use_) {
    case PictureUse::none:
    case PictureUse::preroll: return false;
    case PictureUse::motion: return next_ <= now && in_tail(queue_.oldest());
    case PictureUse::record: return next_ <= now;
    case PictureUse::live: return true;
  }
  return false;
}

void PictureUseSelector::note_taken(MonotonicTime now) noexcept {
  next_ = std::max(next_, now - limits_.burst * limits_.interval) + limits_.interval;
}

}  // namespace sealcam::stream
