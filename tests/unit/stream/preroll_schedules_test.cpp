// SPDX-License-Identifier: Apache-2.0
// Random schedules of motion, leases, privacy, rosters, commands and a slow connection. The judge knows what the sensor
// took and what the camera received. It reads the published messages, and nothing of the camera's state.
// SEALCAM_PREROLL_SCHEDULES=1000 runs more of them.
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <random>

#include "unit/stream/preroll_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;
using protocol::FrameKind;
using protocol::RequestKind;

namespace {

constexpr auto span = 10s, tail = 10s, least = 6s, lease = 10s, backlog = 30s;

/// What the camera received, by the clock of the camera.
struct Story {
  std::vector<MonotonicTime> ends;                      ///< of epochs and of privacy: earlier pictures must not leave
  std::vector<std::pair<MonotonicTime, bool>> privacy;  ///< closed or open from then on
  std::vector<MonotonicTime> video, motion;             ///< requests for all pictures, and for motion
};

[[nodiscard]] bool within(const std::vector<MonotonicTime>& times, MonotonicTime from, MonotonicTime to) {
  return std::ranges::any_of(times, [&](MonotonicTime at) { return from <= at && at <= to; });
}

/// The faults of one schedule.
class Judge {
 public:
  Judge(const std::vector<Taken>& taken, const Story& story) : taken_(taken), story_(story) {}

  void published(const CameraScene::Seen& frame, MonotonicTime now) {
    if (frame.kind == FrameKind::report) return;
    const auto& picture = taken_.at(frame.header.number.value());
    const auto fault = [&](const char* text) {
      faults.push_back(std::to_string(frame.header.number.value()) + " at " + std::to_string(seconds(now)) +
                       " s, taken at " + std::to_string(seconds(picture.captured)) + " s: " + text);
    };
    if (closed(now)) fault("published while the sensor is closed");
    for (const auto end : story_.ends)
      if (picture.captured < end && end <= now) fault("from before an end");
    for (const auto challenge : frame.header.echoes)
      if (challenge_at_.at(challenge.value()) >= picture.captured) fault("echoes a challenge from after it");
    if (frame.header.motion != picture.moves) fault("another motion flag");
    const bool requested = within(story_.video, now - lease - 200ms, now);
    if (!requested && !around_motion(picture.captured, now)) fault("nothing moved around it");
    if (frame.kind == FrameKind::still) return;
    if (newest_ && frame.header.number.value() <= newest_->value()) fault("published twice, or out of order");
    if (frame.kind == FrameKind::delta && (!newest_ || frame.header.depends != counter_ || !follows(*newest_, picture)))
      fault("not decodable");
    newest_ = frame.header.number;
    counter_ = frame.counter;
    sent_.insert(frame.header.number);
  }
  void requested(protocol::Challenge challenge, MonotonicTime now) { challenge_at_[challenge.value()] = now; }
  /// The connection took no frames for a while.
  void blocked(MonotonicTime now) {
    if (blocked_ == MonotonicTime{}) blocked_ = now;
  }

  /// Around motion in an undisturbed time, all pictures were published. Returns the number of such motions.
  int check_complete(MonotonicTime end) {
    int found = 0;
    for (const auto& moved : taken_) {
      const auto from = moved.captured - span - 4s, to = moved.captured + tail;
      const bool disturbed = within(story_.ends, from, to + 1s) || within(story_.video, from - lease - 1s, to + 1s) ||
                             to + 1s > end || (blocked_ != MonotonicTime{} && to + 1s > blocked_);
      if (!moved.moves || disturbed || !continuous(from, to)) continue;
      ++found;
      for (const auto& picture : taken_) {
        const bool needed = picture.captured >= moved.captured - least && picture.captured <= to;
        if (needed && !sent_.contains(picture.number))
          faults.push_back(std::to_string(picture.number.value()) + ": missing around motion");
      }
    }
    return found;
  }

  std::vector<std::string> faults;

