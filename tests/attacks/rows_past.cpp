// SPDX-License-Identifier: Apache-2.0
// Attacks on the frames that a camera kept while it had no broker, and that a hub files afterwards.
#include "attacks/row.hpp"
#include "support/hub_scene.hpp"
#include "support/recording_scene.hpp"
#include "unit/stream/preroll_scene.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;
using protocol::FrameKind;
using protocol::PastRange;
using test::must;

void expect(Outcome& out, bool condition, const std::string& text) {
  if (!condition) out.deviations.push_back(text);
}

/// A hub that records, and counts what reaches its recorder from the topic `past`.
struct Filing final : watch::FrameSink {
  std::uint64_t filed = 0;
  std::vector<PastRange> gaps;
  void on_frame(const std::shared_ptr<const device::RecordedEpoch>&, const watch::FrameCheck&, bool) override {}
  void on_end(const DeviceId&, End) override {}
  void on_past_frame(const std::shared_ptr<const device::RecordedEpoch>&, const watch::FrameCheck&) override {
    ++filed;
  }
  [[nodiscard]] std::vector<PastRange> past_gaps(const DeviceId&) override { return gaps; }
};

struct FilingHub : test::HubScene {
  Filing filing;
  test::TestEpoch old, current;
  FilingHub() : old(builder.make_epoch(1ULL << 32)), current(builder.make_epoch(2ULL << 32)) {
    frames = &filing;
    restart();
    deliver_roster(roster());
    deliver(Leaf::grants, builder.grants(current, *newest_roster));
    video(builder.gop(current, "I", challenge(current)));
    watcher->drain();
  }
  void list(const PastRange& range) {
    deliver(Leaf::video, builder.frame(current, FrameKind::report,
                                       {.echo = challenge(current), .report = {{}, {}, {}, false, {}, true, {range}}}));
    watcher->drain();
    filing.gaps = {range};
    advance(10s);
  }
  void past(ByteView message) {
    deliver(Leaf::past, message);
    watcher->drain();
  }
};

Row old_frames() {
  Row row;
  row.name = "the broker delivers frames of a closed epoch on the topic past";
  row.rejected_as = "closed_epoch";
  row.control_is = "frames that the camera listed";
  row.n = 100;
  row.alone = [](const Row& self, Outcome& out) {
    FilingHub s;
    const auto grants = s.builder.grants(s.old, *s.newest_roster);
    const auto shown = s.sink.shown.size();
    const auto last = Counter(static_cast<std::uint64_t>(2 * self.n - 1));
    for (int i = 0; i < 2 * self.n; ++i) {
      const bool genuine = i >= self.n;
      if (i == self.n) {
        out.wrong = s.filing.filed;
        s.clock.advance(1s);
        s.list({s.old.epoch, Counter(static_cast<std::uint64_t>(self.n)), last});
        s.past(grants);
      }
      s.past(s.builder.frame(s.old, FrameKind::key, {.number = static_cast<std::uint32_t>(i)}));
      if (!genuine) ++out.messages;
    }
    out.rejected["closed_epoch"] = s.rejected(watch::RejectReason::closed_epoch);
    out.control = s.filing.filed;
    out.wrong += s.sink.shown.size() - shown;
    expect(out, out.rejected["closed_epoch"] == out.messages, "not all frames were rejected");
  };
  return row;
}

