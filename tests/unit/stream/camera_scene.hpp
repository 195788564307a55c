// SPDX-License-Identifier: Apache-2.0
/// A camera's network side with everything around it faked, and a hub just clever enough to check it.
#pragma once

#include <set>

#include "protocol/frame.hpp"
#include "stream/publisher.hpp"
#include "support/actors.hpp"
#include "unit/stream/fakes.hpp"
#include "unit/stream/gop.hpp"

namespace sealcam::test {

struct CameraScene {
  FakeClock clock;
  MemoryLog log;
  Actor owner, camera, hub, second, stranger;
  protocol::Route route = route_of(owner, camera);
  MemoryRosterStore roster_store;
  MemoryEpochStore epoch_store;
  stream::AccessUnitQueue queue;
  stream::ChallengeBoard board;
  stream::CaptureControl control{stream::Quality{}};
  stream::RosterKeeper roster_keeper{roster_store, route, owner.verifier(), camera.keys()};
  stream::Epochs epochs{epoch_store, clock, route, camera.keys().identity, "garden"};
  stream::AskKeeper asks{route, clock};
  MemoryCommandStore command_store;
  MemoryPrivacyStore privacy_store;
  FakeActions actions;
  stream::CommandKeeper commands{command_store, route, owner.verifier(), camera.keys().hpke};
  stream::Privacy privacy{privacy_store, control};
  stream::Orders orders{{clock, log, commands, actions, privacy, epochs}};
  ManualClient client;
  stream::Publisher publisher{
      {.route = route, .pace = {}},
      {clock, log, queue, board, control, roster_keeper, epochs, asks, camera.keys().identity, &orders}};
  std::uint64_t seq = 0;
  std::uint32_t number = 0;

  explicit CameraScene(bool with_roster = true) {
    publisher.attach(client);
    if (with_roster) roster_store.content = roster(1, {&hub, &second});
  }

  [[nodiscard]] Bytes roster(std::uint64_t version, std::initializer_list<const Actor*> hubs) const {
    return must(protocol::encode_roster(roster_of(camera, version, hubs), route, owner.keys().identity));
  }
  void connect() {
    client.is_connected = true;
    publisher.on_connected();
  }
  /// Started, connected, epoch open.
  void run() {
    must(privacy.load());
    must(publisher.start());
    connect();
    client.settle();
  }
  void receive(std::string_view topic, ByteView payload, bool retained = false) {
    publisher.on_message({topic, payload, retained});
  }
  void receive_roster(ByteView payload) { receive(protocol::topic(route, protocol::Leaf::roster), payload, true); }
  [[nodiscard]] Bytes sealed(const protocol::Command& command) const {
    return must(protocol::encode_command(command, route, camera.hpke(), owner.keys().identity));
  }
  void receive_command(ByteView payload) { receive(protocol::topic(route, protocol::Leaf::command), payload, true); }
  [[nodiscard]] Bytes ask(const Actor& by, protocol::Want want, std::optional<Epoch> epoch = std::nullopt) {
    ++seq;
    const protocol::Ask content{want, protocol::Challenge(seq), epoch.value_or(epochs.current().value_or(Epoch(1))),
                                AskSeq(seq)};
    return must(protocol::encode_ask(content, route, by.keys().identity));
  }
  void receive_ask(const Actor& by, protocol::Want want = protocol::Want::live) {
    receive(protocol::ask_topic(route, by.id()), ask(by, want));
  }
  /// What the capture thread does, a picture each 33 ms.
  void capture(std::string_view letters, std::size_t size = 500) {
    for (const char letter : letters) {
      clock.advance(std::chrono::milliseconds(33));
      const Bytes unit(size, static_cast<std::byte>(number));
      const MonotonicTime taken = clock.monotonic();
      queue.push(unit, {FrameNumber(number++), taken, board.pick(taken), {64, 48}, letter == 'I'});
      publisher.frames_ready();
    }
  }

  struct Seen {
    std::string leaf;
    protocol::FrameKind kind;
    Epoch epoch;
    Counter counter;
    protocol::FrameHeader header;
    Bytes content;
  };
  /// Opens every frame that was published so far with `by`'s grants, in order; leaves out what does not open.
  [[nodiscard]] std::vector<Seen> seen_by(const Actor& by) const {
    std::map<Epoch, crypto::sframe::OpeningKey> keys;
    const protocol::FrameOpener opener(route);
    const auto verifier = camera.verifier();
    std::vector<Seen> seen;
    for (const auto& sent : client.sent) {
      if (sent.topic.ends_with("/grants")) take_key(sent.payload, by, keys);
      if (!sent.topic.ends_with("/video") && !sent.topic.ends_with("/still")) continue;
      const auto frame = must(protocol::parse_frame(sent.payload));
      must(opener.verify(frame, verifier));
      const auto key = keys.find(frame.epoch);
      if (key == keys.end()) continue;
      Bytes out(frame.sealed.size());
      const auto opened = opener.open(out, frame, key->second);
      if (!opened) continue;
      seen.push_back({sent.topic.substr(sent.topic.rfind('/') + 1), frame.kind, frame.epoch, frame.counter,
                      opened->header, Bytes(opened->content.begin(), opened->content.end())});
    }
    return seen;
  }
  void take_key(ByteView message, const Actor& by, std::map<Epoch, crypto::sframe::OpeningKey>& keys) const {
    const auto grants = must(protocol::decode_grants(message, route, camera.verifier()));
    const auto content = protocol::open_grant(grants, route, by.id(), by.keys().hpke);
    if (content)
      keys.insert_or_assign(grants.epoch,
                            must(crypto::sframe::OpeningKey::open(grants.suite, grants.epoch, content->base_key)));
  }
  /// Frames on `video` of kind key or delta.
  [[nodiscard]] std::vector<Seen> video_of(const Actor& by) const {
    auto seen = seen_by(by);
    std::erase_if(seen, [](const Seen& s) { return s.leaf != "video" || s.kind == protocol::FrameKind::report; });
    return seen;
  }
  /// No counter of any epoch was used twice, over everything that was published.
  [[nodiscard]] bool counters_unique() const {
    std::set<std::pair<Epoch, Counter>> used;
    for (const auto& sent : client.sent) {
      if (!sent.topic.ends_with("/video") && !sent.topic.ends_with("/still")) continue;
      const auto frame = must(protocol::parse_frame(sent.payload));
      if (!used.emplace(frame.epoch, frame.counter).second) return false;
    }
    return true;
  }
};

}  // namespace sealcam::test
