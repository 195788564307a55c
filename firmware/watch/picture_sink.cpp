// SPDX-License-Identifier: Apache-2.0
#include "watch/picture_sink.hpp"

#include <algorithm>

namespace sealcam::watch {

std::string_view name(CameraState state) noexcept {
  switch (state) {
    case CameraState::live: return "LIVE";
    case CameraState::stale: return "STALE";
    case CameraState::offline: return "OFFLINE";
  }
  return "unknown";
}

std::string_view name(Reason reason) noexcept {
  switch (reason) {
    case Reason::none: return "";
    case Reason::cloned: return "cloned";
    case Reason::suspended: return "suspended";
    case Reason::removed: return "removed";
    case Reason::roster_conflict: return "roster_conflict";
    case Reason::restored: return "restored";
    case Reason::unpublished_roster: return "unpublished_roster";
    case Reason::clock: return "clock";
    case Reason::privacy: return "privacy";
    case Reason::deregistered: return "deregistered";
    case Reason::sensor_fault: return "sensor_fault";
    case Reason::picture_fault: return "picture_fault";
    case Reason::encoder_fault: return "encoder_fault";
    case Reason::unconfirmed: return "unconfirmed";
    case Reason::no_answer: return "no_answer";
    case Reason::waiting: return "waiting";
  }
  return "";
}

bool CameraStatus::same_report(const CameraStatus& o) const {
  return state == o.state && reason == o.reason && name == o.name && member == o.member &&
         roster_conflict == o.roster_conflict && watched == o.watched && reports_online == o.reports_online &&
         epoch == o.epoch && privacy == o.privacy && hint == o.hint && may_switch_privacy == o.may_switch_privacy &&
         requested_privacy == o.requested_privacy && privacy_failed == o.privacy_failed &&
         roster_version == o.roster_version && width == o.width && height == o.height &&
         detects_motion == o.detects_motion && software == o.software;
}

void PictureGroup::add(const PictureInfo& picture, ByteView access_unit) {
  if (picture.starts_group()) {
    entries_.clear();
    arena_.clear();
    complete_ = access_unit.size() <= limit_;
  }
  if (!complete_) return;
  if (arena_.size() + access_unit.size() > limit_) {
    complete_ = false;
    if (entries_.size() <= 1) return;
    arena_.resize(entries_.front().size);
    arena_.shrink_to_fit();
    entries_.erase(entries_.begin() + 1, entries_.end());
    return;
  }
  entries_.push_back({picture, arena_.size(), access_unit.size()});
  arena_.insert(arena_.end(), access_unit.begin(), access_unit.end());
}

void PictureGroup::clear() noexcept {
  entries_ = {};
  arena_ = {};
  complete_ = false;
}

void PictureGroup::for_each(const Visitor& visit) const {
  for (const auto& entry : entries_) visit(entry.picture, ByteView(arena_).subspan(entry.offset, entry.size));
}

bool PictureCache::Less::operator()(const crypto::PublicKey& a, const crypto::PublicKey& b) const noexcept {
  return std::ranges::lexicographical_compare(a.bytes(), b.bytes());
}

void PictureCache::add(const crypto::PublicKey& camera, const PictureInfo& picture, ByteView access_unit) {
  groups_.try_emplace(camera, limit_per_camera).first->second.add(picture, access_unit);
}

void PictureCache::remove(const crypto::PublicKey& camera) noexcept { groups_.erase(camera); }

const PictureGroup* PictureCache::find(const crypto::PublicKey& camera) const noexcept {
  const auto found = groups_.find(camera);
  return found == groups_.end() || found->second.empty() ? nullptr : &found->second;
}

}  // namespace sealcam::watch