 private:
  static double seconds(MonotonicTime at) { return std::chrono::duration<double>(at - MonotonicTime(1h)).count(); }
  [[nodiscard]] bool closed(MonotonicTime now) const {
    bool value = false;
    for (const auto& [at, closed] : story_.privacy)
      if (at <= now) value = closed;
    return value;
  }
  [[nodiscard]] bool around_motion(MonotonicTime captured, MonotonicTime now) const {
    const auto any = [&](auto begin, auto end) {
      return std::ranges::any_of(taken_, [&](const Taken& m) {
        return m.moves && m.captured <= now && captured >= m.captured - begin && captured <= m.captured + end;
      });
    };
    // While pictures of earlier motion wait for the network, those between two motions are sent, too.
    return any(span, tail) || (blocked_ != MonotonicTime{} && any(backlog, 0s) && any(0s, backlog));
  }
  /// The encoder made no other access unit between the two.
  [[nodiscard]] bool follows(FrameNumber before, const Taken& picture) const {
    for (std::uint32_t n = before.value() + 1; n < picture.number.value(); ++n)
      if (taken_.at(n).encoded) return false;
    return true;
  }
  /// The lease for motion did not end.
  [[nodiscard]] bool continuous(MonotonicTime from, MonotonicTime to) const {
    for (auto at = from; at <= to; at = at + 1s)
      if (!within(story_.motion, at - 3s, at)) return false;
    return true;
  }

  const std::vector<Taken>& taken_;
  const Story& story_;
  std::map<std::uint64_t, MonotonicTime> challenge_at_;
  std::optional<FrameNumber> newest_;
  protocol::Counter counter_;
  std::set<FrameNumber> sent_;
  MonotonicTime blocked_;  ///< for the first time
};

/// What is wrong with the camera, to show that the judge finds it.
enum class Control : std::uint8_t { none, longer_span, longer_tail, late_times };

struct Outcome {
  std::vector<std::string> faults;
  int complete = 0;
  std::size_t published = 0;
};

class Schedule {
 public:
  Schedule(unsigned seed, Control control)
      : random_(seed),
        calm_(seed % 2 == 0),
        scene_(control == Control::longer_span   ? PreRollLimits{.span = 20s}
               : control == Control::longer_tail ? PreRollLimits{.tail = 15s}
                                                 : PreRollLimits{}) {
    scene_.reports_late = control == Control::late_times;
    scene_.delay = random_() % 4;
    scene_.client.on_publish = [this](const transport::Publication& p) { publish(p); };
    open_.grants(scene_.client.on("/grants").front()->payload, scene_);
    story_.ends.push_back(scene_.clock.monotonic());
    scene_.on_request = [this](RequestKind kind) { note(kind); };
  }

  Outcome run() {
    const auto begin = scene_.clock.monotonic();
    while (scene_.clock.monotonic() - begin < 100s) step();
    scene_.answers = true;
    scene_.pass(2s);
    const int complete = judge_.check_complete(scene_.clock.monotonic());
    return {judge_.faults, complete, published_};
  }

 private:
  void step() {
    scene_.clock.step_wall(std::chrono::seconds(static_cast<int>(random_() % 3) - 1));
    // Two statements: compilers draw the arguments of one call in different orders, and a schedule must be the same
    // everywhere.
    const bool moves = random_() % 5 == 0;
    scene_.pass(200ms * (1 + random_() % 40), moves);
    switch (random_() % (calm_ ? 96 : 16)) {
      case 0: return roster();
      case 1: return command();
      case 2: return privacy(true);
      case 3: return privacy(false);
      case 4: scene_.requests = RequestKind::live; return;
      case 5: scene_.requests = RequestKind::record; return;
      case 6: scene_.requests.reset(); return;
      case 7: return still();
      case 8:
        scene_.answers = random_() % 2 == 0;
        if (!scene_.answers) judge_.blocked(now());
        return;
      case 9: return scene_.clock.suspend(std::chrono::seconds(random_() % 30));
      default: scene_.requests = RequestKind::motion; return;
    }
  }
  [[nodiscard]] MonotonicTime now() const { return scene_.clock.monotonic(); }

