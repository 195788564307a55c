// SPDX-License-Identifier: Apache-2.0
/// One hub, its owner and its cameras in one process; the broker is the test itself.
#pragma once

#include <algorithm>
#include <map>

#include "core/log.hpp"
#include "support/stream_builder.hpp"
#include "watch/inline_checker.hpp"
#include "watch/watcher.hpp"

namespace sealcam::test {

using protocol::FrameKind;
using protocol::Leaf;
using watch::CameraState;
using watch::Refusal;

/// Keeps what a hub publishes.
class RecordingClient final : public transport::MqttClient {
 public:
  struct Sent {
    std::string topic;
    Bytes payload;
  };
  std::vector<Sent> sent;
  std::vector<std::string> filters;
  bool is_connected = true;

 private:
  void do_publish(const transport::Publication& p, PublishHandler done) override {
    sent.push_back({std::string(p.topic), Bytes(p.payload.begin(), p.payload.end())});
    done({});
  }
  void do_subscribe(std::string_view filter, transport::Qos) override { filters.emplace_back(filter); }
  void do_unsubscribe(std::string_view) override {}
  bool do_connected() const override { return is_connected; }
  std::size_t do_in_flight() const override { return 0; }
  std::size_t do_unsent_bytes() const override { return 0; }
};

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
  [[nodiscard]] std::size_t live() const {
    return static_cast<std::size_t>(
        std::ranges::count(shown, CameraState::live, [](const Shown& s) { return s.picture.state; }));
  }
};

class MemoryRosterStore final : public watch::RosterStore {
 public:
  std::map<DeviceId, Bytes> messages;
  bool broken = false;

 private:
  Result<std::vector<watch::StoredRoster>> do_load() const override {
    std::vector<watch::StoredRoster> all;
    for (const auto& [camera, message] : messages) all.push_back({camera, message});
    return all;
  }
  Result<> do_save(const DeviceId& camera, ByteView message) override {
    if (broken) return fail(Errc::io, "test");
    messages.insert_or_assign(camera, Bytes(message.begin(), message.end()));
    return {};
  }
};

class MemorySequenceStore final : public watch::SequenceStore {
 public:
  std::uint64_t free = 1;
  int reservations = 0;

 private:
  Result<AskSeq> do_reserve(std::uint64_t count) override {
    ++reservations;
    const AskSeq first(free);
    free += count;
    return first;
  }
};

/// A hub that keeps its stores when it is restarted.
class HubWorld {
 public:
  Actor owner, camera, hub;
  protocol::Route route = route_of(owner, camera);
  StreamBuilder builder{route, camera};
  FakeClock clock;
  MemoryLog log;
  RecordingClient client;
  RecordingSink sink;
  MemoryRosterStore rosters;
  MemorySequenceStore sequence;
  watch::InlineChecker checker;
  std::unique_ptr<watch::Watcher> watcher;

  HubWorld() { restart(); }

  void restart() {
    watcher.reset();
    sink = {};
    watcher =
        must(watch::Watcher::create(owner.identity(), hub.keys(), {checker, rosters, sequence, clock, log, sink}));
    watcher->start(client);
    watcher->on_connected();
    watcher->want(true, {});
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
    deliver(Leaf::roster, must(protocol::encode_roster(roster, route, owner.keys().identity)));
  }
  /// Roster and grants of a new epoch. The epoch is a candidate then.
  [[nodiscard]] TestEpoch join(std::uint64_t epoch = 100) {
    if (!watcher->camera(camera.id())) deliver_roster(roster());
    auto made = builder.make_epoch(epoch);
    deliver(Leaf::grants, builder.grants(made, roster()));
    return made;
  }
  /// The newest ask that the hub sent for this epoch.
  [[nodiscard]] protocol::Ask ask(Epoch epoch) const {
    const auto verifier = hub.verifier();
    for (auto it = client.sent.rbegin(); it != client.sent.rend(); ++it)
      if (const auto ask = protocol::decode_ask(it->payload, route, verifier); ask && ask->epoch == epoch) return *ask;
    throw std::runtime_error("the hub did not ask");
  }
  [[nodiscard]] protocol::Challenge challenge(const TestEpoch& epoch) const { return ask(epoch.epoch).challenge; }
  [[nodiscard]] watch::CameraStatus status() const { return watcher->camera(camera.id()).value(); }
  [[nodiscard]] std::uint64_t refused(Refusal why) const { return watcher->refused()[why]; }
  void advance(std::chrono::milliseconds time) {
    clock.advance(time);
    watcher->tick();
  }
};

}  // namespace sealcam::test
