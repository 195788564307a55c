// SPDX-License-Identifier: Apache-2.0
/// A camera and a hub that records, on the shipped code, with clocks of the test. The broker is away, and before and
/// afterwards it loses a tenth of the messages. Each frame that the camera kept is filed once, and none is shown. Long
/// outages run on request: recordings_outages_test '[long]'
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <map>
#include <random>
#include <set>

#include "recordings/recorder_core.hpp"
#include "recordings/verifier.hpp"
#include "support/camera_stores.hpp"
#include "support/hub_scene.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;
using protocol::PastRange;

namespace {

struct Parties {
  FakeClock clock;
  MemoryLog log;
  Actor owner, camera, hub;
  protocol::Route route = route_of(owner, camera);
};

/// A camera with a picture a second, which may restart.
class Camera {
 public:
  explicit Camera(Parties& parties) : parties_(parties), stores_(parties.camera) {
    stores_.roster.content = must(protocol::encode_roster(roster_of(parties.camera, 1, {&parties.hub}), parties.route,
                                                          parties.owner.keys().identity));
    start();
  }
  void start() {
    client.waiting.clear();
    run_.reset();
    store_.reset();
    store_.emplace(
        must(device::PastFolder::open(disk_.path() / "past", {.bytes = 256U << 20, .reserve = 0}, parties_.route,
                                      parties_.camera.identity(), must(stream::PastFrames::digest_of({})))));
    run_.emplace(parties_.clock, parties_.log, parties_.owner, parties_.camera, stores_,
                 CameraOptions{.publisher = {.route = parties_.route, .rate = {}}, .past = &*store_});
    run_->publisher.attach(client);
    must(run_->privacy.load());
    must(run_->publisher.start());
  }
  void connect(bool connected) {
    client.is_connected = connected;
    if (connected) run_->publisher.on_connected();
    else run_->publisher.on_disconnected({Errc::connection, 0, "the broker is away"});
  }
  void take_picture() {
    const MonotonicTime now = parties_.clock.monotonic();
    const FrameNumber number(number_++);
    const auto echoes = run_->challenges.pick(now);
    if (run_->control.active()) {
      const bool requested = run_->control.take_keyframe_request();
      const bool key = run_->queue.take_keyframe_request() || requested || ++since_key_ >= 10;
      if (key) since_key_ = 0;
      run_->queue.push(Bytes(300, std::byte{1}), {number, now, echoes, {64, 48}, key, false});
      run_->publisher.frames_ready();
    }
    tick();
  }
  void tick() {
    run_->publisher.tick();
    client.settle();
  }
  void receive(std::string_view topic, ByteView payload) { run_->publisher.on_message({topic, payload, false}); }
  /// The messages with pictures in the store.
  [[nodiscard]] std::vector<Bytes> kept() {
    std::vector<Bytes> all;
    Bytes out;
    for (const auto& range : store_->ranges())
      for (auto from = range.first; from <= range.last;) {
        const auto counter = must(store_->read(range.epoch, from, out));
        if (!counter || *counter > range.last) break;
        const auto kind = must(protocol::parse_frame(out)).kind;
        if (kind == FrameKind::key || kind == FrameKind::delta) all.push_back(out);
        from = counter->next();
      }
    return all;
  }

  FakeMqttClient client;