Row other_cameras() {
  Row row;
  row.name = "the broker delivers kept frames of another camera, of another account and with changed bits";
  row.rejected_as = "bad_signature";
  row.control_is = "kept frames of the camera";
  row.n = 60;
  row.alone = [](const Row& self, Outcome& out) {
    FilingHub s;
    s.list({s.old.epoch, Counter(0), Counter(static_cast<std::uint64_t>(self.n))});
    s.past(s.builder.grants(s.old, *s.newest_roster));
    const test::Actor other, owner;
    // The other camera uses the same epoch and base key, as if a hub of the account had given them away.
    test::StreamBuilder second({s.route.account, other.id()}, other), moved({owner.account(), s.camera.id()}, s.camera);
    auto of_second = s.builder.make_epoch(s.old.epoch.value()), of_moved = s.builder.make_epoch(s.old.epoch.value());
    for (; out.messages < static_cast<std::uint64_t>(self.n); ++out.messages) {
      if (out.messages % 3 == 0) s.past(second.frame(of_second, FrameKind::key, {}));
      if (out.messages % 3 == 1) s.past(moved.frame(of_moved, FrameKind::key, {}));
      if (out.messages % 3 != 2) continue;
      auto changed = s.builder.frame(s.old, FrameKind::key, {});
      changed[changed.size() - 70 - out.messages % 50] ^= std::byte{1};
      s.past(changed);
    }
    out.wrong = s.filing.filed;
    out.rejected["bad_signature"] = s.rejected(watch::RejectReason::bad_signature);
    out.rejected["wrong_account"] = s.rejected(watch::RejectReason::wrong_account);
    expect(out, out.rejected["bad_signature"] + out.rejected["wrong_account"] == out.messages,
           "not all frames were rejected");
    for (int i = 0; i < 5; ++i) s.past(s.builder.frame(s.old, FrameKind::key, {}));
    out.control = s.filing.filed;
  };
  return row;
}

Row repeated_frames() {
  Row row;
  row.name = "the broker repeats kept frames";
  row.rejected_as = "recorded before";
  row.control_is = "kept frames that are filed";
  row.n = 200;
  row.alone = [](const Row& self, Outcome& out) {
    test::RecordingScene s;
    auto stream = s.begin();
    std::vector<Bytes> messages;
    for (int i = 0; i < 20; ++i)
      messages.push_back(s.builder.frame(stream.keys, i == 0 ? FrameKind::key : FrameKind::delta, {}));
    s.core->list_past(s.camera.id(), {{stream.epoch->epoch, Counter(0), Counter(19)}});
    const auto deliver = [&](const Bytes& message) {
      const auto frame = must(protocol::parse_frame(message));
      s.core->add_past(stream.epoch, frame.kind, frame.counter, message, s.clock.wall(), {});
    };
    for (const auto& message : messages) deliver(message);
    out.control = s.core->status().stored_frames;
    for (; out.messages < static_cast<std::uint64_t>(self.n); ++out.messages) {
      const auto before = s.core->status().stored_frames;
      deliver(messages[out.messages % messages.size()]);
      const auto filed = s.core->status().stored_frames - before;
      out.wrong += filed;
      if (filed == 0) ++out.rejected["recorded before"];
    }
    s.core->end_all(recordings::EndReason::stopped);
    expect(out, s.verify().faults.empty() && s.verify().frames == messages.size(), "a frame is in the files twice");
  };
  return row;
}

/// A camera that kept frames of 30 s, and has a broker again.
struct KeepingCamera {
  test::TemporaryFolder folder;
  device::PastFolder store = open({}, test::Actor().identity());
  test::PrerollScene scene{{}, &store};
  std::vector<PastRange> ranges;

  KeepingCamera() {
    scene.requests = protocol::RequestKind::record;
    scene.keyframe_interval = 10;
    scene.pass(5s);
    scene.client.is_connected = false;
    scene.requests.reset();
    scene.publisher.on_disconnected({Errc::connection, 0, "no broker"});
    scene.pass(30s);
    scene.connect();
    scene.client.settle();
    ranges = store.ranges();
  }
  [[nodiscard]] device::PastFolder open(const protocol::Route& route, const crypto::PublicKey& camera) const {
    return must(device::PastFolder::open(folder.path(), {.reserve = 0}, route, camera,
                                         must(stream::PastFrames::digest_of({}))));
  }
  void request(const test::Actor& by, const std::vector<PastRange>& what) {
    scene.receive_request_with(by, [&](protocol::ViewRequest& r) {
      r.kind = protocol::RequestKind::past;
      r.past = what;
    });
    scene.client.settle();
    scene.pass(1s);
  }
  [[nodiscard]] std::size_t sent() const { return scene.client.on("/past").size(); }
};

