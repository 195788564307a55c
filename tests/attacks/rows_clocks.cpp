// SPDX-License-Identifier: Apache-2.0
// The machine of the hub sleeps, or one of its clocks is set. The judge is the clock of the arena, which no row moves.

#include <algorithm>

#include "attacks/row.hpp"
#include "base/format.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;

/// A hub that measures ages with another clock. The rest is the shipped code.
class WrongClock final : public Clock {
 public:
  enum class Source : std::uint8_t { monotonic, wall };
  WrongClock(const Clock& clock, Source source) : clock_(clock), source_(source) {}
  [[nodiscard]] MonotonicTime monotonic() const override { return clock_.monotonic(); }
  [[nodiscard]] CaptureTime wall() const override { return clock_.wall(); }
  [[nodiscard]] BootTime boot() const override {
    if (source_ == Source::wall) return {clock_.wall().since_epoch};
    return {clock_.monotonic().since_boot};
  }

 private:
  const Clock& clock_;
  Source source_;
};

/// A second hub of the account, with a wrong clock.
struct ControlHub {
  ControlHub(Arena& arena, WrongClock::Source source)
      : clock(arena.hub_clock, source),
        hub({arena.clock, log, arena.broker, clock}, arena.home.owner(), arena.home.member(1)) {}
  CountingLog log;
  WrongClock clock;
  HubSide hub;
};

/// The screen of the second hub. The first call starts the hub. It then stays, because its request numbers must not
/// start again.
const Screen& control_screen(Arena& arena, WrongClock::Source source) {
  if (!arena.more_hubs.empty()) return arena.more_hubs.front()->screen();
  const auto control = std::make_shared<ControlHub>(arena, source);
  auto& screen = control->hub.screen();
  screen.expect(arena.home.camera().id(), arena.home.camera().number());
  control->hub.restart();
  arena.more_hubs.emplace_back(control, &control->hub);
  arena.settle();
  if (!arena.run_until([&] { return screen.live() > 0; }, 15s))
    throw std::runtime_error("the hub of the control shows no LIVE picture");
  return screen;
}

/// More repetitions would test the same.
constexpr int max_repetitions = 5;

void run_until_live(Arena& arena) {
  const auto live = arena.home.hub().screen().live();
  arena.run_until([&] { return arena.home.hub().screen().live() > live; }, 15s);
}

/// The machine sleeps n times. The broker holds the frames and delivers them at once afterwards.
Row slept(std::chrono::seconds length) {
  Row row;
  row.name =
      sealcam::format("the hub's machine sleeps {} s, frames from before and during it arrive after", length.count());
  row.rejected_as = "shown as STALE";
  row.control_is = "the same hub, with CLOCK_MONOTONIC for its ages";
  row.note = "the frames are genuine and in order, so they are shown, but not as LIVE";
  row.n = 2;
  row.uncounted = true;
  row.strike = [length](Arena& arena, int n) {
    const auto& control = control_screen(arena, WrongClock::Source::monotonic);
    const auto wrong = control.wrong();
    Sent sent;
    for (int i = 0; i < std::min(n, max_repetitions); ++i) {
      const auto before = arena.home.hub().screen().shown();
      arena.hub_sleeps(length);
      sent.messages += arena.home.hub().screen().shown() - before;
      run_until_live(arena);
    }
    sent.control = control.wrong() - wrong;
    return sent;
  };
  return row;
}

/// The broker holds frames for 8 s. Meanwhile one clock of the hub goes back. With `forward`, it was ahead before.
Row stepped(WrongClock::Source source, bool forward) {
  const bool wall = source == WrongClock::Source::wall;
  Row row;
  row.name = sealcam::format("the hub's {} clock is set {} while frames are held for 8 s", wall ? "wall" : "monotonic",
                             forward ? "forward an hour, then back" : "back an hour");
  row.rejected_as = "shown as STALE";
  row.control_is = sealcam::format("the same hub, with {} for its ages", wall ? "CLOCK_REALTIME" : "CLOCK_MONOTONIC");
  row.note = "the frames are genuine and in order, so they are shown, but not as LIVE";
  row.n = 2;
  row.uncounted = true;
  row.strike = [source, wall, forward](Arena& arena, int n) {
    const auto step = [&](std::chrono::nanoseconds by) {
      if (wall) arena.hub_clock.step_wall(by);
      else arena.hub_clock.step_monotonic(by);
    };
    const auto& control = control_screen(arena, source);
    const auto wrong = control.wrong();
    Sent sent;
    for (int i = 0; i < std::min(n, max_repetitions); ++i) {
      if (forward) {
        step(1h);
        arena.run(3s);  // challenges of this time
      }
      arena.seen.clear();
      arena.recording = true;
      arena.passes = [](const Seen& s) { return !is_frame(s.topic.leaf); };
      arena.run(8s);
      auto held = std::exchange(arena.seen, {});
      arena.stop_attack();
      step(-1h);
      for (const auto& s : held) {
        if (!is_frame(s.topic.leaf)) continue;
        arena.broker.publish(s.packet);
        ++sent.messages;
      }
      arena.run(Arena::step);
      if (!forward) step(1h);  // so that the control requests again
      run_until_live(arena);
    }
    sent.control = control.wrong() - wrong;
    return sent;
  };
  return row;
}

}  // namespace

void add_clock_rows(std::vector<Row>& rows) {
  rows.push_back(slept(30s));
  rows.push_back(slept(60s));
  for (const auto source : {WrongClock::Source::monotonic, WrongClock::Source::wall})
    for (const bool forward : {false, true}) rows.push_back(stepped(source, forward));
}

}  // namespace sealcam::attacks
