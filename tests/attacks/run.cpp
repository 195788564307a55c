// SPDX-License-Identifier: Apache-2.0
#include <format>
#include <optional>

#include "attacks/row.hpp"
#include "support/live_bytes.hpp"

namespace sealcam::attacks {

using namespace std::chrono_literals;

namespace {

constexpr std::int64_t slack = 64 << 10;        // buffers that are used again have no fixed size
constexpr std::int64_t most_held = 12LL << 20;  // what waits for grants, with its bookkeeping, and buffers

/// The control's viewers: one without the defence, one with all of them.
struct Viewers {
  explicit Viewers(Arena& arena, const Row& row) : lame(arena, row.without), whole(arena, Without::nothing) {
    if (row.neighbour_keys) {
      lame.join(*arena.neighbour);
      whole.join(*arena.neighbour);
    }
    arena.settle();
    arena.every_step = [this, &arena, fresh = row.without == Without::freshness] {
      if (fresh && lame.screen().shown() > 0) lame.screen().look(arena.home.camera().id());
    };
  }
  NaiveViewer lame, whole;
};

class Runner {
 public:
  Runner(const Row& row, Outcome& out) : row_(row), out_(out) {}
  void main_arm();
  void restart_arm(bool camera);

 private:
  void expect(bool as_it_must_be, std::string what) {
    if (!as_it_must_be) out_.deviations.push_back(std::move(what));
  }
  void begin(Arena& arena, const char* arm);
  void recover(Arena& arena, const char* arm);
  Sent strike(Arena& arena, int n, const char* arm);
  void compare(const Sent& sent, const Counts& before, const Counts& after, const char* arm);
  void judge(Arena& arena, const char* arm);

