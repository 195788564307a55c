// SPDX-License-Identifier: Apache-2.0
#include "owner/hearing.hpp"

#include <algorithm>

#include "protocol/status.hpp"
#include "protocol/topic.hpp"

namespace sealcam::owner {

using protocol::Leaf;

Result<Hearing> Hearing::open(const AccountFile& account, const crypto::PublicKey& owner) {
  auto own = crypto::Verifier::open(owner);
  if (!own) return std::unexpected(own.error());
  Hearing hearing(account.account, std::move(*own));
  for (const auto& camera : account.cameras) {
    auto verifier = crypto::Verifier::open(camera.identity);
    if (!verifier) return std::unexpected(verifier.error());
    hearing.cameras_.emplace(camera.id, std::move(*verifier));
  }
  return hearing;
}

const Heard& Hearing::of(const DeviceId& camera) const {
  static const Heard nothing;
  const auto it = heard_.find(camera);
  return it == heard_.end() ? nothing : it->second;
}

Heard* Hearing::entry(const DeviceId& camera) {
  if (!heard_.contains(camera) && heard_.size() >= most_cameras) return nullptr;
  return &heard_[camera];
}

void Hearing::hear(const transport::Message& message) {
  const auto topic = protocol::parse_topic(message.topic);
  if (!topic || topic->route.account != account_) return;
  if (topic->leaf == Leaf::roster) return hear_roster(topic->route, message.payload);
  if (topic->leaf == Leaf::grants) return hear_grants(topic->route, message.payload);
  if (topic->leaf == Leaf::command) {
    const auto seq = protocol::command_seq(message.payload, topic->route, owner_);
    auto* heard = seq ? entry(topic->route.camera) : nullptr;
    if (heard != nullptr) heard->command = std::max(heard->command.value_or(CommandSeq()), *seq);
    return;
  }
  const auto camera = cameras_.find(topic->route.camera);
  if (topic->leaf != Leaf::status || camera == cameras_.end()) return;
  const auto status = protocol::decode_status(message.payload, topic->route, camera->second);
  auto* heard = status && status->reset ? entry(topic->route.camera) : nullptr;
  if (heard != nullptr) heard->left = true;
}

void Hearing::hear_roster(const protocol::Route& route, ByteView message) {
  auto roster = protocol::decode_roster(message, route, owner_);
  if (!roster) return;
  auto* heard = entry(route.camera);
  if (heard == nullptr || (heard->roster && heard->roster->version >= roster->version)) return;
  if (!cameras_.contains(route.camera)) {
    auto verifier = crypto::Verifier::open(roster->camera_identity);
    if (!verifier) return;
    cameras_.emplace(route.camera, std::move(*verifier));
  }
  heard->roster = std::move(*roster);
  if (const auto early = early_.extract(route.camera)) hear_grants(route, early.mapped());
}

void Hearing::hear_grants(const protocol::Route& route, ByteView message) {
  const auto camera = cameras_.find(route.camera);
  if (camera == cameras_.end()) {
    if (message.size() <= protocol::max_control_size && (early_.contains(route.camera) || early_.size() < most_cameras))
      early_[route.camera] = Bytes(message.begin(), message.end());
    return;
  }
  auto grants = protocol::decode_grants(message, route, camera->second);
  auto* heard = grants ? entry(route.camera) : nullptr;
  if (heard == nullptr) return;
  if (grants->command) heard->obeyed = std::max(heard->obeyed.value_or(CommandSeq()), *grants->command);
  // Replayed ones count for nothing: a camera never follows an older roster again.
  if (heard->grants && heard->grants->roster_version > grants->roster_version) return;
  if (heard->grants && heard->grants->roster_version == grants->roster_version &&
      heard->grants->roster_hash != grants->roster_hash)
    heard->contradiction = true;
  heard->grants = std::move(*grants);
}

}  // namespace sealcam::owner
