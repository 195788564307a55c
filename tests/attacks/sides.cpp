// SPDX-License-Identifier: Apache-2.0
#include "attacks/sides.hpp"

#include "support/live_bytes.hpp"

namespace sealcam::attacks {

using namespace std::chrono_literals;
using test::must;
using test::OutsideTest;
using test::UnderTest;

Result<> CameraRosterMemory::do_store(ByteView message) {
  const OutsideTest uncounted;
  content_.assign(message.begin(), message.end());
  return {};
}

Result<> CommandMemory::do_store(const stream::CommandRecord& record) {
  const OutsideTest uncounted;
  record_ = record;
  return {};
}

Result<std::vector<watch::StoredRoster>> HubRosterMemory::do_load() const {
  std::vector<watch::StoredRoster> all;
  for (const auto& [camera, message] : messages_) all.push_back({camera, message});
  return all;
}

Result<> HubRosterMemory::do_save(const DeviceId& camera, ByteView message) {
  const OutsideTest uncounted;
  messages_.insert_or_assign(camera, Bytes(message.begin(), message.end()));
  return {};
}

CameraSide::CameraSide(const Ground& ground, const test::Actor& owner, const test::Actor& actor, std::uint16_t number)
    : ground_(ground), owner_(owner), actor_(actor), route_(test::route_of(owner, actor)), number_(number) {}

CameraSide::Run::Run(CameraSide& side, const crypto::Verifier& owner)
    : roster(side.rosters_, side.route_, must(crypto::Verifier::open(owner.key())), side.actor_.keys()),
      epochs(side.epochs_, side.ground_.clock, side.route_, side.actor_.keys().identity, "garden"),
      asks(side.route_, side.ground_.clock),
      commands(side.commands_, side.route_, must(crypto::Verifier::open(owner.key())), side.actor_.keys().hpke),
      privacy(side.privacy_, control),
      orders({side.ground_.clock, side.ground_.log, commands, side.actions_, privacy, epochs}),
      publisher({.route = side.route_, .pace = {}}, {side.ground_.clock, side.ground_.log, queue, board, control,
                                                     roster, epochs, asks, side.actor_.keys().identity, &orders}),
      client(std::make_unique<Broker::Client>(side.ground_.broker, publisher)) {
  publisher.attach(*client);
  must(privacy.load());
  must(publisher.start());
}

void CameraSide::restart() {
  run_.reset();
  pictures_ = 0;
  in_group_ = 0;
  const UnderTest counted;
  run_ = std::make_unique<Run>(*this, owner_.verifier());
  run_->client->connect();
}

void CameraSide::capture(std::size_t size) {
  if (!run_) return;
  const auto number = pictures_++;
  if (!run_->control.active()) return;
  const bool wanted = run_->control.take_keyframe_request() | run_->queue.take_keyframe_request();
  const bool key = wanted || keyframes_only || in_group_ == 0;
  in_group_ = key ? 1 : (in_group_ + 1) % group;
  const auto now = ground_.clock.monotonic();
  ++serial_;
  const auto unit = draw({number_, serial_, key ? 0 : reference_, now}, size);
  const UnderTest counted;
  if (run_->queue.push(unit, {FrameNumber(number), now, run_->board.pick(now), {64, 48}, key})) reference_ = serial_;
  run_->publisher.frames_ready();
}

void CameraSide::tick() {
  if (!run_) return;
  const UnderTest counted;
  run_->publisher.tick();
}

HubSide::HubSide(const Ground& ground, const test::Actor& owner, const test::Actor& actor)
    : ground_(ground), owner_(owner), actor_(actor), screen_(ground.clock) {}

void HubSide::restart() {
  client_.reset();
  watcher_.reset();
  screen_.restart();
  {
    const UnderTest counted;
    checker_ = std::make_unique<watch::InlineChecker>();
    watcher_ = must(watch::Watcher::create(owner_.identity(), actor_.keys(),
                                           {*checker_, rosters_, sequence_, ground_.clock, ground_.log, screen_}));
  }
  client_ = std::make_unique<Broker::Client>(ground_.broker, *watcher_);
  {
    const UnderTest counted;
    watcher_->start(*client_);
    watcher_->want(true, {});
  }
  client_->connect();
}

void HubSide::tick() {
  if (!watcher_) return;
  {
    const UnderTest counted;
    watcher_->tick();
  }
  for (const auto& camera : watcher_->cameras())
    if (camera.state == watch::CameraState::live) screen_.look(camera.id);
}

}  // namespace sealcam::attacks
