// SPDX-License-Identifier: Apache-2.0
#include "hub/web/web_session.hpp"

#include <algorithm>
#include <map>

namespace sealcam::hub::web {

namespace {

/// The camera whose pictures use most of the limits. A camera with large or many pictures then does not cost the others
/// theirs. `pictures` is not empty.
DeviceId max_share(const std::deque<QueuedPicture>& pictures) {
  std::map<DeviceId, std::size_t> shares;
  for (const auto& p : pictures)
    shares[p.camera] += p.unit->size() + ClientQueue::max_bytes / ClientQueue::max_pictures;
  return std::ranges::max_element(shares, {}, [](const auto& entry) { return entry.second; })->first;
}

}  // namespace

template <class Which>
void ClientQueue::drop(Which which) {
  std::erase_if(pictures_, [&](const QueuedPicture& p) {
    if (!which(p.camera)) return false;
    bytes_ -= p.unit->size();
    ++dropped_;
    in_step_.erase(p.camera);
    return true;
  });
}

// The remaining pictures begin with a key frame, so the client stays in step.
void ClientQueue::drop_older_groups(const DeviceId& camera) {
  std::size_t newest = 0;
  for (std::size_t i = 0; i < pictures_.size(); ++i)
    if (pictures_[i].camera == camera && pictures_[i].picture.starts_group()) newest = i;
  std::size_t at = 0;
  std::erase_if(pictures_, [&](const QueuedPicture& p) {
    if (at++ >= newest || p.camera != camera) return false;
    bytes_ -= p.unit->size();
    ++dropped_;
    return true;
  });
}

std::set<DeviceId> ClientQueue::watch(bool all, std::set<DeviceId> cameras, const std::set<DeviceId>& known) {
  std::set<DeviceId> fresh;
  for (const auto& camera : known)
    if ((all || cameras.contains(camera)) && !watches(camera)) fresh.insert(camera);
  all_ = all;
  desired_ = std::move(cameras);
  const auto dropped = dropped_;
  drop([&](const DeviceId& camera) { return !watches(camera); });
  dropped_ = dropped;  // dropped() counts slow clients only
  std::erase_if(in_step_, [&](const DeviceId& camera) { return !watches(camera); });
  return fresh;
}

void ClientQueue::withdraw(const DeviceId& camera) {
  const auto dropped = dropped_;
  drop([&](const DeviceId& one) { return one == camera; });
  dropped_ = dropped;  // dropped() counts slow clients only
  in_step_.erase(camera);
}

void ClientQueue::push(QueuedPicture picture) {
  if (!watches(picture.camera)) return;
  const bool starts = picture.picture.starts_group();
  if (!starts && !in_step_.contains(picture.camera)) return;
  const auto size = picture.unit->size();
  if (full(size)) drop_older_groups(picture.camera);
  while (full(size) && !pictures_.empty()) {
    const auto fullest = max_share(pictures_);
    drop([&](const DeviceId& camera) { return camera == fullest; });
  }
  if (full(size) || (!starts && !in_step_.contains(picture.camera))) {
    in_step_.erase(picture.camera);
    ++dropped_;
    return;
  }
  in_step_.insert(picture.camera);
  bytes_ += size;
  pictures_.push_back(std::move(picture));
}

void ClientQueue::push_group(const DeviceId& camera, const watch::PictureGroup& group) {
  group.for_each([&](const watch::PictureInfo& picture, ByteView unit) {
    push({camera, picture, std::make_shared<const Bytes>(unit.begin(), unit.end()), true});
  });
  if (!group.complete()) out_of_step(camera);
}

std::optional<Outgoing> ClientQueue::pop() {
  for (auto* text : {&hello_, &pong_, &answer_, &state_}) {
    if (!*text) continue;
    Outgoing out{std::nullopt, std::move(**text)};
    text->reset();
    return out;
  }
  if (pictures_.empty()) return std::nullopt;
  Outgoing out{std::move(pictures_.front()), {}};
  pictures_.pop_front();
  bytes_ -= out.picture->unit->size();
  return out;
}

}  // namespace sealcam::hub::web