Row removed_hub() {
  Row row;
  row.name = "a removed hub requests the frames that a camera kept while it had no broker";
  row.rejected_as = "unknown_hub";
  row.control_is = "kept frames for the hub before its removal";
  row.n = 20;
  row.alone = [](const Row& self, Outcome& out) {
    KeepingCamera s;
    s.request(s.scene.hub, s.ranges);
    out.control = s.sent();
    const auto granted = s.scene.CameraRun::epochs.current().value();
    s.scene.receive_roster(s.scene.roster(2, {&s.scene.second}));
    s.scene.client.settle();
    const auto before = s.sent();
    for (; out.messages < static_cast<std::uint64_t>(self.n); ++out.messages) {
      s.request(s.scene.hub, s.ranges);
      // An active hub does not cause an answer that the removed hub could open either.
      s.request(s.scene.second, s.ranges);
    }
    out.rejected["unknown_hub"] = s.scene.CameraRun::requests.counters().rejected[protocol::RejectReason::unknown_hub];
    out.wrong = s.sent() - before;
    // What the camera keeps since then is of an epoch that was granted to the active hub only.
    const auto kept = s.store.ranges();
    expect(out,
           !s.ranges.empty() &&
               std::ranges::all_of(kept, [&](const PastRange& r) { return r.epoch.value() > granted.value(); }),
           "the camera still has frames that the removed hub could open");
    expect(out, out.rejected["unknown_hub"] == out.messages, "not all requests were rejected");
  };
  return row;
}

Row privacy_and_restart() {
  Row row;
  row.name = "a camera loses power right after a privacy switch, and a hub requests the frames from before";
  row.rejected_as = "deleted";
  row.control_is = "ranges that a restart without a switch keeps";
  row.n = 20;
  row.alone = [](const Row& self, Outcome& out) {
    KeepingCamera s;
    const auto restart = [&] { return s.open(s.scene.route, s.scene.camera.identity()); };
    out.control = restart().ranges().size();
    s.scene.receive_request(s.scene.hub, protocol::RequestKind::privacy_on);  // no tick deletes a file
    auto store = restart();
    stream::PastFrames past(&store, s.scene.clock, s.scene.log, s.scene.route);
    must(past.load(s.scene.camera.identity()));
    for (; out.messages < static_cast<std::uint64_t>(self.n); ++out.messages) {
      past.request(s.scene.hub.id(), s.ranges);
      s.scene.clock.advance(1s);
      if (past.next(BitsPerSecond(1'000'000), protocol::max_message_size).empty()) ++out.rejected["deleted"];
      else ++out.wrong;
    }
  };
  return row;
}

Row hostile_hub() {
  Row row;
  row.name = "a hub requests the first kept frames without a pause";
  row.rejected_as = "served in turn";
  row.control_is = "the last kept frames, which another hub requests";
  row.n = 60;
  row.alone = [](const Row& self, Outcome& out) {
    KeepingCamera s;
    const auto last = s.ranges.back().last;
    const PastRange late{s.ranges.back().epoch, Counter(last.value() - 9), last};
    for (; out.messages < static_cast<std::uint64_t>(self.n); ++out.messages) {
      s.request(s.scene.hub, s.ranges);
      if (out.messages % 3 == 0) s.request(s.scene.second, {late});
    }
    std::set<Counter> sent;
    for (const auto* message : s.scene.client.on("/past"))
      if (const auto frame = protocol::parse_frame(message->payload); frame && frame->counter >= late.first)
        sent.insert(frame->counter);
    out.control = sent.size();
    out.wrong = 10 - sent.size();
    out.rejected["served in turn"] = out.messages;
  };
  return row;
}

