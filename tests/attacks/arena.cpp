// SPDX-License-Identifier: Apache-2.0
#include "attacks/arena.hpp"

#include "protocol/frame.hpp"
#include "protocol/roster.hpp"

namespace sealcam::attacks {

using namespace std::chrono_literals;
using test::must;

std::string text(const protocol::Topic& topic) {
  if (topic.leaf == Leaf::request) return protocol::request_topic(topic.route, topic.hub);
  if (topic.leaf == Leaf::index) return protocol::index_topic(topic.route.account, topic.hub);
  return protocol::topic(topic.route, topic.leaf);
}

bool is_frame(Leaf leaf) noexcept { return leaf == Leaf::video || leaf == Leaf::still; }

Home::Home(const Ground& ground, std::size_t cameras, std::size_t hubs, std::uint16_t first_number) : ground_(ground) {
  for (std::size_t i = 0; i < hubs; ++i) members_.push_back(std::make_unique<Actor>());
  hub_ = std::make_unique<HubSide>(ground, owner_, *members_.front());
  for (std::size_t i = 0; i < cameras; ++i)
    adopt(*own_cameras_.emplace_back(std::make_unique<Actor>()), static_cast<std::uint16_t>(first_number + i));
}

void Home::adopt(const Actor& camera, std::uint16_t number) {
  cameras_.push_back(std::make_unique<CameraSide>(ground_, owner_, camera, number));
  hub_->screen().expect(camera.id(), number);
  publish_index();
}

void Home::publish_index() {
  protocol::CameraIndex index{protocol::IndexVersion(++index_version_), {}};
  for (const auto& camera : cameras_) index.cameras.push_back(camera->id());
  for (const auto& member : members_) {
    const auto hub = member->id();
    ground_.broker.publish({protocol::index_topic(owner_.account(), hub),
                            must(protocol::encode_index(index, owner_.account(), hub, owner_.keys().identity)), true,
                            0s});
  }
}

Bytes Home::roster(std::size_t camera, std::uint64_t version, const std::set<std::size_t>& without) const {
  auto roster = test::roster_of(cameras_.at(camera)->actor(), version, {});
  for (std::size_t i = 0; i < members_.size(); ++i)
    if (!without.contains(i)) roster.hubs.push_back(members_[i]->as_hub());
  return must(protocol::encode_roster(roster, cameras_.at(camera)->route(), owner_.keys().identity));
}

void Home::publish_roster(std::size_t camera, const std::set<std::size_t>& without) {
  const Packet packet{protocol::topic(cameras_.at(camera)->route(), Leaf::roster),
                      roster(camera, next_version(), without), true, 0s};
  if (!ground_.broker.intercept || ground_.broker.intercept(packet)) ground_.broker.publish(packet);
}

Arena::Arena(const ArenaOptions& options) : home(ground, options.cameras, options.hubs, 100), options_(options) {
  if (options.neighbor) neighbor = std::make_unique<Home>(ground, 1, 1, std::uint16_t{200});
  broker.intercept = [this](const Packet& packet) { return intercept(packet); };
  seen.reserve(4096);
  for (Home* h : {&home, neighbor.get()}) {
    if (h == nullptr) continue;
    for (std::size_t i = 0; i < h->cameras().size(); ++i) {
      h->publish_roster(i);
      h->camera(i).restart();
    }
    h->hub().restart();
  }
  settle();
}

bool Arena::intercept(const Packet& packet) {
  const auto topic = protocol::parse_topic(packet.topic);
  if (!topic) return true;
  const Seen now{clock.monotonic(), packet, *topic};
  if (recording) seen.push_back(now);
  if (passes && !passes(now)) return false;
  const auto later = delay ? delay(now) : 0ms;
  if (later <= 0ms) return true;
  delayed_.push_back({clock.monotonic() + later, packet});
  return false;
}

void Arena::stop_attack() {
  passes = nullptr;
  delay = nullptr;
  delayed_.clear();
  recording = false;
}

void Arena::to_hub(const protocol::Topic& topic, ByteView payload, bool retained) {
  home.hub().client().deliver({text(topic), Bytes(payload.begin(), payload.end()), false, 0s}, retained);
}

void Arena::to_hub(Leaf leaf, ByteView payload, bool retained) {
  to_hub({home.camera().route(), leaf, {}}, payload, retained);
}

void Arena::to_camera(const protocol::Topic& topic, ByteView payload, std::size_t camera) {
  home.camera(camera).client().deliver({text(topic), Bytes(payload.begin(), payload.end()), false, 0s});
}

Seen Arena::newest(Leaf leaf, std::optional<FrameKind> kind) {
  for (auto it = seen.rbegin(); it != seen.rend(); ++it) {
    if (it->topic.leaf != leaf || it->topic.route != home.camera().route()) continue;
    if (!kind) return *it;
    if (const auto view = protocol::parse_frame(it->packet.payload); view && view->kind == *kind) return *it;
  }
  throw std::runtime_error("no such message was recorded");
}

void Arena::settle() { broker.settle(); }

void Arena::run(std::chrono::milliseconds duration) {
  (void)run_until([] { return false; }, duration);
}

void Arena::hub_sleeps(std::chrono::milliseconds duration) {
  home.hub().sleep();
  for (const auto& hub : more_hubs) hub->sleep();
  hub_asleep_ = true;
  run(duration);
  hub_asleep_ = false;
  home.hub().wake();
  for (const auto& hub : more_hubs) hub->wake();
}

bool Arena::run_until(const std::function<bool()>& done, std::chrono::milliseconds timeout) {
  for (auto left = timeout; left > 0ms; left -= step) {
    if (done()) return true;
    clock.advance(step);
    if (hub_asleep_) hub_clock.suspend(step);
    else hub_clock.advance(step);
    since_picture_ += step;
    const bool picture = since_picture_ >= options_.picture_every;
    if (picture) since_picture_ = 0ms;
    for (; !delayed_.empty() && delayed_.front().due <= clock.monotonic(); delayed_.pop_front())
      broker.publish(delayed_.front().packet);
    for (Home* h : {&home, neighbor.get()}) {
      if (h == nullptr) continue;
      for (auto& camera : h->cameras()) {
        if (picture) camera->capture(options_.picture_size);
        camera->tick();
      }
      settle();
      h->hub().tick();
    }
    for (const auto& hub : more_hubs) hub->tick();
    settle();
    if (every_step) every_step();
  }
  return done();
}

}  // namespace sealcam::attacks
