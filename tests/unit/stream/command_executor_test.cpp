// SPDX-License-Identifier: Apache-2.0
#include "stream/publish/command_executor.hpp"

#include <catch2/catch_test_macros.hpp>

#include "protocol/status.hpp"
#include "support/camera_scene.hpp"

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

struct RunningCamera : CameraScene {
  RunningCamera() { run(); }
  [[nodiscard]] std::string last_name() const {
    return must(protocol::open_grant(last_grants(), route, hub.id(), hub.keys().hpke)).camera_name;
  }
};

const std::vector<std::string> all_done = {"settings", "name kitchen", "wifi nnn"};

}  // namespace

TEST_CASE("the camera applies all items of a command, and a new epoch reports it") {
  RunningCamera s;
  CHECK(std::ranges::contains(s.client.filters, protocol::topic(s.route, protocol::Leaf::command)));
  CHECK_FALSE(s.last_grants().command);
  s.receive_command(s.sealed(everything(5)));
  s.client.settle();
  CHECK(s.stores.actions.done == all_done);
  CHECK(s.control.closed());
  CHECK(s.control.quality().bitrate == BitsPerSecond(700'000));
  CHECK(s.publisher.rate().quality().bitrate == BitsPerSecond(700'000));
  CHECK(s.publisher.counters().epochs == 2);
  CHECK(s.last_grants().command == CommandSeq(5));
  CHECK(s.last_name() == "kitchen");
  CHECK(s.last_status().privacy);
}

TEST_CASE("a command that arrives again, or an older one, changes nothing") {
  RunningCamera s;
  const auto older = s.sealed(everything(4));
  const auto message = s.sealed(everything(5));
  s.receive_command(message);
  s.receive_command(message);
  s.receive_command({});
  s.receive_command(older);
  CHECK(s.stores.actions.done == all_done);
  CHECK(s.publisher.counters().epochs == 2);
  CHECK(s.executor.rejected() == 1);
}

TEST_CASE("the camera checks at most four commands a second") {
  RunningCamera s;
  for (std::uint64_t i = 1; i <= 6; ++i) s.receive_command(s.sealed(everything(i)));
  CHECK(s.executor.rejected() == 2);
  CHECK(s.commands.applied() == CommandSeq(4));
}

TEST_CASE("a failed command is tried again, and an epoch reports it after it was applied") {
  RunningCamera s;
  s.stores.actions.broken = true;
  s.receive_command(s.sealed(everything(5)));
  CHECK(s.publisher.counters().epochs == 1);
  CHECK_FALSE(s.commands.applied());
  s.stores.actions.broken = false;
  s.publisher.tick();
  CHECK_FALSE(s.commands.applied());  // before the end of the pause
  s.clock.advance(1s);
  s.publisher.tick();
  s.client.settle();
  CHECK(s.stores.actions.done == all_done);
  CHECK(s.last_grants().command == CommandSeq(5));
}

TEST_CASE("the next start applies a command that a power cut interrupted") {
  CameraScene s;
  must(s.commands.offer(s.sealed(everything(5))));
  must(s.commands.store());
  CommandValidator after(s.stores.commands, s.route, s.owner.verifier(), s.camera.keys().hpke);
  CommandExecutor restarted({s.clock, s.log, after, s.stores.actions, s.privacy, s.epochs});
  must(s.privacy.load());
  const auto change = must(restarted.load());
  CHECK(change.applied);
  CHECK(change.privacy);
  CHECK(s.stores.actions.done == all_done);
  CHECK(s.privacy.on());
  CHECK(s.stores.commands.content->done == CommandSeq(5));
}

TEST_CASE("the first grants after a start report the applied command") {
  CameraScene s;
  must(s.commands.offer(s.sealed(everything(5))));
  must(s.commands.store());
  s.run();
  const auto grants = s.last_grants();
  CHECK(grants.command == CommandSeq(5));
  CHECK(s.publisher.counters().epochs == 1);
}

TEST_CASE("a reset publishes the deregistration notice, stops the camera, and stays pending until it is done") {
  RunningCamera s;
  auto command = everything(6);
  command.reset = {CommandSeq(6), {}};
  s.receive_command(s.sealed(command));
  CHECK(s.publisher.reset_requested());
  CHECK_FALSE(s.publisher.stopped());
  s.client.settle();
  CHECK(s.publisher.stopped());
  const auto notice = s.last_status();
  CHECK_FALSE(notice.online);
  CHECK(notice.reset);
  CHECK_FALSE(must(protocol::decode_status(must(s.publisher.will()).payload, s.route, s.camera.verifier())).reset);
  CHECK(s.stores.actions.done.empty());
  CHECK_FALSE(s.epochs.is_open());

  CommandValidator after(s.stores.commands, s.route, s.owner.verifier(), s.camera.keys().hpke);
  CommandExecutor restarted({s.clock, s.log, after, s.stores.actions, s.privacy, s.epochs});
  CHECK(must(restarted.load()).reset);
}

TEST_CASE("a reset that is pending at the start is done before anything else") {
  CameraScene s;
  must(s.commands.offer(s.sealed(reset(2))));
  must(s.commands.store());
  must(s.publisher.start());
  CHECK(s.publisher.reset_requested());
  CHECK(s.publisher.stopped());
  CHECK(s.publisher.counters().epochs == 0);
}

TEST_CASE("a command on a topic of another camera is ignored") {
  RunningCamera s;
  const protocol::Route other{s.owner.account(), s.stranger.id()};
  s.receive(protocol::topic(other, protocol::Leaf::command), s.sealed(reset(1)), true);
  CHECK_FALSE(s.publisher.reset_requested());
  CHECK(s.publisher.counters().unexpected_topics == 1);
}

TEST_CASE("privacy-on takes effect before the command is stored, and every other item waits") {
  RunningCamera s;
  s.stores.commands.writes_left = 0;
  s.stores.privacy.broken = true;
  s.receive_command(s.sealed(everything(5)));
  CHECK(s.control.closed());
  CHECK(s.stores.actions.done.empty());
  CHECK_FALSE(s.publisher.stored());
  CHECK(s.log.contains("cannot store the command"));
  s.publisher.tick();
  s.client.settle();
  CHECK(s.last_status().privacy);
  CHECK_FALSE(s.last_grants().command);
  s.stores.commands.writes_left = -1;
  s.stores.privacy.broken = false;
  s.clock.advance(1s);
  s.publisher.tick();
  s.client.settle();
  CHECK(s.stores.actions.done == all_done);
  CHECK(s.stores.privacy.content);
  CHECK(s.publisher.stored());
  CHECK(s.last_grants().command == CommandSeq(5));
}

TEST_CASE("privacy-on does not wait for another item of its command that fails") {
  RunningCamera s;
  s.stores.actions.broken = true;
  s.receive_command(s.sealed(everything(5)));
  CHECK(s.control.closed());
  CHECK(s.stores.privacy.content);
  CHECK(s.stores.actions.done.empty());
  s.client.settle();
  CHECK(s.last_status().privacy);
  CHECK_FALSE(s.last_grants().command);
}

TEST_CASE("the sensor does not open without the settings of the same command, which may be masks") {
  RunningCamera s;
  must(s.privacy.set(true));
  auto command = everything(5);
  command.privacy = {CommandSeq(5), false};
  s.stores.actions.broken = true;
  s.receive_command(s.sealed(command));
  CHECK(s.control.closed());
  s.stores.actions.broken = false;
  s.clock.advance(60s);
  s.publisher.tick();
  CHECK_FALSE(s.control.closed());
  CHECK(s.stores.actions.done == all_done);
}

TEST_CASE("privacy-off waits until the command is stored") {
  RunningCamera s;
  must(s.privacy.set(true));
  Command open;
  open.seq = CommandSeq(5);
  open.privacy = {CommandSeq(5), false};
  s.stores.commands.writes_left = 0;
  s.receive_command(s.sealed(open));
  CHECK(s.control.closed());
  s.stores.commands.writes_left = -1;
  s.clock.advance(1s);
  s.publisher.tick();
  CHECK_FALSE(s.control.closed());
}

TEST_CASE("a reset waits until the command is stored, because a camera must not return after its notice") {
  RunningCamera s;
  s.stores.commands.writes_left = 0;
  s.receive_command(s.sealed(reset(2)));
  s.clock.advance(10s);
  s.publisher.tick();
  CHECK_FALSE(s.publisher.reset_requested());
  s.stores.commands.writes_left = -1;
  s.clock.advance(10s);
  s.publisher.tick();
  CHECK(s.publisher.reset_requested());
}
