// SPDX-License-Identifier: Apache-2.0
// A camera that cannot write to its disk. Control: a camera that stores a roster before it applies it, so that the old
// roster stays in effect if the disk is full.
#include "attacks/moves.hpp"
#include "base/format.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;
using test::must;

constexpr int requests = 30;  ///< of the removed hub, in 3 s

/// Removes the second hub while the camera cannot store the roster. Both hubs send requests. Returns the number of
/// frames that the second hub can open. `naive`: the camera rejects a roster that it cannot store, as if it did not
/// arrive.
std::uint64_t revoke(Arena& arena, bool naive) {
  arena.home.publish_roster();
  until_live(arena);
  run_watched_by_second(arena, 1s);
  // The hub may also have recorded the grants of the epoch before.
  arena.seen.clear();
  arena.recording = true;
  arena.home.camera().renew();
  arena.settle();
  until_live(arena);
  const auto grants = arena.newest(Leaf::grants);
  arena.seen.assign(1, grants);
  auto& stores = arena.home.camera().stores();
  stores.roster.broken = stores.epochs.broken = true;
  if (naive) arena.passes = [](const Seen& s) { return s.topic.leaf != Leaf::roster; };
  arena.home.publish_roster(0, {1});
  arena.settle();
  for (int i = 0; i < requests; ++i) {
    deliver_request(arena, next_request(arena));
    arena.run(Arena::step);
  }
  const auto& second = arena.home.member(1);
  const auto opened = opened_frames(arena, second.id(), [&](protocol::PrekeyNumber) { return &second.keys().hpke; });
  stores.roster.broken = stores.epochs.broken = false;
  arena.stop_attack();
  arena.seen.clear();
  return opened;
}

Row full_disk() {
  Row row;
  row.name = "a hub is removed while the camera's disk is full";
  row.rejected_as = "unknown_hub";
  row.note = "the removed hub's view requests are rejected, and it opens no frame";
  row.control_is = "a camera that stores a roster before it applies it";
  row.n = 2;
  row.also = {"request wrong_epoch", "request too_often", "request unknown_hub", "wait for key"};
  row.strike = [](Arena& arena, int n) {
    Sent sent;
    for (int i = 0; i < n; ++i, sent.messages += requests)
      if (const auto opened = revoke(arena, false); opened > 0)
        throw std::runtime_error(sealcam::format("the removed hub can open {} frames", opened));
    sent.control = revoke(arena, true);
    arena.home.publish_roster();
    until_live(arena);
    return sent;
  };
  return row;
}

}  // namespace

void add_storage_rows(std::vector<Row>& rows) { rows.push_back(full_disk()); }

}  // namespace sealcam::attacks
