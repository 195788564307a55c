// SPDX-License-Identifier: Apache-2.0
// The hub finds cameras by the owner's index, and subscribes to exact topics.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "protocol/roster.hpp"
#include "support/hub_scene.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;

namespace {

struct DiscoveryScene : HubScene {
  Actor second;

  [[nodiscard]] Bytes index(std::uint64_t version, std::vector<DeviceId> cameras) const {
    return index_by(owner, hub.id(), version, std::move(cameras));
  }
  [[nodiscard]] Bytes index_by(const Actor& signer, const DeviceId& of, std::uint64_t version,
                               std::vector<DeviceId> cameras) const {
    return must(protocol::encode_index({protocol::IndexVersion(version), std::move(cameras)}, owner.account(), of,
                                       signer.keys().identity));
  }
  void deliver_index(ByteView message) { deliver_index(message, hub.id()); }
  void deliver_index(ByteView message, const DeviceId& of) {
    const auto topic = protocol::index_topic(owner.account(), of);
    watcher->on_message({topic, message, true});
  }
  /// The cameras whose five topics are all subscribed. Fails if only some of them are.
  [[nodiscard]] std::set<DeviceId> subscribed() const {
    std::map<DeviceId, int> leaves;
    for (const auto& filter : client.filters)
      if (const auto topic = protocol::parse_topic(filter); topic && topic->leaf != Leaf::index)
        ++leaves[topic->route.camera];
    std::set<DeviceId> all;
    for (const auto& [id, count] : leaves) {
      CHECK(count == 5);
      all.insert(id);
    }
    return all;
  }
  using Ids = std::set<DeviceId>;
};

}  // namespace

TEST_CASE("a new hub subscribes to its own index only, without wildcards") {
  DiscoveryScene s;
  CHECK(s.client.filters == std::vector{protocol::index_topic(s.owner.account(), s.hub.id())});
}

TEST_CASE("a hub without cameras reports a missing index once after each connection, with the next step") {
  DiscoveryScene s;
  const auto reports = [&] {
    return std::ranges::count_if(s.log.lines(), [](const std::string& line) {
      return line.contains("no list of cameras for this hub") && line.contains("sealcam sync");
    });
  };
  s.advance(9s);
  CHECK(reports() == 0);
  SECTION("the index arrives") {
    s.deliver_index(s.index(1, {}));
    s.advance(60s);
    CHECK(reports() == 0);
  }
  SECTION("a stored or received roster makes the index unnecessary") {
    s.deliver_roster(s.roster());
    s.advance(60s);
    CHECK(reports() == 0);
  }
  SECTION("disconnected") {
    s.watcher->on_disconnected({Errc::connection, 0, "test"});
    s.advance(60s);
    CHECK(reports() == 0);
  }
  SECTION("the broker lost it") {
    s.advance(2s);
    s.advance(60s);
    CHECK(reports() == 1);
    s.watcher->on_connected();
    s.advance(11s);
    CHECK(reports() == 2);
  }
}

TEST_CASE("the hub subscribes to the exact topics of each camera in its index, and follows changes") {
  DiscoveryScene s;
  s.deliver_index(s.index(1, {}));
  CHECK(s.subscribed().empty());
  s.deliver_index(s.index(2, {s.camera.id()}));
  CHECK(s.subscribed() == DiscoveryScene::Ids{s.camera.id()});
  s.deliver_index(s.index(3, {s.camera.id(), s.second.id()}));
  CHECK(s.subscribed() == DiscoveryScene::Ids{s.camera.id(), s.second.id()});
  s.deliver_index(s.index(4, {s.second.id()}));
  CHECK(s.subscribed() == DiscoveryScene::Ids{s.second.id()});
  for (const auto& filter : s.client.filters) CHECK_FALSE(filter.contains('+'));
  for (const auto& filter : s.client.filters) CHECK_FALSE(filter.contains('#'));
}

TEST_CASE("no index hides a camera whose stored roster lists the hub, until a roster removes the hub") {
  DiscoveryScene s;
  s.deliver_index(s.index(1, {s.camera.id()}));
  s.deliver_roster(s.roster(1));
  s.deliver_index(s.index(2, {}));
  CHECK(s.subscribed() == DiscoveryScene::Ids{s.camera.id()});
  SECTION("a restart, and the broker withholds the index") {
    s.client.filters.clear();
    s.restart();
    CHECK(s.subscribed() == DiscoveryScene::Ids{s.camera.id()});
  }
  SECTION("a suspended hub remains subscribed") {
    auto roster = s.roster(2);
    roster.hubs[0].integration = protocol::Integration(7);
    roster.suspended = {protocol::Integration(7)};
    s.deliver_roster(roster);
    CHECK(s.subscribed() == DiscoveryScene::Ids{s.camera.id()});
  }
  SECTION("the roster removes the hub") {
    const Actor other;
    s.deliver_roster(roster_of(s.camera, 2, {&other}));
    CHECK(s.subscribed().empty());
    s.client.filters.clear();
    s.restart();
    CHECK(s.subscribed().empty());
  }
}

TEST_CASE("old, forged and other hubs' indexes change nothing") {
  DiscoveryScene s;
  s.deliver_index(s.index(5, {s.camera.id()}));
  const auto rejected = [&](RejectReason why) { return s.watcher->rejected_control()[why]; };
  s.deliver_index(s.index(4, {s.second.id()}));
  CHECK(rejected(RejectReason::out_of_order) == 1);
  s.deliver_index(s.index_by(s.second, s.hub.id(), 6, {s.second.id()}));
  CHECK(rejected(RejectReason::wrong_account) == 1);
  auto damaged = s.index(6, {s.second.id()});
  damaged.back() ^= std::byte{1};
  s.deliver_index(damaged);
  CHECK(rejected(RejectReason::bad_signature) == 1);
  const auto others = s.index_by(s.owner, s.second.id(), 6, {s.second.id()});
  s.deliver_index(others, s.second.id());
  CHECK(rejected(RejectReason::not_member) == 1);
  s.deliver_index(others);
  CHECK(rejected(RejectReason::bad_signature) == 2);
  s.deliver_index({});
  s.deliver_index(s.index(5, {s.second.id()}));
  CHECK(s.log.contains("two lists of cameras have the same version"));
  CHECK(s.subscribed() == DiscoveryScene::Ids{s.camera.id()});
  s.deliver_index(s.index(6, {s.second.id()}));  // control
  CHECK(s.subscribed() == DiscoveryScene::Ids{s.second.id()});
}

TEST_CASE("an index grants nothing: without a roster, the hub shows and requests nothing") {
  DiscoveryScene s;
  s.deliver_index(s.index(1, {s.camera.id()}));
  auto epoch = s.builder.make_epoch(100);
  s.deliver(Leaf::grants, s.builder.grants(epoch, s.roster()));
  s.video(s.builder.gop(epoch, "IP"));
  s.advance(std::chrono::seconds(3));
  CHECK(s.watcher->cameras().empty());
  CHECK(s.requests().empty());
  s.deliver_roster(s.roster());  // control
  CHECK(s.requests().size() == 1);
}
