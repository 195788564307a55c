// SPDX-License-Identifier: Apache-2.0
#include "attacks/sides.hpp"

#include "device/stores.hpp"
#include "support/live_bytes.hpp"

namespace sealcam::attacks {

using namespace std::chrono_literals;
using test::must;
using test::UnderTest;

CameraSide::CameraSide(const Ground& ground, const test::Actor& owner, const test::Actor& actor, std::uint16_t number)
    : ground_(ground), owner_(owner), actor_(actor), route_(test::route_of(owner, actor)), number_(number) {}

CameraSide::Run::Run(CameraSide& side)
    : CameraRun(side.ground_.clock, side.ground_.log, side.owner_, side.actor_, side.stores_,
                {.publisher = {.route = side.route_, .rate = {}},
                 .queue = {.slots = 64, .bytes = 1U << 20, .max_unit = 256U << 10}}),
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
  run_ = std::make_unique<Run>(*this);
  run_->client->connect();
}

void CameraSide::capture(std::size_t size) {
  if (!run_) return;
  const auto number = pictures_++;
  if (!run_->control.active()) return;
  const bool requested = run_->control.take_keyframe_request() | run_->queue.take_keyframe_request();
  const bool key = requested || in_group_ == 0;
  in_group_ = key ? 1 : (in_group_ + 1) % group;
  const auto now = ground_.clock.monotonic();
  ++serial_;
  const auto unit = draw({number_, serial_, key ? 0 : reference_, now}, size);
  const UnderTest counted;
  if (run_->queue.push(unit, {FrameNumber(number), now, run_->challenges.pick(now), {64, 48}, key}))
    reference_ = serial_;
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
    checker_ = std::make_unique<test::InlineChecker>();
    watcher_ = must(watch::Watcher::create(
        owner_.identity(), actor_.keys(),
        {*checker_, rosters_, sequence_, epochs_, &prekeys_, ground_.hub_clock, ground_.log, screen_}));
  }
  client_ = std::make_unique<Broker::Client>(ground_.broker, *watcher_);
  {
    const UnderTest counted;
    watcher_->start(*client_);
    watcher_->set_watched(true, {});
  }
  client_->connect();
}

void HubSide::tick() {
  if (!watcher_ || asleep_) return;
  {
    const UnderTest counted;
    watcher_->tick();
  }
  look();
}

void HubSide::sleep() noexcept {
  asleep_ = true;
  client_->sleep();
}

void HubSide::wake() {
  asleep_ = false;
  look();  // before any message and any tick
  client_->wake();
  look();
}

void HubSide::look() {
  for (const auto& camera : watcher_->cameras())
    if (camera.state == watch::CameraState::live) screen_.look(camera.id);
}

}  // namespace sealcam::attacks