  const Row& row_;
  Outcome& out_;
};

void Runner::begin(Arena& arena, const char* arm) {
  expect(arena.run_until([&] { return arena.home.hub().screen().live() >= 3; }, 5s),
         std::format("{}: no picture before the attack", arm));
}

void Runner::recover(Arena& arena, const char* arm) {
  const auto serial = arena.home.camera().last_serial();
  expect(arena.run_until([&] { return arena.home.hub().screen().newest_live() > serial; }, 15s),
         std::format("{}: no LIVE picture after the attack", arm));
  arena.run(1200ms);  // what waits for its grants goes
}

Sent Runner::strike(Arena& arena, int n, const char* arm) {
  const auto before = counts(arena);
  const auto live = arena.home.hub().screen().live();
  const auto lines = arena.log.lines();
  auto sent = row_.strike(arena, n);
  if (row_.stale)
    expect(arena.home.hub().screen().live() == live,
           std::format("{}: {} LIVE pictures during the attack", arm, arena.home.hub().screen().live() - live));
  arena.settle();
  if (!row_.uncounted) compare(sent, before, counts(arena), arm);
  expect(arena.log.lines() - lines <= 40 + sent.messages / 2,
         std::format("{}: {} lines in the log for {} messages", arm, arena.log.lines() - lines, sent.messages));
  return sent;
}

void Runner::compare(const Sent& sent, const Counts& before, const Counts& after, const char* arm) {
  for (const auto& [counter, value] : after) {
    const auto start = before.find(counter);
    // A strike that restarts the camera makes its counters begin anew.
    const auto rose = start == before.end() || value < start->second ? value : value - start->second;
    const auto wanted = sent.refused.find(counter);
    const std::uint64_t must = wanted == sent.refused.end() ? 0 : wanted->second;
    if (wanted == sent.refused.end() && row_.also.contains(counter)) continue;
    expect(rose == must, std::format("{}: '{}' rose by {} instead of {}", arm, counter, rose, must));
  }
}

void Runner::judge(Arena& arena, const char* arm) {
  const auto& screen = arena.home.hub().screen();
  out_.wrong += screen.wrong();
  expect(screen.wrong() == 0, std::format("{}: {} shown wrongly, the first {}", arm, screen.wrong(), screen.why()));
}

void Runner::main_arm() {
  Arena arena(row_.options);
  if (row_.before_start) row_.before_start(arena);
  std::optional<Viewers> viewers;
  if (row_.without != Without::nothing) viewers.emplace(arena, row_);
  begin(arena, "n");
  test::reset_peak_bytes();
  const auto held = test::live_bytes();
  const auto sent = strike(arena, row_.n, "n");
  out_.messages = sent.messages;
  out_.refused = sent.refused;
  out_.control = viewers ? viewers->lame.screen().wrong() : sent.control;
  expect(out_.control > 0, "the control shows nothing");
  if (viewers) {
    const auto& whole = viewers->whole.screen();
    expect(whole.wrong() == 0,
           std::format("a naive viewer with every defence shows {}: {}", whole.wrong(), whole.why()));
  }
  viewers.reset();
  arena.every_step = nullptr;
  recover(arena, "n");
  arena.seen.clear();
  const auto after_n = test::live_bytes();
  (void)strike(arena, 10 * row_.n, "10 n");
  recover(arena, "10 n");
  out_.grown = test::live_bytes() - after_n;
  out_.peak = test::peak_bytes() - held;
  expect(out_.grown <= slack, std::format("memory grew by {} bytes with ten times as many messages", out_.grown));
  expect(out_.peak <= most_held, std::format("{} bytes were held during the attack", out_.peak));
  judge(arena, "n, 10 n");
}

void Runner::restart_arm(bool camera) {
  const char* arm = camera ? "camera restarted" : "hub restarted";
  Arena arena(row_.options);
  if (row_.before_start) row_.before_start(arena);
  begin(arena, arm);
  (void)row_.strike(arena, row_.n / 2);
  if (camera) arena.home.camera().restart();
  else arena.home.hub().restart();
  arena.settle();
  (void)row_.strike(arena, row_.n / 2);
  recover(arena, arm);
  judge(arena, arm);
}

}  // namespace

Outcome run(const Row& row) {
  Outcome out;
  const auto begun = std::chrono::steady_clock::now();
  try {
    Runner runner(row, out);
    runner.main_arm();
    runner.restart_arm(false);
    runner.restart_arm(true);
  } catch (const std::exception& e) {
    out.deviations.emplace_back(e.what());
  }
  out.took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  return out;
}

Counts counts(Arena& arena) {
  Counts all;
  const auto& watcher = arena.home.hub().watcher();
  const auto frames = watcher.refused();
  const auto control = watcher.refused_control();
  for (const auto reason : watch::all_refusals) {
    all[std::format("frame {}", watch::name(reason))] = frames[reason];
    all[std::format("control {}", watch::name(reason))] = control[reason];
  }
  for (auto& camera : arena.home.cameras()) {
    if (const auto status = watcher.camera(camera->id())) {
      all["held back"] += status->counters.held_back;
      all["overload"] += status->counters.overload;
      all["wait for key"] += status->counters.waiting_for_key;
    }
    for (std::size_t i = 0; i < stream::ask_refusals; ++i)
      all[std::format("ask {}", stream::name(static_cast<stream::AskRefusal>(i)))] += camera->asks().refused[i];
    all["roster refused"] += camera->publisher().counters().rosters_refused;
    all["command refused"] += camera->orders().refused();
    all["foreign topic"] += camera->publisher().counters().foreign;
  }
  return all;
}

const std::vector<Row>& all_rows() {
  static const std::vector<Row> rows = [] {
    std::vector<Row> made;
    for (const auto add :
         {add_message_rows, add_moved_rows, add_time_rows, add_order_rows, add_key_rows, add_insider_rows,
          add_clone_rows, add_roster_rows, add_command_rows, add_ask_rows, add_size_rows})
      add(made);
    return made;
  }();
  return rows;
}

}  // namespace sealcam::attacks
