// SPDX-License-Identifier: Apache-2.0
// Grants that are withheld, for other hubs, or of an older epoch; and hubs that are not on the roster.
#include "attacks/moves.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;

/// An unmodified hub sends requests for its newest known epoch. A function, because some rows are made before main().
std::set<std::string> epoch_changes() { return {"request wrong_epoch", "request too_often", "wait for key"}; }

std::uint64_t shown(Arena& arena) { return arena.home.hub().screen().shown(); }

/// Counts the frames that pass.
void count_frames(Arena& arena, std::uint64_t& messages) {
  arena.passes = [&messages](const Seen& s) {
    if (is_frame(s.topic.leaf)) ++messages;
    return true;
  };
}

Row withheld() {
  Row row;
  row.name = "grants withheld";
  row.rejected_as = "not_decryptable";
  row.control_is = "the grants are delivered";
  row.n = 4;
  row.also = epoch_changes();
  row.strike = [](Arena& arena, int n) {
    Sent sent;
    arena.seen.clear();
    arena.recording = true;
    arena.passes = [](const Seen& s) { return s.topic.leaf != Leaf::grants; };
    arena.home.camera().restart();
    arena.settle();
    const auto grants = arena.newest(Leaf::grants).packet;
    arena.recording = false;
    arena.passes = [&](const Seen& s) {
      if (is_frame(s.topic.leaf)) ++sent.messages;
      return s.topic.leaf != Leaf::grants;
    };
    run_watched_by_second(arena, std::chrono::seconds(n));
    arena.passes = [](const Seen& s) { return !is_frame(s.topic.leaf) && s.topic.leaf != Leaf::grants; };
    arena.run(1200ms);
    sent.rejected["frame not_decryptable"] = sent.messages;
    const auto before = shown(arena);
    arena.stop_attack();
    arena.broker.publish(grants);
    arena.run(2s);
    sent.control = shown(arena) - before;
    return sent;
  };
  return row;
}

/// The camera applies a roster without this hub. The broker does not deliver the roster to the hub.
Row for_another_hub() {
  Row row;
  row.name = "grants for other hubs, after a removal that the hub did not receive";
  row.rejected_as = "not_decryptable";
  row.control_is = "grants of a roster that lists the hub again";
  row.n = 4;
  row.also = epoch_changes();
  row.also.insert("request unknown_hub");
  row.strike = [](Arena& arena, int n) {
    Sent sent;
    arena.run(1s);
    arena.to_camera({arena.home.camera().route(), Leaf::roster, {}},
                    arena.home.roster(0, arena.home.next_version(), {0}));
    arena.settle();
    const auto before = shown(arena);
    count_frames(arena, sent.messages);
    run_watched_by_second(arena, std::chrono::seconds(n));
    arena.passes = [](const Seen& s) { return !is_frame(s.topic.leaf); };
    arena.run(1200ms);
    if (shown(arena) != before) throw std::runtime_error("a removed hub showed pictures");
    sent.rejected = {{"frame not_decryptable", sent.messages}, {"control not_decryptable", 1}};
    ++sent.messages;
    arena.stop_attack();
    arena.home.publish_roster();
    arena.run(2s);
    sent.control = shown(arena) - before;
    return sent;
  };
  return row;
}

Row not_on_roster() {
  Row row;
  row.name = "a hub that is not on the roster";
  row.rejected_as = "not_member";
  row.control_is = "the same hub after a roster lists it again";
  row.n = 4;
  row.also = epoch_changes();
  row.also.insert({"request unknown_hub", "control not_member"});
  row.strike = [](Arena& arena, int n) {
    Sent sent;
    arena.run(1s);
    arena.home.publish_roster(0, {0});
    arena.settle();
    const auto before = shown(arena);
    count_frames(arena, sent.messages);
    run_watched_by_second(arena, std::chrono::seconds(n));
    if (shown(arena) != before) throw std::runtime_error("a hub that is not on the roster showed pictures");
    arena.stop_attack();
    sent.rejected["frame not_member"] = sent.messages;
    arena.home.publish_roster();
    arena.run(2s);
    sent.control = shown(arena) - before;
    return sent;
  };
  return row;
}

struct OldEpoch {
  Packet grants;
  std::vector<Packet> frames;
};

