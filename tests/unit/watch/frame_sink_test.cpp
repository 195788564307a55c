// SPDX-License-Identifier: Apache-2.0
#include "watch/camera_watch.hpp"

#include <catch2/catch_test_macros.hpp>

#include "support/hub_scene.hpp"

namespace sealcam::watch {
namespace {

using namespace test;

class Collector final : public FrameSink {
 public:
  struct Frame {
    std::shared_ptr<const device::RecordedEpoch> epoch;
    Bytes message;
    bool playable;
  };
  std::vector<Frame> frames;
  std::vector<End> ends;

  void on_frame(const std::shared_ptr<const device::RecordedEpoch>& epoch, const FrameCheck& frame,
                bool playable) override {
    frames.push_back({epoch, frame.message, playable});
  }
  void on_end(const DeviceId&, End why) override { ends.push_back(why); }
};

struct RecordingHub : HubScene {
  Collector collector;
  RecordingHub() {
    frames = &collector;
    restart();
  }
};

TEST_CASE("the sink receives accepted frames of the current epoch as they arrived, with what opens them") {
  RecordingHub scene;
  auto epoch = scene.join();
  auto before = scene.builder.gop(epoch, "IP");
  scene.video(before);  // no echo yet: the epoch may be old
  CHECK(scene.collector.frames.empty());
  auto stream = scene.builder.gop(epoch, "RIPP", scene.challenge(epoch));
  scene.video(stream);
  REQUIRE(scene.collector.frames.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(scene.collector.frames[i].message == stream.messages[i]);
    CHECK(scene.collector.frames[i].playable == (i != 0));
    CHECK(scene.collector.frames[i].epoch == scene.collector.frames[0].epoch);
  }
  const auto& recorded = *scene.collector.frames[0].epoch;
  CHECK(recorded.epoch == epoch.epoch);
  CHECK(equal(recorded.base_key.reveal().first<16>(), epoch.content.base_key.reveal().first<16>()));  // suite 4
  CHECK(recorded.owner == scene.owner.identity());
  CHECK(recorded.camera_name == "camera 100");
  CHECK(protocol::decode_roster(recorded.roster, scene.route, scene.owner.verifier()));
  CHECK(protocol::decode_grants(recorded.grants, scene.route, scene.camera.verifier())->epoch == epoch.epoch);
}

TEST_CASE("rejected frames do not reach the sink, and frames in a wrong order are not playable") {
  RecordingHub scene;
  auto epoch = scene.join();
  auto stream = scene.builder.gop(epoch, "IPPP", scene.challenge(epoch));
  auto altered = stream;
  altered.flip_bit(1);
  scene.deliver(Leaf::video, stream.messages[0]);
  scene.deliver(Leaf::video, altered.messages[1]);
  scene.deliver(Leaf::video, stream.messages[0]);  // replayed
  CHECK(scene.collector.frames.size() == 1);
  scene.deliver(Leaf::video, stream.messages[3]);  // waits for a key frame in the live view
  REQUIRE(scene.collector.frames.size() == 2);
  CHECK(scene.collector.frames[1].playable);
  auto key = scene.builder.gop(epoch, "I", scene.challenge(epoch));
  scene.video(key);
  scene.deliver(Leaf::video, stream.messages[2]);  // older than the newest picture
  REQUIRE(scene.collector.frames.size() == 4);
  CHECK(scene.collector.frames[2].playable);
  CHECK_FALSE(scene.collector.frames[3].playable);
}

TEST_CASE("the sink is told when a roster removes the hub, and gets nothing more") {
  RecordingHub scene;
  auto epoch = scene.join();
  scene.video(scene.builder.gop(epoch, "I", scene.challenge(epoch)));
  REQUIRE(scene.collector.frames.size() == 1);
  const Actor other;
  scene.deliver_roster(roster_of(scene.camera, 2, {&other}));
  CHECK(scene.collector.ends == std::vector{FrameSink::End::removed});
  scene.video(scene.builder.gop(epoch, "I"));
  CHECK(scene.collector.frames.size() == 1);
}

TEST_CASE("a suspension is told as a suspension, because the owner may end it") {
  RecordingHub scene;
  auto epoch = scene.join();
  scene.video(scene.builder.gop(epoch, "I", scene.challenge(epoch)));
  auto roster = roster_of(scene.camera, 2, {&scene.hub});
  roster.hubs[0].integration = protocol::Integration(7);
  roster.suspended = {protocol::Integration(7)};
  scene.deliver_roster(roster);
  CHECK(scene.collector.ends == std::vector{FrameSink::End::suspended});
}

TEST_CASE("control: without a sink, the hub keeps no base key") {
  HubScene scene;
  auto epoch = scene.join();
  scene.video(scene.builder.gop(epoch, "I", scene.challenge(epoch)));
  const auto grants = must(
      protocol::decode_grants(scene.builder.grants(epoch, *scene.newest_roster), scene.route, scene.camera.verifier()));
  CHECK_FALSE(must(open_epoch(grants, scene.route, scene.hub.keys(), nullptr, {}, false)).recorded);
  CHECK(must(open_epoch(grants, scene.route, scene.hub.keys(), nullptr, {}, true)).recorded);
}

}  // namespace
}  // namespace sealcam::watch
