// SPDX-License-Identifier: Apache-2.0
/// The scene for tests of the camera side: a camera's network side, and hubs that open its frames.
#pragma once

#include <map>
#include <set>

#include "base/testing/fakes.hpp"
#include "protocol/frame.hpp"
#include "protocol/status.hpp"
#include "support/camera_stores.hpp"
#include "support/fake_mqtt_client.hpp"

namespace sealcam::test {

/// The parts of a scene that must exist before the camera's code.
struct CameraSurroundings {
  FakeClock clock;
  MemoryLog log;
  Actor owner, camera, hub, second, stranger;
  protocol::Route route = route_of(owner, camera);
  CameraStores stores{camera};
};

struct CameraScene : CameraSurroundings, CameraRun {
  FakeMqttClient client;
  std::uint64_t seq = 0;
  std::uint32_t number = 0;
  bool motion = false;      ///< of the next pictures
  std::uint32_t areas = 0;  ///< the same

  /// With a roster, `hub` and `second` may watch.
  explicit CameraScene(bool with_roster = true, const stream::PreRollLimits& preroll = {},
                       device::PastStore* past = nullptr)
      : CameraRun(clock, log, owner, camera, stores,
                  {.publisher = {.route = route, .rate = {}, .preroll = preroll}, .past = past}) {
    publisher.attach(client);
    if (with_roster) stores.roster.content = roster(1, {&hub, &second});
  }

  [[nodiscard]] Bytes roster(std::uint64_t version, std::initializer_list<const Actor*> hubs) const {
    return must(protocol::encode_roster(roster_of(camera, version, hubs), route, owner.keys().identity));
  }
  void connect() {
    client.is_connected = true;
    publisher.on_connected();
  }
  /// Starts and connects the camera. The epoch is open then.
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
  [[nodiscard]] Bytes request(const Actor& by, protocol::RequestKind kind,
                              std::optional<protocol::Epoch> epoch = std::nullopt) {
    ++seq;
    protocol::ViewRequest content{kind, protocol::Challenge(seq), epoch.value_or(epochs.current().value_or(Epoch(1))),
                                  RequestSeq(seq)};
    if (kind == protocol::RequestKind::privacy_off) content.nonce = protocol::Nonce(seq);
    return must(protocol::encode_view_request(content, route, by.keys().identity));
  }
  void receive_request(const Actor& by, protocol::RequestKind kind = protocol::RequestKind::live) {
    receive(protocol::request_topic(route, by.id()), request(by, kind));
  }
  /// A live request with other fields.
  [[nodiscard]] Bytes request_with(const Actor& by, const std::function<void(protocol::ViewRequest&)>& change) {
    ++seq;
    protocol::ViewRequest content{protocol::RequestKind::live, protocol::Challenge(seq),
                                  epochs.current().value_or(Epoch(1)), RequestSeq(seq)};
    change(content);
    return must(protocol::encode_view_request(content, route, by.keys().identity));
  }
  void receive_request_with(const Actor& by, const std::function<void(protocol::ViewRequest&)>& change) {
    receive(protocol::request_topic(route, by.id()), request_with(by, change));
  }
  /// Requests a nonce, and returns the one in the camera's report. Zero if there is none.
  [[nodiscard]] protocol::Nonce nonce_for(const Actor& by) {
    receive_request(by, protocol::RequestKind::nonce);
    client.settle();
    const auto seen = seen_by(by);
    if (seen.empty() || seen.back().kind != protocol::FrameKind::report) return {};
    if (!seen.back().header.echoes.contains(protocol::Challenge(seq))) return {};
    return must(protocol::decode_report(seen.back().content)).nonce.value_or(protocol::Nonce());
  }
  [[nodiscard]] Bytes privacy_off(const Actor& by, protocol::Nonce nonce) {
    return request_with(by, [&](protocol::ViewRequest& r) {
      r.kind = protocol::RequestKind::privacy_off;
      r.nonce = nonce;
    });
  }
  /// What a hub does to open the sensor.
  void receive_privacy_off(const Actor& by) {
    const auto nonce = nonce_for(by);
    clock.advance(std::chrono::seconds(1));
    receive(protocol::request_topic(route, by.id()),
            privacy_off(by, nonce == protocol::Nonce() ? protocol::Nonce(1) : nonce));
  }
  /// Does the work of the capture thread: one picture per letter, 33 ms apart. I is a key frame, P a delta.
  void capture(std::string_view letters, std::size_t size = 500) {
    for (const char letter : letters) {
      clock.advance(std::chrono::milliseconds(33));
      const Bytes unit(size, static_cast<std::byte>(number));
      const MonotonicTime captured = clock.monotonic();
      queue.push(unit,
                 {FrameNumber(number++), captured, challenges.pick(captured), {64, 48}, letter == 'I', motion, areas});
      publisher.frames_ready();
    }
  }

  [[nodiscard]] protocol::Grants grants() const {
    return must(protocol::decode_grants(epochs.grants(), route, camera.verifier()));
  }
  [[nodiscard]] protocol::Grants last_grants() const {
    return must(protocol::decode_grants(client.on("/grants").back()->payload, route, camera.verifier()));
  }
  [[nodiscard]] protocol::Status last_status() const {
    return must(protocol::decode_status(client.on("/status").back()->payload, route, camera.verifier()));
  }

  struct Seen {
    std::string leaf;
    protocol::FrameKind kind;
    protocol::Epoch epoch;
    protocol::Counter counter;
    protocol::FrameHeader header;
    Bytes content;
  };
  /// Opens all published frames with the grants of `by`, in order. Skips frames that do not open.
  [[nodiscard]] std::vector<Seen> seen_by(const Actor& by) const {
    std::map<protocol::Epoch, crypto::sframe::OpeningKey> keys;
    const protocol::FrameOpener opener(route);
    const auto verifier = camera.verifier();
    std::vector<Seen> seen;
    for (const auto& sent : client.sent) {
      if (sent.topic.ends_with("/grants")) add_key(sent.payload, by, keys);
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
  /// The key and delta frames on `video`.
  [[nodiscard]] std::vector<Seen> video_of(const Actor& by) const {
    auto seen = seen_by(by);
    std::erase_if(seen, [](const Seen& s) { return s.leaf != "video" || s.kind == protocol::FrameKind::report; });
    return seen;
  }
  /// True if no published frame uses a counter of its epoch for the second time.
  [[nodiscard]] bool counters_unique() const {
    std::set<std::pair<protocol::Epoch, protocol::Counter>> used;
    for (const auto& sent : client.sent) {
      if (!sent.topic.ends_with("/video") && !sent.topic.ends_with("/still")) continue;
      const auto frame = must(protocol::parse_frame(sent.payload));
      if (!used.emplace(frame.epoch, frame.counter).second) return false;
    }
    return true;
  }

 private:
  void add_key(ByteView message, const Actor& by, std::map<Epoch, crypto::sframe::OpeningKey>& keys) const {
    const auto granted = must(protocol::decode_grants(message, route, camera.verifier()));
    const auto content = protocol::open_grant(granted, route, by.id(), by.keys().hpke);
    if (content)
      keys.insert_or_assign(granted.epoch,
                            must(crypto::sframe::OpeningKey::open(granted.suite, granted.epoch, content->base_key)));
  }
};

}  // namespace sealcam::test