 private:
  Parties& parties_;
  CameraStores stores_;
  TemporaryFolder disk_;
  std::optional<device::PastFolder> store_;
  std::optional<CameraRun> run_;
  std::uint32_t number_ = 0;
  int since_key_ = 0;
};

/// The recorder of a hub, without its thread.
class Filing final : public watch::FrameSink {
 public:
  explicit Filing(Parties& parties)
      : parties_(parties),
        keys_(must(recordings::KeyFolder::open(disk_.path() / "keys", recordings::KeyFolder::Create::yes))),
        index_(must(recordings::Index::open(disk_.path() / "recordings.db"))) {
    std::filesystem::create_directory(folder_);
    core_ = std::make_unique<recordings::RecorderCore>(
        recordings::RecorderConfig{.folder = folder_, .quota = 0, .max_age = {}, .reserve = 0},
        recordings::RecorderDependencies{*index_, keys_, parties.hub.keys().identity, parties.owner.account(),
                                         parties.clock, parties.log});
    core_->start();
    tick();
  }
  void tick() {
    while (core_->tick()) {
    }
  }
  void end() { core_->end_all(recordings::EndReason::stopped); }
  [[nodiscard]] recordings::FolderReport verify() const {
    return must(recordings::verify_folder(folder_, {.account = parties_.owner.account()}));
  }
  /// How often each frame is in the files.
  [[nodiscard]] std::map<Bytes, int> filed() const {
    std::map<Bytes, int> found;
    for (const auto& listed : must(recordings::list_files(folder_))) {
      const auto file = must(recordings::RecordingFile::open(listed.file.below(folder_)));
      const auto header = file.read_header();
      if (!header) continue;  // it is being written
      recordings::ItemReader reader(file, header->size, file.size());
      using recordings::Content;
      for (auto item = reader.next(Content::read); item && *item; item = reader.next(Content::read))
        if ((*item)->head.kind == recordings::ItemKind::frame)
          ++found[Bytes((*item)->bytes.begin(), (*item)->bytes.end())];
    }
    return found;
  }

 private:
  void on_frame(const std::shared_ptr<const device::RecordedEpoch>& epoch, const watch::FrameCheck& frame,
                bool playable) override {
    if (!playable) return core_->leave_out(*epoch, frame.frame->counter);
    core_->add(epoch, frame.frame->kind, frame.frame->counter, frame.message, parties_.clock.wall(),
               {frame.header.captured, false});
  }
  void on_end(const DeviceId&, End) override {}
  void on_past_listed(const DeviceId& camera, const std::vector<PastRange>& ranges) override {
    core_->list_past(camera, ranges);
  }
  void on_past_frame(const std::shared_ptr<const device::RecordedEpoch>& epoch,
                     const watch::FrameCheck& frame) override {
    core_->add_past(epoch, frame.frame->kind, frame.frame->counter, frame.message, frame.header.captured,
                    {frame.header.captured, false});
  }
  [[nodiscard]] std::vector<PastRange> past_gaps(const DeviceId& camera) override { return core_->past_gaps(camera); }

