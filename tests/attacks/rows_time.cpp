// SPDX-License-Identifier: Apache-2.0
// Replays and delays, judged by the clock of the arena. rows_clocks.cpp has the rows in which the hub's clocks move
// apart.

#include "attacks/row.hpp"
#include "base/format.hpp"
#include "protocol/frame.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;

/// Records for `length`, then replays the frames with the same timing while no genuine frame passes.
Sent replay(Arena& arena, std::chrono::seconds length, bool next_epoch) {
  arena.seen.clear();
  arena.recording = true;
  arena.run(length);
  arena.recording = false;
  if (next_epoch) {
    arena.home.camera().restart();
    const auto live = arena.home.hub().screen().live();
    arena.run_until([&] { return arena.home.hub().screen().live() > live; }, 5s);
  }
  const auto recording = std::exchange(arena.seen, {});
  arena.passes = [](const Seen& s) { return !is_frame(s.topic.leaf); };
  Sent sent;
  const auto begun = arena.clock.monotonic();
  for (const auto& s : recording) {
    if (!is_frame(s.topic.leaf)) continue;
    const auto due = begun + (s.at - recording.front().at);
    while (arena.clock.monotonic() < due) arena.run(Arena::step);
    arena.broker.publish(s.packet);
    ++sent.messages;
  }
  sent.rejected[next_epoch ? "frame closed_epoch" : "frame replayed"] = sent.messages;
  arena.run(1200ms);
  arena.stop_attack();
  return sent;
}

Row replayed_minute(bool next_epoch) {
  Row row;
  row.name = next_epoch ? "replay of a recorded minute of a closed epoch"
                        : "replay of a recorded minute with the original timing";
  row.rejected_as = next_epoch ? "closed_epoch" : "replayed";
  row.without = next_epoch ? Without::nothing : Without::replay;
  row.control_is = "naive hub without the check for replays";
  row.n = 60;
  row.options.picture_every = 1s;
  // One minute is enough for this test.
  row.strike = [next_epoch](Arena& arena, int n) {
    return replay(arena, std::chrono::seconds(std::min(n, 60)), next_epoch);
  };
  if (next_epoch) {
    row.control_is = "the same frames while their epoch was open";
    row.also = {"request wrong_epoch", "request too_often", "wait for key"};
    row.strike = [](Arena& arena, int n) {
      const auto before = arena.home.hub().screen().shown();
      auto sent = replay(arena, std::chrono::seconds(std::min(n, 60)), true);
      sent.control = arena.home.hub().screen().shown() - before;
      return sent;
    };
  }
  return row;
}

/// Frames that were held back until their epoch ended.
Row held_until_closed() {
  Row row;
  row.name = "frames held back until their epoch was closed";
  row.rejected_as = "closed_epoch";
  row.control_is = "the frames that were not held back";
  row.n = 10;
  row.also = {"request wrong_epoch", "request too_often", "wait for key"};
  row.strike = [](Arena& arena, int n) {
    const auto& screen = arena.home.hub().screen();
    const auto before = screen.shown();
    arena.seen.clear();
    arena.recording = true;
    arena.passes = [](const Seen& s) { return !is_frame(s.topic.leaf); };
    arena.run(200ms * n);
    auto held = std::exchange(arena.seen, {});
    std::erase_if(held, [](const Seen& s) { return !is_frame(s.topic.leaf); });
    arena.stop_attack();
    arena.home.camera().restart();
    const auto live = screen.live();
    arena.run_until([&] { return screen.live() > live; }, 15s);
    Sent sent{held.size(), {{"frame closed_epoch", held.size()}}, 0};
    for (const auto& s : held) arena.broker.publish(s.packet);
    sent.control = screen.shown() - before;
    return sent;
  };
  return row;
}

/// Delays requests or frames by `time`. Pictures that are LIVE within 5 s are correct. The screen knows when each
/// picture was captured.
Sent delayed(Arena& arena, std::chrono::milliseconds time, bool requests) {
  auto& screen = arena.home.hub().screen();
  const auto live = screen.live();
  Sent sent;
  const auto is_delayed = [requests](const Seen& s) {
    return requests ? s.topic.leaf == Leaf::request : is_frame(s.topic.leaf);
  };
  arena.delay = [&, is_delayed](const Seen& s) {
    if (is_delayed(s)) ++sent.messages;
    return is_delayed(s) ? time : 0ms;
  };
  arena.run(time + 6s);
  sent.control = screen.live() - live;
  arena.stop_attack();  // messages in flight are lost, so the rest of the group cannot be decoded
  return sent;
}

Row delay(std::chrono::seconds time, bool requests) {
  Row row;
  row.name = sealcam::format("{} delayed by {} s", requests ? "requests" : "frames", time.count());
  const bool stale = time > 5s;
  row.rejected_as = stale ? "not rejected: STALE" : "not rejected: LIVE up to 5 s";
  row.note = "late pictures are valid, but old";
  row.n = 2;
  row.options.picture_every = time > 10s ? 500ms : 200ms;
  row.also = {"wait for key", "frame out_of_order"};
  row.strike = [time, requests](Arena& arena, int n) {
    Sent sent;
    for (int i = 0; i < std::min(n, 2); i += 2) {
      const auto one = delayed(arena, time, requests);
      sent.messages += one.messages;
      sent.control += one.control;
    }
    return sent;
  };
  if (stale && !requests) {
    row.stale = true;
    row.without = Without::freshness;
    row.control_is = "naive hub without challenges";
  } else {
    row.control_is = "LIVE pictures at most 5 s old";
  }
  return row;
}

/// No frame arrives. The tile must not stay LIVE.
Row silence() {
  Row row;
  row.name = "all frames withheld for 20 s";
  row.rejected_as = "not rejected: STALE after 5 s";
  row.note = "no message arrives";
  row.control_is = "naive hub without challenges";
  row.without = Without::freshness;
  row.stale = true;
  row.also = {"wait for key"};
  row.strike = [](Arena& arena, int) {
    Sent sent;
    arena.passes = [&](const Seen& s) {
      if (is_frame(s.topic.leaf)) ++sent.messages;
      return !is_frame(s.topic.leaf);
    };
    arena.run(20s);
    arena.stop_attack();
    return sent;
  };
  return row;
}

}  // namespace

void add_time_rows(std::vector<Row>& rows) {
  rows.push_back(replayed_minute(false));
  rows.push_back(replayed_minute(true));
  rows.push_back(held_until_closed());
  for (const auto time : {1s, 2s, 3s, 4s, 6s, 10s, 20s, 30s, 60s}) rows.push_back(delay(time, false));
  for (const auto time : {2s, 6s, 30s}) rows.push_back(delay(time, true));
  rows.push_back(silence());
}

}  // namespace sealcam::attacks