Row hostile_camera() {
  Row row;
  row.name = "a camera keeps each second counter only, and lists other frames with each report";
  row.rejected_as = "waits for a file";
  row.control_is = "its frames that are filed, one file in 2 s";
  row.n = 200;
  row.alone = [](const Row& self, Outcome& out) {
    test::RecordingScene s;
    auto stream = s.begin();
    const auto last = Counter(static_cast<std::uint64_t>(2 * self.n));
    std::size_t max_gaps = 0;
    for (; out.messages < static_cast<std::uint64_t>(self.n); ++out.messages) {
      const auto message = s.builder.frame(stream.keys, FrameKind::key, {});
      (void)s.builder.frame(stream.keys, FrameKind::key, {});
      s.core->list_past(s.camera.id(), {{stream.epoch->epoch, Counter(0), Counter(last.value() + out.messages)}});
      const auto frame = must(protocol::parse_frame(message));
      const auto before = s.files().size();
      s.core->add_past(stream.epoch, frame.kind, frame.counter, message, s.clock.wall(), {});
      if (s.files().size() == before) ++out.rejected["waits for a file"];
      s.clock.advance(100ms);
      if (out.messages % 10 == 0) (void)s.core->tick();
      max_gaps = std::max(max_gaps, s.core->past_gaps(s.camera.id()).size());
    }
    out.control = s.core->status().stored_frames;
    const auto files = s.files().size();
    out.wrong = files > 11 ? files - 11 : 0;
    expect(out, max_gaps <= PastRange::max, "a request has too many ranges");
    s.core->end_all(recordings::EndReason::stopped);
    expect(out, s.verify().faults.empty(), "the files have a fault");
  };
  return row;
}

Row stolen_card() {
  Row row;
  row.name = "a thief has the card of a camera that kept frames, with the camera's own keys";
  row.rejected_as = "no key";
  row.control_is = "pictures that a hub of the roster opens from the same card";
  row.n = 20;
  row.alone = [](const Row& self, Outcome& out) {
    KeepingCamera s;
    auto card = s.open(s.scene.route, s.scene.camera.identity());
    // The number of frames that this key opens.
    const auto opened = [&](const crypto::AgreementKey& key) {
      std::map<Epoch, crypto::sframe::OpeningKey> keys;
      const protocol::FrameOpener opener(s.scene.route);
      std::uint64_t count = 0;
      Bytes message;
      for (const auto& range : card.ranges()) {
        must(card.grants(range.epoch, message));
        const auto granted = must(protocol::decode_grants(message, s.scene.route, s.scene.camera.verifier()));
        for (const auto& grant : granted.grants)
          if (const auto content = protocol::open_grant(granted, s.scene.route, grant.hub, key))
            keys.insert_or_assign(
                range.epoch, must(crypto::sframe::OpeningKey::open(granted.suite, range.epoch, content->base_key)));
        for (auto next = must(card.read(range.epoch, range.first, message)); next && *next <= range.last;
             next = must(card.read(range.epoch, next->next(), message))) {
          const auto frame = must(protocol::parse_frame(message));
          const auto known = keys.find(range.epoch);
          Bytes plain(frame.sealed.size());
          if (known != keys.end() && opener.open(plain, frame, known->second)) ++count;
        }
      }
      return count;
    };
    for (; out.messages < static_cast<std::uint64_t>(self.n); ++out.messages) {
      const test::Actor other;
      const auto found = opened(out.messages % 2 == 0 ? s.scene.camera.keys().hpke : other.keys().hpke);
      out.wrong += found;
      if (found == 0) ++out.rejected["no key"];
    }
    out.control = opened(s.scene.hub.keys().hpke);
  };
  return row;
}

}  // namespace

void add_past_rows(std::vector<Row>& rows) {
  for (const auto make : {old_frames, other_cameras, repeated_frames, removed_hub, privacy_and_restart, hostile_hub,
                          hostile_camera, stolen_card})
    rows.push_back(make());
}

}  // namespace sealcam::attacks
