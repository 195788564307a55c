// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "attacks/row.hpp"
#include "base/format.hpp"
#include "support/live_bytes.hpp"

namespace sealcam::attacks {

using namespace std::chrono_literals;

namespace {

constexpr std::int64_t max_growth = 64 << 10;  // reused buffers have no fixed size
constexpr std::int64_t max_held = 12LL << 20;  // frames that wait for grants, and buffers

/// The hubs of the control: one without the check, one with all checks.
struct NaiveHubs {
  explicit NaiveHubs(Arena& arena, const Row& row) : weak(arena, row.without), full(arena, Without::nothing) {
    if (row.neighbor_keys) {
      weak.join(*arena.neighbor);
      full.join(*arena.neighbor);
    }
    arena.settle();
    arena.every_step = [this, &arena, fresh = row.without == Without::freshness] {
      if (fresh && weak.screen().shown() > 0) weak.screen().look(arena.home.camera().id());
    };
  }
  NaiveHub weak, full;
};

class Runner {
 public:
  Runner(const Row& row, Outcome& out) : row_(row), out_(out) {}
  void main_arm();
  void restart_arm(bool camera);

 private:
  void expect(bool good, std::string what) {
    if (!good) out_.deviations.push_back(std::move(what));
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
         sealcam::format("{}: no LIVE picture before the attack", arm));
  // The requests of the start would otherwise count as part of the attack at the other cameras.
  if (arena.home.cameras().size() > 1) arena.run(2s);
}

void Runner::recover(Arena& arena, const char* arm) {
  const auto serial = arena.home.camera().last_serial();
  expect(arena.run_until([&] { return arena.home.hub().screen().newest_live() > serial; }, 15s),
         sealcam::format("{}: no LIVE picture after the attack", arm));
  arena.run(1200ms);  // frames without grants are dropped
}

Sent Runner::strike(Arena& arena, int n, const char* arm) {
  const auto before = counts(arena);
  const auto live = arena.home.hub().screen().live();
  const auto lines = arena.log.lines();
  auto sent = row_.strike(arena, n);
  if (row_.stale)
    expect(arena.home.hub().screen().live() == live,
           sealcam::format("{}: {} LIVE pictures during the attack", arm, arena.home.hub().screen().live() - live));
  arena.settle();
  if (!row_.uncounted) compare(sent, before, counts(arena), arm);
  expect(arena.log.lines() - lines <= 40 + sent.messages / 2,
         sealcam::format("{}: {} log lines for {} messages", arm, arena.log.lines() - lines, sent.messages));
  return sent;
}

void Runner::compare(const Sent& sent, const Counts& before, const Counts& after, const char* arm) {
  for (const auto& [counter, value] : after) {
    const auto start = before.find(counter);
    // After a restart of the camera its counters start again.
    const auto rose = start == before.end() || value < start->second ? value : value - start->second;
    const auto expected = sent.rejected.find(counter);
    const std::uint64_t must = expected == sent.rejected.end() ? 0 : expected->second;
    if (expected == sent.rejected.end() && row_.also.contains(counter)) continue;
    expect(rose == must, sealcam::format("{}: counter '{}' increased by {} instead of {}", arm, counter, rose, must));
  }
}

void Runner::judge(Arena& arena, const char* arm) {
  const auto& screen = arena.home.hub().screen();
  out_.wrong += screen.wrong();
  expect(screen.wrong() == 0,
         sealcam::format("{}: {} pictures shown wrongly, the first one: {}", arm, screen.wrong(), screen.why()));
}

void Runner::main_arm() {
  Arena arena(row_.options);
  if (row_.before_start) row_.before_start(arena);
  std::optional<NaiveHubs> naive;
  if (row_.without != Without::nothing) naive.emplace(arena, row_);
  begin(arena, "n");
  test::reset_peak_bytes();
  const auto held = test::live_bytes();
  const auto sent = strike(arena, row_.n, "n");
  out_.messages = sent.messages;
  out_.rejected = sent.rejected;
  out_.control = naive ? naive->weak.screen().wrong() : sent.control;
  expect(out_.control > 0, "the control showed no picture");
  if (naive) {
    const auto& full = naive->full.screen();
    expect(full.wrong() == 0, sealcam::format("a naive hub with all checks shows {} wrong pictures, the first one: {}",
                                              full.wrong(), full.why()));
  }
  naive.reset();
  arena.every_step = nullptr;
  recover(arena, "n");
  arena.seen.clear();
  const auto after_n = test::live_bytes();
  (void)strike(arena, 10 * row_.n, "10 n");
  recover(arena, "10 n");
  out_.grown = test::live_bytes() - after_n;
  out_.peak = test::peak_bytes() - held;
  expect(out_.grown <= max_growth, sealcam::format("memory grew by {} bytes after 10 n messages", out_.grown));
  expect(out_.peak <= max_held, sealcam::format("the devices held {} bytes during the attack", out_.peak));
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
    if (row.alone) {
      row.alone(row, out);
    } else {
      Runner runner(row, out);
      runner.main_arm();
      runner.restart_arm(false);
      runner.restart_arm(true);
    }
  } catch (const std::exception& e) {
    out.deviations.emplace_back(e.what());
  }
  out.took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  return out;
}

Counts counts(Arena& arena) {
  Counts all;
  const auto& watcher = arena.home.hub().watcher();
  const auto frames = watcher.rejected();
  const auto control = watcher.rejected_control();
  for (const auto reason : protocol::hub_reject_reasons) {
    all[sealcam::format("frame {}", protocol::name(reason))] = frames[reason];
    all[sealcam::format("control {}", protocol::name(reason))] = control[reason];
  }
  for (auto& camera : arena.home.cameras()) {
    if (const auto status = watcher.camera(camera->id())) {
      all["held back"] += status->counters.held_back;
      all["overload"] += status->counters.overload;
      all["wait for key"] += status->counters.waiting_for_key;
    }
    for (const auto reason : protocol::request_reject_reasons)
      all[sealcam::format("request {}", protocol::name(reason))] += camera->requests().rejected[reason];
    all["roster rejected"] += camera->publisher().counters().rosters_rejected;
    all["command rejected"] += camera->commands().rejected();
    all["unknown topic"] += camera->publisher().counters().unexpected_topics;
  }
  return all;
}

const std::vector<Row>& all_rows() {
  static const std::vector<Row> rows = [] {
    std::vector<Row> made;
    for (const auto add : {add_message_rows, add_moved_rows,   add_time_rows,     add_clock_rows,     add_order_rows,
                           add_key_rows,     add_insider_rows, add_clone_rows,    add_hub_state_rows, add_prekey_rows,
                           add_roster_rows,  add_command_rows, add_privacy_rows,  add_request_rows,   add_size_rows,
                           add_storage_rows, add_hostile_rows, add_operator_rows, add_recording_rows, add_past_rows})
      add(made);
    return made;
  }();
  return rows;
}

}  // namespace sealcam::attacks