  Parties& parties_;
  TemporaryFolder disk_;
  std::filesystem::path folder_ = disk_.path() / "recordings";
  recordings::KeyFolder keys_;
  std::unique_ptr<recordings::Index> index_;
  std::unique_ptr<recordings::RecorderCore> core_;
};

/// The broker, between the camera and a hub on which a person watches.
class Outage {
 public:
  Outage() {
    watcher_ = must(watch::Watcher::create(
        parties_.owner.identity(), parties_.hub.keys(),
        {checker_, rosters_, sequence_, epochs_, &prekeys_, parties_.clock, parties_.log, sink, nullptr, &filing}));
    watcher_->start(client_);
    watcher_->set_watched(true, {});
    watcher_->set_recorded({{parties_.camera.id(), protocol::RequestKind::record}});
    const auto roster = protocol::encode_roster(roster_of(parties_.camera, 1, {&parties_.hub}), parties_.route,
                                                parties_.owner.keys().identity);
    retained_[protocol::topic(parties_.route, Leaf::roster)] = must(roster);
    find();
  }
  void lose() {
    connected_ = client_.is_connected = false;
    camera.connect(false);
    watcher_->on_disconnected({Errc::connection, 0, "the broker is away"});
  }
  void find() {
    connected_ = client_.is_connected = true;
    camera.connect(true);
    watcher_->on_connected();
    for (const auto& [topic, payload] : retained_) watcher_->on_message({topic, payload, true});
  }
  void run(std::chrono::seconds time) {
    for (auto step = 0ms; step < time; step += 500ms) {
      parties_.clock.advance(500ms);
      if (step % 1s == 0ms) camera.take_picture();
      else camera.tick();
      deliver();
      watcher_->tick();
      watcher_->drain();
      filing.tick();
      deliver();
    }
  }
  /// Kept messages that are not in the files.
  [[nodiscard]] std::size_t missing(const std::vector<Bytes>& kept) const {
    const auto filed = filing.filed();
    return static_cast<std::size_t>(std::ranges::count_if(kept, [&](const Bytes& m) { return !filed.contains(m); }));
  }
  /// Pictures of the hub's viewers that the camera did not publish as live.
  [[nodiscard]] std::size_t wrongly_shown() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        sink.shown, [&](const auto& s) { return !live_.contains({s.picture.epoch, s.picture.counter}); }));
  }

 private:
  Parties parties_;
  bool connected_ = false;
  std::map<std::string, Bytes> retained_;
  std::set<std::pair<Epoch, Counter>> live_;  ///< published on the topics video and still
  std::mt19937 random_{16};
  MemoryHubRosterStore rosters_;
  MemorySequenceStore sequence_;
  MemoryMaxEpochStore epochs_;
  MemoryPrekeyStore prekeys_;
  InlineChecker checker_;
  FakeMqttClient client_{FakeMqttClient::Answers::at_once};

 public:
  Camera camera{parties_};
  Filing filing{parties_};
  RecordingSink sink;
  std::size_t lost = 0;

 private:
  [[nodiscard]] bool passes(const FakeMqttClient::Sent& sent) {
    if (!connected_) return false;
    if (sent.retain) retained_[sent.topic] = sent.payload;
    const bool loss = sent.qos == transport::Qos::at_most_once && random_() % 10 == 0;
    lost += loss ? 1 : 0;
    return !loss;
  }
  void deliver() {
    for (const auto& sent : std::exchange(camera.client.sent, {})) {
      if (const auto frame = protocol::parse_frame(sent.payload); frame && !sent.topic.ends_with("/past"))
        live_.emplace(frame->epoch, frame->counter);
      if (passes(sent)) watcher_->on_message({sent.topic, sent.payload, false});
    }
    for (const auto& sent : std::exchange(client_.sent, {}))
      if (passes(sent)) camera.receive(sent.topic, sent.payload);
    camera.client.settle();
  }

  std::unique_ptr<watch::Watcher> watcher_;
};

void play(std::chrono::seconds time, bool restarts) {
  CAPTURE(time.count(), restarts);
  Outage s;
  s.run(25s);  // a hub whose pictures a person watches sends a request of the kind record in 20 s
  REQUIRE(s.sink.live() > 10);
  s.lose();
  s.run(time);
  const auto before = s.camera.kept();
  CHECK(before.size() + 15 >= static_cast<std::size_t>(time.count()));          // the newest ones are in memory
  CHECK(s.missing(before) + 5 >= static_cast<std::size_t>(time.count()) - 10);  // control
  REQUIRE_FALSE(before.empty());
  if (restarts) s.camera.start();
  s.find();
  s.run(10s);
  const auto kept = s.camera.kept();
  CHECK(kept.size() >= before.size());
  for (auto waited = 0s; waited < 4 * time + 5min && s.missing(kept) > 0; waited += 20s) s.run(20s);
  const auto live = s.sink.live();
  s.run(60s);
  CHECK(s.sink.live() > live + 20);
  s.filing.end();
  CHECK(s.missing(kept) == 0);
  CHECK(s.lost > 10);
  CHECK(std::ranges::all_of(s.filing.filed(), [](const auto& frame) { return frame.second == 1; }));
  for (const auto& fault : s.filing.verify().faults)
    FAIL_CHECK(recordings::name(fault.kind) << " " << (fault.file ? fault.file->name : "") << ": " << fault.text);
  CHECK(s.wrongly_shown() == 0);
}

}  // namespace

TEST_CASE("all that a camera kept without a broker is filed once, although the broker loses a tenth of the messages") {
  play(GENERATE(20s, 40s), GENERATE(false, true));
}

TEST_CASE("the same for outages of 10 minutes and two hours", "[.long]") {
  play(GENERATE(10min, 2h), GENERATE(false, true));
}