/// Begins an epoch and holds back its frames, at least one whole group. With `shown_first` the hub receives some of
/// them.
OldEpoch old_epoch(Arena& arena, bool shown_first) {
  const auto hold = [](const Seen& s) { return !is_frame(s.topic.leaf); };
  if (!shown_first) arena.passes = hold;  // including the report that answers the first request
  OldEpoch old{{protocol::topic(arena.home.camera().route(), Leaf::grants), fresh_grants(arena), false, 0s}, {}};
  if (shown_first) until_live(arena);
  arena.recording = true;
  arena.passes = hold;
  arena.run(2500ms);
  for (const auto& s : std::exchange(arena.seen, {}))
    if (is_frame(s.topic.leaf)) old.frames.push_back(s.packet);
  arena.stop_attack();
  return old;
}

Row rolled_back(bool was_live) {
  Row row;
  row.name =
      was_live ? "grants and frames of a closed epoch" : "grants and frames of an older epoch that was never live";
  row.rejected_as = "closed_epoch";
  row.control_is = "naive hub without closing of epochs";
  row.without = Without::closing;
  row.n = 4;
  row.also = epoch_changes();
  row.strike = [was_live](Arena& arena, int n) {
    Sent sent;
    const auto old = old_epoch(arena, was_live);
    arena.home.camera().restart();
    until_live(arena);
    // No genuine picture passes, so that the hub could show the old ones.
    arena.passes = [](const Seen& s) { return !is_frame(s.topic.leaf); };
    arena.broker.publish(old.grants);
    ++sent.messages;
    sent.rejected["control closed_epoch"] = 1;
    for (int i = 0; i < n; ++i) {
      arena.broker.publish(old.frames.at(static_cast<std::size_t>(i) % old.frames.size()));
      ++sent.messages;
    }
    sent.rejected["frame closed_epoch"] = static_cast<std::uint64_t>(n);
    arena.run(1200ms);
    arena.stop_attack();
    return sent;
  };
  if (!was_live) row.note = "its counter is smaller than the highest one that the hub stored";
  return row;
}

/// A restarted hub knows no current epoch. A broker offers it recorded epochs in turn.
Row three_old_epochs() {
  Row row;
  row.name = "grants and frames of three old epochs in turn, to a restarted hub";
  row.rejected_as = "replayed, not_decryptable, held back";
  row.note = "the reason depends on the epochs that the hub stores at the moment";
  row.control_is = "naive hub without the check for replays";
  row.without = Without::replay;
  row.uncounted = true;
  row.stale = true;
  row.n = 6;
  row.before_start = [](Arena& arena) { arena.run(1s); };
  struct Recordings {
    std::vector<OldEpoch> epochs;
    const Arena* of = nullptr;
  };
  row.strike = [recordings = std::make_shared<Recordings>()](Arena& arena, int n) {
    const auto live = arena.home.hub().screen().live();
    if (std::exchange(recordings->of, &arena) != &arena) recordings->epochs.clear();
    while (recordings->epochs.size() < 3) recordings->epochs.push_back(old_epoch(arena, false));
    if (arena.home.hub().screen().live() != live) throw std::runtime_error("a picture was LIVE while no frame passed");
    arena.passes = [](const Seen& s) { return !is_frame(s.topic.leaf) && s.topic.leaf != Leaf::grants; };
    arena.home.hub().restart();
    arena.settle();
    Sent sent;
    for (int i = 0; i < n; ++i) {
      const auto& epoch = recordings->epochs[static_cast<std::size_t>(i) % 3];
      arena.broker.publish(epoch.grants);
      ++sent.messages;
      for (std::size_t f = 0; f < 4; ++f, ++sent.messages) arena.broker.publish(epoch.frames.at(f));
      arena.run(100ms);
    }
    arena.run(1200ms);
    arena.stop_attack();
    arena.home.camera().restart();
    return sent;
  };
  return row;
}

}  // namespace

void add_key_rows(std::vector<Row>& rows) {
  rows.push_back(withheld());
  rows.push_back(for_another_hub());
  rows.push_back(not_on_roster());
  rows.push_back(rolled_back(true));
  rows.push_back(rolled_back(false));
  rows.push_back(three_old_epochs());
}

}  // namespace sealcam::attacks