  void note(RequestKind kind) {
    judge_.requested(protocol::Challenge(scene_.seq + 1), now());
    if (kind == RequestKind::live || kind == RequestKind::record || kind == RequestKind::still)
      story_.video.push_back(now());
    if (kind == RequestKind::still) story_.video.push_back(now() + lease);  // its lease is longer
    if (kind == RequestKind::motion) story_.motion.push_back(now());
  }
  void still() {
    note(RequestKind::still);
    scene_.receive_request(scene_.second, RequestKind::still);
  }
  void roster() {
    auto content = roster_of(scene_.camera, ++version_, {&scene_.hub, &scene_.second});
    content.hubs[0].may_switch_privacy = true;
    story_.ends.push_back(now());
    scene_.receive_roster(must(protocol::encode_roster(content, scene_.route, scene_.owner.keys().identity)));
  }
  void command() {
    protocol::Command command;
    command.seq = protocol::CommandSeq(++command_);
    command.name = {command.seq, "gate"};
    story_.ends.push_back(now());
    scene_.receive_command(scene_.sealed(command));
  }
  void privacy(bool on) {
    protocol::Command command;
    command.seq = protocol::CommandSeq(++command_);
    command.privacy = {command.seq, on};
    story_.ends.push_back(now());
    story_.privacy.emplace_back(now(), on);
    scene_.receive_command(scene_.sealed(command));
  }

  void publish(const transport::Publication& p) {
    if (p.topic.ends_with("/grants")) return open_.grants(p.payload, scene_);
    if (!p.topic.ends_with("/video") && !p.topic.ends_with("/still")) return;
    ++published_;
    judge_.published(open_.frame(p, scene_), now());
  }

  /// Opens frames as a hub does.
  struct Opener {
    std::map<protocol::Epoch, crypto::sframe::OpeningKey> keys;
    void grants(ByteView message, const CameraScene& s) {
      const auto granted = must(protocol::decode_grants(message, s.route, s.camera.verifier()));
      const auto content = must(protocol::open_grant(granted, s.route, s.hub.id(), s.hub.keys().hpke));
      keys.insert_or_assign(granted.epoch,
                            must(crypto::sframe::OpeningKey::open(granted.suite, granted.epoch, content.base_key)));
    }
    [[nodiscard]] CameraScene::Seen frame(const transport::Publication& p, const CameraScene& s) const {
      const auto view = must(protocol::parse_frame(p.payload));
      Bytes out(view.sealed.size());
      const auto opened = must(protocol::FrameOpener(s.route).open(out, view, keys.at(view.epoch)));
      return {"", view.kind, view.epoch, view.counter, opened.header, {}};
    }
  };

  std::minstd_rand random_;
  bool calm_;  ///< long times with motion alone
  PrerollScene scene_;
  Story story_;
  Judge judge_{scene_.taken, story_};
  Opener open_;
  std::uint64_t version_ = 1, command_ = 0;
  std::size_t published_ = 0;
};

Outcome run(unsigned schedules, Control control) {
  Outcome all;
  for (unsigned seed = 1; seed <= schedules; ++seed) {
    const auto outcome = Schedule(seed, control).run();
    all.complete += outcome.complete;
    all.published += outcome.published;
    for (const auto& fault : outcome.faults)
      all.faults.push_back("schedule " + std::to_string(seed) + ": picture " + fault);
  }
  return all;
}

unsigned schedules() {
  const char* const text = std::getenv("SEALCAM_PREROLL_SCHEDULES");
  return text == nullptr ? 16 : static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

}  // namespace

TEST_CASE("in random schedules, a camera sends what belongs to motion, and nothing from before privacy or an epoch") {
  const auto outcome = run(schedules(), Control::none);
  INFO((outcome.faults.empty() ? "" : outcome.faults.front()));
  CHECK(outcome.faults.empty());
  CHECK(outcome.complete > 0);
  CHECK(outcome.published > 100);
}

TEST_CASE("control: the judge finds a longer pre-roll, a longer tail, and late pictures from before privacy") {
  CHECK_FALSE(run(6, Control::longer_span).faults.empty());
  CHECK_FALSE(run(6, Control::longer_tail).faults.empty());
  CHECK_FALSE(run(8, Control::late_times).faults.empty());
}
