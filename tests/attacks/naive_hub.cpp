// SPDX-License-Identifier: Apache-2.0
#include "attacks/naive_hub.hpp"

#include <algorithm>

#include "protocol/roster.hpp"
#include "support/live_bytes.hpp"

namespace sealcam::attacks {

using test::must;
using Verdict = watch::StreamOrder::Verdict;

std::string_view name(Without without) noexcept {
  switch (without) {
    case Without::nothing: return "nothing";
    case Without::route: return "the check of the signer";
    case Without::binding: return "binding to account and camera";
    case Without::signature: return "signatures";
    case Without::replay: return "the check for replays";
    case Without::low_s: return "the checks of s and for replays";
    case Without::order: return "the check of the order";
    case Without::gaps: return "waiting for a key frame";
    case Without::closing: return "closing of epochs";
    case Without::freshness: return "challenges";
  }
  return "";
}

NaiveHub::NaiveHub(Arena& arena, Without without)
    : without_(without), screen_(arena.clock), client_(arena.broker, *this) {
  join(arena.home);
  client_.connect();
}

void NaiveHub::join(Home& home) {
  homes_.push_back(&home);
  // The tiles show the first account's cameras. Other accounts only add keys for frames that were moved.
  if (homes_.size() == 1)
    for (auto& camera : home.cameras()) screen_.expect(camera->id(), camera->number());
  for (const auto& camera : home.cameras())
    for (const auto leaf : {Leaf::roster, Leaf::grants, Leaf::still, Leaf::video})
      client_.subscribe(protocol::topic(camera->route(), leaf), transport::Qos::at_most_once);
}

void NaiveHub::on_message(const transport::Message& message) {
  const test::OutsideTest uncounted;
  const auto topic = protocol::parse_topic(message.topic);
  if (!topic) return;
  if (topic->leaf == Leaf::roster) on_roster(*topic, message.payload);
  else if (topic->leaf == Leaf::grants) on_grants(*topic, message.payload);
  else if (is_frame(topic->leaf)) on_frame(*topic, message.payload);
}

void NaiveHub::on_roster(const protocol::Topic& topic, ByteView message) {
  for (Home* home : homes_) {
    const auto roster = protocol::decode_roster(message, topic.route, home->owner().verifier());
    if (!roster || cameras_.contains(topic.route)) continue;
    cameras_[topic.route] = {topic.route, must(crypto::Verifier::open(roster->camera_identity)), &home->hub(), {}, {}};
  }
}

void NaiveHub::on_grants(const protocol::Topic& topic, ByteView message) {
  const auto found = cameras_.find(topic.route);
  if (found == cameras_.end()) return;
  auto& camera = found->second;
  const auto grants = protocol::decode_grants(message, topic.route, *camera.verifier);
  if (!grants) return;
  const auto content = protocol::open_grant(*grants, topic.route, camera.hub->actor().id(),
                                            [&](protocol::PrekeyNumber number) { return camera.hub->key(number); });
  if (!content) return;
  if (!std::ranges::contains(camera.keys, grants->epoch, &Key::epoch))
    camera.keys.push_back(
        {grants->epoch, must(crypto::sframe::OpeningKey::open(grants->suite, grants->epoch, content->base_key)), {}});
  if (without_ == Without::closing || !camera.current || *camera.current < grants->epoch)
    camera.current = grants->epoch;
}

void NaiveHub::on_frame(const protocol::Topic& topic, ByteView message) {
  const auto frame = protocol::parse_frame(message);
  if (!frame || (frame->signer != topic.route.camera && without_ != Without::route)) return;
  for (auto& [route, camera] : cameras_) {
    const bool here = without_ == Without::binding ? route.camera == topic.route.camera
                      : without_ == Without::route ? route.camera == frame->signer
                                                   : route == topic.route;
    if (here && topic.route.account == homes_.front()->camera().route().account &&
        try_camera(camera, *frame, topic.route.camera))
      return;
  }
}

bool NaiveHub::try_camera(Camera& camera, const protocol::FrameView& frame, const DeviceId& tile) {
  const protocol::FrameOpener opener(camera.route);
  crypto::Signature low_s;
  std::ranges::copy(frame.signature, low_s.begin());
  crypto::make_low_s(low_s);
  auto signed_frame = frame;
  if (without_ == Without::low_s) signed_frame.signature = low_s;
  if (without_ != Without::signature && !opener.verify(signed_frame, *camera.verifier)) return false;
  const auto key = std::ranges::find(camera.keys, frame.epoch, &Key::epoch);
  if (key == camera.keys.end()) return false;
  Bytes plain(frame.sealed.size());
  const auto opened = opener.open(plain, frame, key->opening);
  if (!opened) return false;
  const auto verdict = key->order.accept(frame.kind, frame.counter, opened->header);
  if (frame.kind == FrameKind::report || !may_show(camera, *key, verdict)) return true;
  const bool live = without_ == Without::freshness;
  screen_.on_picture(tile,
                     {.kind = frame.kind,
                      .state = live ? watch::CameraState::live : watch::CameraState::stale,
                      .header = opened->header,
                      .epoch = frame.epoch,
                      .counter = frame.counter,
                      .age = {},
                      .received = {},
                      .handed_out = {}},
                     opened->content);
  return true;
}

bool NaiveHub::may_show(Camera& camera, const Key& key, Verdict verdict) const {
  if (camera.current != key.epoch) return false;
  switch (verdict) {
    case Verdict::show: return true;
    case Verdict::replayed: return without_ == Without::replay || without_ == Without::low_s;
    case Verdict::out_of_order: return without_ == Without::order;
    case Verdict::wait_for_key: return without_ == Without::gaps;
    case Verdict::nothing_new: return false;
  }
  return false;
}

}  // namespace sealcam::attacks
