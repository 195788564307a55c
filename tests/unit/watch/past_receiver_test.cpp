// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "support/hub_scene.hpp"
#include "watch/frame_sink.hpp"

namespace sealcam::watch {
namespace {

using namespace test;
using namespace std::chrono_literals;
using protocol::PastRange;
using protocol::RequestKind;

class Collector final : public FrameSink {
 public:
  std::size_t frames = 0;
  std::vector<Bytes> past;
  std::vector<std::shared_ptr<const device::RecordedEpoch>> epochs;
  std::vector<PastRange> listed, gaps;
  std::size_t lists = 0;

  void on_frame(const std::shared_ptr<const device::RecordedEpoch>&, const FrameCheck&, bool) override { ++frames; }
  void on_end(const DeviceId&, End) override {}
  void on_past_listed(const DeviceId&, const std::vector<PastRange>& ranges) override {
    listed = ranges;
    ++lists;
  }
  void on_past_frame(const std::shared_ptr<const device::RecordedEpoch>& epoch, const FrameCheck& frame) override {
    epochs.push_back(epoch);
    past.push_back(frame.message);
  }
  std::vector<PastRange> past_gaps(const DeviceId&) override { return gaps; }
};

/// A hub that records, and that watches the epoch after the one without a broker.
struct PastHub : HubScene {
  Collector collector;
  TestEpoch old, current;
  Stream kept;  ///< key frame and deltas of `old`

