// SPDX-License-Identifier: Apache-2.0
/// The scene for tests of the hub side: one hub, its owner and one camera. The test is the broker.
#pragma once

#include <algorithm>
#include <stdexcept>

#include "base/testing/fakes.hpp"
#include "support/fake_mqtt_client.hpp"
#include "support/hub_stores.hpp"
#include "support/stream_builder.hpp"
#include "watch/watcher.hpp"

namespace sealcam::test {

using protocol::Counter;
using protocol::Epoch;
using protocol::FrameKind;
using protocol::Leaf;
using protocol::RosterVersion;
using watch::CameraState;
using watch::RejectReason;

class RecordingSink final : public watch::PictureSink {
 public:
  struct Shown {
    DeviceId camera;
    watch::PictureInfo picture;
    Bytes unit;
  };
  std::vector<Shown> shown;
  std::vector<watch::CameraStatus> states;

  void on_picture(const DeviceId& camera, const watch::PictureInfo& picture, ByteView unit) override {
    shown.push_back({camera, picture, Bytes(unit.begin(), unit.end())});
  }
  void on_state(const watch::CameraStatus& camera) override { states.push_back(camera); }
  /// Number of pictures that were shown as LIVE.
  [[nodiscard]] std::size_t live() const {
    return static_cast<std::size_t>(
        std::ranges::count(shown, CameraState::live, [](const Shown& s) { return s.picture.state; }));
  }
};

/// The stores outlive a restart of the hub.
class HubScene {
 public:
  Actor owner, camera, hub;
  protocol::Route route = route_of(owner, camera);
  StreamBuilder builder{route, camera};
  FakeClock clock;
  MemoryLog log;
  FakeMqttClient client{FakeMqttClient::Answers::at_once};
  RecordingSink sink;
  MemoryHubRosterStore rosters;
  MemorySequenceStore sequence;
  MemoryMaxEpochStore max_epochs;
  MemoryPrekeyStore prekeys;
  InlineChecker checker;
  watch::PictureRule rule;
  watch::FrameSink* frames = nullptr;  ///< set it before restart()
  std::unique_ptr<watch::Watcher> watcher;
  std::optional<protocol::Roster> newest_roster;  ///< the last delivered one

  HubScene() : HubScene(Actor(), Actor(), Actor()) {}
  explicit HubScene(watch::PictureRule rule_of_pictures) : HubScene(Actor(), Actor(), Actor(), rule_of_pictures) {}
  HubScene(Actor of_owner, Actor of_camera, Actor of_hub, watch::PictureRule rule_of_pictures = nullptr)
      : owner(std::move(of_owner)), camera(std::move(of_camera)), hub(std::move(of_hub)), rule(rule_of_pictures) {
    client.is_connected = true;
    restart();
  }

  void restart() {
    watcher.reset();
    sink = {};
    watcher = must(watch::Watcher::create(owner.identity(), hub.keys(), dependencies()));
    watcher->start(client);
    watcher->on_connected();
    watcher->set_watched(true, {});
  }
  [[nodiscard]] watch::WatcherDependencies dependencies() {
    return {checker, rosters, sequence, max_epochs, &prekeys, clock, log, sink, rule, frames};
  }
  void deliver(Leaf leaf, ByteView payload, bool retained = false) { deliver(route, leaf, payload, retained); }
  void deliver(const protocol::Route& to, Leaf leaf, ByteView payload, bool retained = false) {
    const auto topic = protocol::topic(to, leaf);
    watcher->on_message({topic, payload, retained});
  }
  void video(const Stream& stream) {
    for (const auto& message : stream.messages) deliver(Leaf::video, message);
  }
  [[nodiscard]] protocol::Roster roster(std::uint64_t version = 1) const { return roster_of(camera, version, {&hub}); }
  void deliver_roster(const protocol::Roster& roster) {
    newest_roster = roster;
    deliver(Leaf::roster, must(protocol::encode_roster(roster, route, owner.keys().identity)));
  }
  /// Delivers a roster, and the grants of a new epoch. The epoch is a candidate then.
  [[nodiscard]] TestEpoch join(std::uint64_t epoch = 100) {
    if (!watcher->camera(camera.id())) deliver_roster(roster());
    auto made = builder.make_epoch(epoch);
    deliver(Leaf::grants, builder.grants(made, *newest_roster));
    return made;
  }
  /// All view requests that the hub sent, in order.
  [[nodiscard]] std::vector<protocol::ViewRequest> requests() const {
    std::vector<protocol::ViewRequest> all;
    const auto verifier = hub.verifier();
    for (const auto& sent : client.sent)
      if (const auto request = protocol::decode_view_request(sent.payload, route, verifier)) all.push_back(*request);
    return all;
  }
  /// The newest request that the hub sent for this epoch.
  [[nodiscard]] protocol::ViewRequest request(protocol::Epoch epoch) const {
    const auto verifier = hub.verifier();
    for (auto it = client.sent.rbegin(); it != client.sent.rend(); ++it)
      if (const auto request = protocol::decode_view_request(it->payload, route, verifier);
          request && request->epoch == epoch)
        return *request;
    throw std::runtime_error("the hub sent no request for this epoch");
  }
  [[nodiscard]] protocol::Challenge challenge(const TestEpoch& epoch) const { return request(epoch.epoch).challenge; }
  [[nodiscard]] watch::CameraStatus status() const { return watcher->camera(camera.id()).value(); }
  [[nodiscard]] std::uint64_t rejected(RejectReason why) const { return watcher->rejected()[why]; }
  void advance(std::chrono::milliseconds time) {
    clock.advance(time);
    watcher->tick();
  }
};

}  // namespace sealcam::test
