// SPDX-License-Identifier: Apache-2.0
// The stolen state of a hub that does not record. Control: the hub's state at the time of the frames.
#include <algorithm>

#include "attacks/moves.hpp"
#include "base/format.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;

/// The state of a hub contains its HPKE key and its prekeys. Base keys are in memory only.
std::uint64_t opened_with_state_of_now(Arena& arena) {
  const auto& hub = arena.home.hub();
  return opened_frames(arena, hub.actor().id(), [&](protocol::PrekeyNumber number) { return hub.key(number); });
}

void pass_days(Arena& arena, int days) {
  for (int day = 0; day < days; ++day) {
    arena.clock.advance(24h);
    arena.hub_clock.advance(24h);
    arena.run(2s);
  }
}

/// Records an epoch whose grants are sealed to the hub's prekey. Returns the number of its frames.
std::uint64_t record_epoch(Arena& arena, int frames) {
  arena.run(2s);  // the camera receives the newest prekey
  arena.seen.clear();
  arena.recording = true;
  arena.home.camera().renew();
  arena.settle();
  const auto count = [&] {
    return static_cast<std::uint64_t>(
        std::ranges::count_if(arena.seen, [](const Seen& s) { return is_frame(s.topic.leaf); }));
  };
  arena.run_until([&] { return count() >= static_cast<std::uint64_t>(frames); }, 600s);
  arena.recording = false;
  return count();
}

Sent steal_after_nine_days(Arena& arena, int n) {
  Sent sent;
  sent.messages = record_epoch(arena, n);
  sent.control = opened_with_state_of_now(arena);
  if (sent.control != sent.messages) throw std::runtime_error("the hub's own state does not open all frames");
  pass_days(arena, 9);
  if (const auto opened = opened_with_state_of_now(arena); opened > 0)
    throw std::runtime_error(sealcam::format("a thief opens {} of {} frames", opened, sent.messages));
  arena.seen.clear();
  until_live(arena);
  return sent;
}

}  // namespace

void add_prekey_rows(std::vector<Row>& rows) {
  Row row;
  row.name = "the state of a hub that does not record is stolen nine days after the frames";
  row.rejected_as = "no private key";
  row.note = "the messages are the recorded frames";
  row.control_is = "the recorded frames that open with the state of their day";
  row.n = 20;
  row.uncounted = true;
  row.strike = steal_after_nine_days;
  rows.push_back(std::move(row));
}

}  // namespace sealcam::attacks