  PastHub() : old(builder.make_epoch(1ULL << 32)), current(builder.make_epoch(2ULL << 32)) {
    frames = &collector;
    restart();
    deliver_roster(roster());
    kept = builder.gop(old, "IPPPP");
    deliver(Leaf::grants, builder.grants(current, *newest_roster));
    video(builder.gop(current, "IP", challenge(current)));
  }
  void report(std::vector<PastRange> ranges) {
    deliver(Leaf::video,
            builder.frame(current, FrameKind::report,
                          {.echo = challenge(current), .report = {{}, {}, {}, false, {}, true, std::move(ranges)}}));
  }
  /// The camera lists frames, and the hub requests them.
  void list(const std::vector<PastRange>& ranges) {
    report(ranges);
    collector.gaps = ranges;
    for (int i = 0; i < 9 && requested() != ranges; ++i) advance(1s);
  }
  void list_all() { list({{old.epoch, Counter(0), Counter(4)}}); }
  void deliver_kept() {
    deliver(Leaf::past, builder.grants(old, *newest_roster));
    for (const auto& message : kept.messages) deliver(Leaf::past, message);
    watcher->drain();
  }
  /// The connection ends after this time, and comes back.
  void reconnect(std::chrono::milliseconds after) {
    for (auto left = after; left > 0ms; left -= 100ms) advance(100ms);
    watcher->on_disconnected({Errc::connection, 0, "the broker closed the connection"});
    watcher->on_connected();
  }
  [[nodiscard]] bool subscribed() const {
    return std::ranges::contains(client.filters, protocol::topic(route, Leaf::past));
  }
  [[nodiscard]] auto sent() const {
    return std::ranges::count(requests(), RequestKind::past, &protocol::ViewRequest::kind);
  }
  [[nodiscard]] std::vector<PastRange> requested() const {
    for (auto all = requests(); !all.empty(); all.pop_back())
      if (all.back().kind == RequestKind::past) return all.back().past;
    return {};
  }
};

TEST_CASE("frames that a report listed reach the recorder as they are, with what opens them, and are never shown") {
  PastHub s;
  CHECK_FALSE(s.subscribed());
  s.list_all();
  CHECK(s.subscribed());
  CHECK(s.collector.listed == std::vector<PastRange>{{s.old.epoch, Counter(0), Counter(4)}});
  const auto shown = s.sink.shown.size();
  const auto live = s.sink.live();
  s.deliver_kept();
  CHECK(s.collector.past == s.kept.messages);
  REQUIRE(!s.collector.epochs.empty());
  CHECK(s.collector.epochs[0]->epoch == s.old.epoch);
  CHECK(equal(s.collector.epochs[0]->base_key.reveal().first<16>(), s.old.content.base_key.reveal().first<16>()));
  CHECK(protocol::decode_roster(s.collector.epochs[0]->roster, s.route, s.owner.verifier()));
  CHECK(s.sink.shown.size() == shown);
  CHECK(s.sink.live() == live);
  CHECK(s.status().epoch == s.current.epoch);
  CHECK(s.watcher->rejected().total() == 0);
}

TEST_CASE("an echo in a kept frame has no effect") {
  PastHub s;
  s.advance(30s);
  CHECK(s.status().state != CameraState::live);
  s.list({{s.old.epoch, Counter(5), Counter(6)}});
  s.kept = s.builder.gop(s.old, "IP", s.challenge(s.current));
  s.deliver_kept();
  CHECK(s.collector.past == s.kept.messages);
  CHECK(s.status().state != CameraState::live);
  CHECK(s.status().epoch == s.current.epoch);
  // Control: a frame of the current epoch with this echo is LIVE.
  s.video(s.builder.gop(s.current, "I", s.challenge(s.current)));
  s.watcher->drain();
  CHECK(s.status().state == CameraState::live);
}

TEST_CASE("frames that the hub did not request are rejected, also if the camera lists them") {
  PastHub s;
  s.deliver_kept();
  CHECK(s.collector.past.empty());
  CHECK(s.rejected(RejectReason::closed_epoch) == 5);
  s.list({{s.old.epoch, Counter(1), Counter(2)}});
  s.advance(1s);
  s.deliver_kept();
  CHECK(s.collector.past.size() == 2);
  CHECK(s.rejected(RejectReason::closed_epoch) == 8);
}

TEST_CASE("a list counts only if a report of the current epoch echoes a challenge of this hub") {
  PastHub s;
  s.deliver(Leaf::video,
            s.builder.frame(s.current, FrameKind::report,
                            {.report = {{}, {}, {}, false, {}, true, {{s.old.epoch, Counter(0), Counter(4)}}}}));
  s.advance(1s);
  CHECK(s.collector.listed.empty());
  s.deliver_kept();
  CHECK(s.collector.past.empty());
  s.list_all();  // control
  CHECK_FALSE(s.collector.listed.empty());
}

TEST_CASE("forged frames and frames of another camera are rejected, and a kept report reaches the recorder") {
  PastHub s;
  s.list_all();
  s.deliver(Leaf::past, s.builder.grants(s.old, *s.newest_roster));
  const Actor other;
  StreamBuilder forger(s.route, other);
  s.deliver(Leaf::past, forger.frame(s.old, FrameKind::key, {}));
  CHECK(s.rejected(RejectReason::wrong_account) == 1);
  auto altered = s.kept;
  altered.flip_bit(0).flip_bit(1, 0);
  s.deliver(Leaf::past, altered.messages[0]);
  s.deliver(Leaf::past, altered.messages[1]);
  s.watcher->drain();
  CHECK(s.rejected(RejectReason::bad_signature) == 2);
  auto again = s.builder.make_epoch(s.old.epoch.value());  // another key
  s.deliver(Leaf::past, s.builder.frame(again, FrameKind::key, {}));
  s.watcher->drain();
  CHECK(s.rejected(RejectReason::not_decryptable) == 1);
  s.list({{s.old.epoch, Counter(0), Counter(9)}});
  s.deliver(Leaf::past, s.builder.frame(s.old, FrameKind::report, {}));
  s.watcher->drain();
  CHECK(s.collector.past.size() == 1);
  for (const auto& message : s.kept.messages) s.deliver(Leaf::past, message);  // control
  s.watcher->drain();
  CHECK(s.collector.past.size() == 6);
}

TEST_CASE("a removed hub gets nothing from the topic") {
  PastHub s;
  s.list_all();
  s.deliver_roster(roster_of(s.camera, 2, {&s.owner}));
  s.deliver_kept();
  CHECK(s.collector.past.empty());
  CHECK(s.rejected(RejectReason::not_member) > 0);
}

TEST_CASE("the hub requests its gaps from the current epoch every two seconds, and less often without an answer") {
  PastHub s;
  s.list_all();
  const auto first = s.sent();
  CHECK(first == 1);
  CHECK(s.requested() == s.collector.gaps);
  for (int i = 0; i < 30; ++i) s.advance(1s);
  CHECK(s.sent() - first >= 3);
  CHECK(s.sent() - first <= 6);
  for (std::uint64_t i = 1; i < 4; ++i) {
    s.collector.gaps = {{s.old.epoch, Counter(i), Counter(4)}};
    const auto before = s.sent();
    for (int second = 0; second < 9 && s.sent() == before; ++second) s.advance(1s);
    CHECK(s.requested() == s.collector.gaps);
  }
  s.collector.gaps.clear();
  s.advance(10s);
  const auto before = s.sent();
  for (int i = 0; i < 30; ++i) s.advance(1s);
  CHECK(s.sent() == before);
}

TEST_CASE("a hub that records the camera sends a request for no frame in each epoch, and each minute without a list") {
  PastHub s;
  for (int i = 0; i < 10; ++i) s.advance(1s);
  CHECK(s.sent() == 0);  // control: it does not record the camera
  s.watcher->set_recorded({{s.camera.id(), RequestKind::record}});
  s.advance(1s);
  CHECK(s.sent() == 1);
  CHECK(s.requested() == std::vector<PastRange>{{Epoch(0), Counter(0), Counter(0)}});
  for (int i = 0; i < 59; ++i) s.advance(1s);
  CHECK(s.sent() == 1);
  for (int i = 0; i < 3; ++i) s.advance(1s);
  CHECK(s.sent() == 2);
  s.report({{s.old.epoch, Counter(0), Counter(4)}});
  for (int i = 0; i < 100; ++i) s.advance(1s);
  CHECK(s.sent() == 2);
  s.deliver_kept();
  CHECK(s.collector.past.empty());  // the request named no frame
  auto next = s.builder.make_epoch(3ULL << 32);
  s.deliver(Leaf::grants, s.builder.grants(next, *s.newest_roster));
  s.advance(1s);
  s.video(s.builder.gop(next, "I", s.challenge(next)));
  s.watcher->drain();
  s.advance(1s);
  CHECK(s.sent() == 3);
}

TEST_CASE("if the broker ends the connection at the subscription twice, the hub makes a pause, and then tries once") {
  PastHub s;
  s.list_all();
  REQUIRE(s.subscribed());
  s.reconnect(10s);  // no rejection
  s.reconnect(1s);
  CHECK(s.subscribed());
  CHECK_FALSE(s.log.contains("topic 'past'"));
  s.reconnect(1s);
  CHECK_FALSE(s.subscribed());
  CHECK(s.log.contains("topic 'past'"));
  const auto before = s.sent();
  for (int i = 0; i < 29; ++i) s.advance(1min);
  CHECK_FALSE(s.subscribed());
  CHECK(s.sent() == before);
  s.advance(61s);
  REQUIRE(s.subscribed());
  s.reconnect(1s);
  CHECK_FALSE(s.subscribed());
  for (int i = 0; i < 31; ++i) s.advance(1min);
  CHECK(s.subscribed());  // the access list is new
  CHECK(s.sent() > before);
}

TEST_CASE("an epoch that the hub cannot open does not keep it from the others, until the list ends") {
  PastHub s;
  auto closed = s.builder.make_epoch((1ULL << 32) - 1);
  const Actor other;
  s.list({{closed.epoch, Counter(0), Counter(9)}, {s.old.epoch, Counter(0), Counter(4)}});
  s.deliver(Leaf::past, s.builder.grants(closed, roster_of(s.camera, 1, {&other})));
  for (int i = 0; i < 9; ++i) s.advance(1s);
  CHECK(s.requested() == std::vector<PastRange>{{s.old.epoch, Counter(0), Counter(4)}});
  s.report({{s.old.epoch, Counter(0), Counter(4)}});
  s.advance(1s);
  s.list({{closed.epoch, Counter(0), Counter(9)}, {s.old.epoch, Counter(0), Counter(4)}});
  CHECK(s.requested() == s.collector.gaps);
}

TEST_CASE("gaps of an epoch that the hub cannot open do not fill its requests") {
  PastHub s;
  auto closed = s.builder.make_epoch((1ULL << 32) - 1);
  const PastRange openable{s.old.epoch, Counter(0), Counter(4)};
  std::vector<PastRange> all;
  for (std::uint64_t i = 0; i < PastRange::max - 1; ++i) all.push_back({closed.epoch, Counter(2 * i), Counter(2 * i)});
  all.push_back(openable);
  s.list(all);
  CHECK(s.collector.listed == all);
  const Actor other;
  s.deliver(Leaf::past, s.builder.grants(closed, roster_of(s.camera, 1, {&other})));
  for (int i = 0; i < 6; ++i) s.advance(1s);
  CHECK(s.collector.listed == std::vector<PastRange>{openable});
}

TEST_CASE("the hub keeps the keys of the epochs in its newest request only") {
  PastHub s;
  s.list_all();
  s.deliver(Leaf::past, s.builder.grants(s.old, *s.newest_roster));
  auto other = s.builder.make_epoch((1ULL << 32) + 1);
  s.list({{other.epoch, Counter(0), Counter(4)}});
  s.list_all();
  s.deliver(Leaf::past, s.kept.messages[0]);
  s.watcher->drain();
  CHECK(s.collector.past.empty());
  CHECK(s.watcher->rejected().total() == 1);
  s.clock.advance(1s);
  s.deliver_kept();  // with the grants
  CHECK(s.collector.past == s.kept.messages);
}

TEST_CASE("a camera that changes its list with each report causes one list in 5 s, and the same list none") {
  PastHub s;
  for (std::uint64_t i = 0; i < 100; ++i) {
    s.report({{s.old.epoch, Counter(0), Counter(i)}});
    s.advance(100ms);
  }
  CHECK(s.collector.lists >= 2);
  CHECK(s.collector.lists <= 3);
  for (int i = 0; i < 6; ++i) s.advance(1s);
  CHECK(s.collector.listed == std::vector<PastRange>{{s.old.epoch, Counter(0), Counter(99)}});
  const auto before = s.collector.lists;
  for (int i = 0; i < 10; ++i) {
    s.report({{s.old.epoch, Counter(0), Counter(99)}});
    s.advance(1s);
  }
  CHECK(s.collector.lists == before);
  s.advance(PastReceiver::repeat_interval);  // the recorder may have been off
  CHECK(s.collector.lists == before + 1);
}

TEST_CASE("a hub that does not record neither subscribes to the topic nor accepts its messages") {
  HubScene s;
  auto epoch = s.join();
  s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
  const auto topic = protocol::topic(s.route, Leaf::past);
  CHECK_FALSE(std::ranges::contains(s.client.filters, topic));
  s.deliver(Leaf::past, s.builder.frame(epoch, FrameKind::key, {}));
  CHECK(s.rejected(RejectReason::closed_epoch) == 1);
  PastHub recording;  // control
  recording.list_all();
  CHECK(std::ranges::contains(recording.client.filters, protocol::topic(recording.route, Leaf::past)));
}

}  // namespace
}  // namespace sealcam::watch
