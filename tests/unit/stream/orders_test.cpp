// SPDX-License-Identifier: Apache-2.0
/// What a camera does with a command.
#include "stream/orders.hpp"

#include <catch2/catch_test_macros.hpp>

#include "protocol/status.hpp"
#include "unit/stream/camera_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;
using protocol::Command;

namespace {

Command everything(std::uint64_t seq) {
  Command command;
  const CommandSeq since(seq);
  command.seq = since;
  command.name = {since, "kitchen"};
  command.privacy = {since, true};
  command.settings = {since, {.bitrate = BitsPerSecond(700'000), .size = {}, .frames_per_second = {}}};
  command.wifi = {since,
                  {.ssid = Bytes(3, std::byte{'n'}), .passphrase = must(protocol::Passphrase::parse("12345678"))}};
  return command;
}

Command reset(std::uint64_t seq) {
  Command command;
  command.seq = CommandSeq(seq);
  command.reset = {CommandSeq(seq), {}};
  return command;
}

struct Scene : CameraScene {
  Scene() { run(); }
  [[nodiscard]] protocol::Grants last_grants() const {
    return must(protocol::decode_grants(client.on("/grants").back()->payload, route, camera.verifier()));
  }
  [[nodiscard]] std::string last_name() const {
    return must(protocol::open_grant(last_grants(), route, hub.id(), hub.keys().hpke)).camera_name;
  }
};

const std::vector<std::string> all_done = {"name kitchen", "settings", "wifi nnn"};

}  // namespace

TEST_CASE("a command is obeyed whole, and a new epoch says so") {
  Scene s;
  CHECK(std::ranges::contains(s.client.filters, protocol::topic(s.route, protocol::Leaf::command)));
  CHECK_FALSE(s.last_grants().command);
  s.receive_command(s.sealed(everything(5)));
  s.client.settle();
  CHECK(s.actions.done == all_done);
  CHECK(s.control.closed());
  CHECK(s.control.quality().bitrate == BitsPerSecond(700'000));
  CHECK(s.publisher.pace().quality().bitrate == BitsPerSecond(700'000));
  CHECK(s.publisher.counters().epochs == 2);
  CHECK(s.last_grants().command == CommandSeq(5));
  CHECK(s.last_name() == "kitchen");
  CHECK(must(protocol::decode_status(s.client.on("/status").back()->payload, s.route, s.camera.verifier())).privacy);
}

TEST_CASE("the retained command that comes again, or an older one, changes nothing") {
  Scene s;
  const auto older = s.sealed(everything(4));
  const auto message = s.sealed(everything(5));
  s.receive_command(message);
  s.receive_command(message);
  s.receive_command({});
  s.receive_command(older);
  CHECK(s.actions.done == all_done);
  CHECK(s.publisher.counters().epochs == 2);
  CHECK(s.orders.refused() == 1);
}

TEST_CASE("commands that come too fast are not opened") {
  Scene s;
  for (std::uint64_t i = 1; i <= 6; ++i) s.receive_command(s.sealed(everything(i)));
  CHECK(s.orders.refused() == 2);
  CHECK(s.commands.obeyed() == CommandSeq(4));
}

TEST_CASE("what fails is tried again, and only then an epoch says that it was obeyed") {
  Scene s;
  s.actions.broken = true;
  s.receive_command(s.sealed(everything(5)));
  CHECK(s.publisher.counters().epochs == 1);
  CHECK_FALSE(s.commands.obeyed());
  s.actions.broken = false;
  s.publisher.tick();
  CHECK_FALSE(s.commands.obeyed());  // not yet time
  s.clock.advance(1s);
  s.publisher.tick();
  s.client.settle();
  CHECK(s.actions.done == all_done);
  CHECK(s.last_grants().command == CommandSeq(5));
}

TEST_CASE("a command that a power cut interrupted is obeyed at the next start") {
  CameraScene s;
  must(s.commands.offer(s.sealed(everything(5))));
  CommandKeeper after(s.command_store, s.route, s.owner.verifier(), s.camera.keys().hpke);
  Orders orders({s.clock, s.log, after, s.actions, s.privacy, s.epochs});
  must(s.privacy.load());
  const auto change = must(orders.load());
  CHECK(change.obeyed);
  CHECK(change.privacy);
  CHECK(s.actions.done == all_done);
  CHECK(s.privacy.on());
  CHECK(s.command_store.content->done == CommandSeq(5));
}

TEST_CASE("at a start the first grants say which command was obeyed") {
  CameraScene s;
  must(s.commands.offer(s.sealed(everything(5))));
  s.run();
  const auto grants =
      must(protocol::decode_grants(s.client.on("/grants").back()->payload, s.route, s.camera.verifier()));
  CHECK(grants.command == CommandSeq(5));
  CHECK(s.publisher.counters().epochs == 1);
}

TEST_CASE("a reset says offline, ends, and stays ordered until it is done") {
  Scene s;
  auto command = everything(6);
  command.reset = {CommandSeq(6), {}};
  s.receive_command(s.sealed(command));
  CHECK(s.publisher.reset_wanted());
  CHECK_FALSE(s.publisher.stopped());
  s.client.settle();
  CHECK(s.publisher.stopped());
  const auto goodbye =
      must(protocol::decode_status(s.client.on("/status").back()->payload, s.route, s.camera.verifier()));
  CHECK_FALSE(goodbye.online);
  CHECK(goodbye.reset);
  CHECK_FALSE(must(protocol::decode_status(must(s.publisher.will()).payload, s.route, s.camera.verifier())).reset);
  CHECK(s.actions.done.empty());
  CHECK_FALSE(s.epochs.is_open());

  CommandKeeper after(s.command_store, s.route, s.owner.verifier(), s.camera.keys().hpke);
  Orders orders({s.clock, s.log, after, s.actions, s.privacy, s.epochs});
  CHECK(must(orders.load()).reset);
}

TEST_CASE("a reset that was ordered before the start is done before anything else") {
  CameraScene s;
  must(s.commands.offer(s.sealed(reset(2))));
  must(s.publisher.start());
  CHECK(s.publisher.reset_wanted());
  CHECK(s.publisher.stopped());
  CHECK(s.publisher.counters().epochs == 0);
}

TEST_CASE("a command on a topic of another camera is not looked at") {
  Scene s;
  const protocol::Route other{s.owner.account(), s.stranger.id()};
  s.receive(protocol::topic(other, protocol::Leaf::command), s.sealed(reset(1)), true);
  CHECK_FALSE(s.publisher.reset_wanted());
  CHECK(s.publisher.counters().foreign == 1);
}
