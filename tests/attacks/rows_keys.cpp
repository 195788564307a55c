// SPDX-License-Identifier: Apache-2.0
// Grants: for somebody else, withheld, rolled back, replaced; and hubs that are not on the roster.
#include "attacks/moves.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;

/// Honest hubs ask for the epoch they know until they know a newer one.
/// A function, since rows are made before main as well.
std::set<std::string> epoch_changes() { return {"ask wrong_epoch", "ask too_often", "wait for key"}; }

std::uint64_t shown(Arena& arena) { return arena.home.hub().screen().shown(); }

/// Counts frames that pass.
void count_frames(Arena& arena, std::uint64_t& messages) {
  arena.passes = [&messages](const Seen& s) {
    if (is_frame(s.topic.leaf)) ++messages;
    return true;
  };
}

Row withheld() {
  Row row;
  row.name = "grants withheld";
  row.refused_as = "not_decryptable";
  row.control_is = "the grants delivered at last";
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
    sent.refused["frame not_decryptable"] = sent.messages;
    const auto before = shown(arena);
    arena.let_go();
    arena.broker.publish(grants);
    arena.run(2s);
    sent.control = shown(arena) - before;
    return sent;
  };
  return row;
}

/// The camera follows a roster without this hub; the hub was never told.
Row for_another_hub() {
  Row row;
  row.name = "grants for other hubs only; the hub's removal kept from it";
  row.refused_as = "not_decryptable";
  row.control_is = "grants of a roster that lists it again";
  row.n = 4;
  row.also = epoch_changes();
  row.also.insert("ask unknown_hub");
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
    if (shown(arena) != before) throw std::runtime_error("a removed hub saw pictures");
    sent.refused = {{"frame not_decryptable", sent.messages}, {"control not_decryptable", 1}};
    ++sent.messages;
    arena.let_go();
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
  row.refused_as = "not_member";
  row.control_is = "the same hub when it is listed again";
  row.n = 4;
  row.also = epoch_changes();
  row.also.insert({"ask unknown_hub", "control not_member"});
  row.strike = [](Arena& arena, int n) {
    Sent sent;
    arena.run(1s);
    arena.home.publish_roster(0, {0});
    arena.settle();
    const auto before = shown(arena);
    count_frames(arena, sent.messages);
    run_watched_by_second(arena, std::chrono::seconds(n));
    if (shown(arena) != before) throw std::runtime_error("a hub that is not on the roster saw pictures");
    arena.let_go();
    sent.refused["frame not_member"] = sent.messages;
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

/// Begins an epoch and holds back frames of it, at least one whole group; with `shown_first` the hub sees a part.
OldEpoch old_epoch(Arena& arena, bool shown_first) {
  const auto hold = [](const Seen& s) { return !is_frame(s.topic.leaf); };
  if (!shown_first) arena.passes = hold;  // also the report that answers the first ask
  OldEpoch old{{protocol::topic(arena.home.camera().route(), Leaf::grants), fresh_grants(arena), false, 0s}, {}};
  if (shown_first) until_live(arena);
  arena.recording = true;
  arena.passes = hold;
  arena.run(2500ms);
  for (const auto& s : std::exchange(arena.seen, {}))
    if (is_frame(s.topic.leaf)) old.frames.push_back(s.packet);
  arena.let_go();
  return old;
}

Row rolled_back(bool was_live) {
  Row row;
  row.name = was_live ? "grants rolled back to a closed epoch, with its frames"
                      : "grants replaced by an older epoch's that never was live, with its frames";
  row.refused_as = was_live ? "closed_epoch" : "held back, not shown";
  row.control_is = "naive viewer without closing epochs";
  row.without = Without::closing;
  row.n = 4;
  row.also = epoch_changes();
  row.strike = [was_live](Arena& arena, int n) {
    Sent sent;
    const auto old = old_epoch(arena, was_live);
    arena.home.camera().restart();
    until_live(arena);
    // No genuine picture in between: the hub shows what it will show of the old ones.
    arena.passes = [](const Seen& s) { return !is_frame(s.topic.leaf); };
    arena.broker.publish(old.grants);
    ++sent.messages;
    if (was_live) sent.refused["control closed_epoch"] = 1;
    for (int i = 0; i < n; ++i) {
      arena.broker.publish(old.frames.at(static_cast<std::size_t>(i) % old.frames.size()));
      ++sent.messages;
    }
    if (was_live) sent.refused["frame closed_epoch"] = static_cast<std::uint64_t>(n);
    arena.run(1200ms);
    arena.let_go();
    return sent;
  };
  if (!was_live) {
    row.also.insert({"held back", "frame replayed", "frame out_of_order"});
    row.note = "a genuine frame of an epoch that did not answer; nothing says that it is forged";
  }
  return row;
}

/// A hub that was restarted knows no current epoch, and a broker with a tape offers it one old epoch after the other.
Row three_old_epochs() {
  Row row;
  row.name = "grants of three old epochs in turn, with their frames, to a restarted hub";
  row.refused_as = "replayed, not_decryptable, held back";
  row.note = "which, depends on the epochs that the hub remembers at the moment";
  row.control_is = "naive viewer without memory of what was seen";
  row.without = Without::replay;
  row.uncounted = true;
  row.stale = true;
  row.n = 6;
  row.before_start = [](Arena& arena) { arena.run(1s); };
  struct Tapes {
    std::vector<OldEpoch> epochs;
    const Arena* of = nullptr;
  };
  row.strike = [tapes = std::make_shared<Tapes>()](Arena& arena, int n) {
    const auto live = arena.home.hub().screen().live();
    if (std::exchange(tapes->of, &arena) != &arena) tapes->epochs.clear();
    while (tapes->epochs.size() < 3) tapes->epochs.push_back(old_epoch(arena, false));
    if (arena.home.hub().screen().live() != live) throw std::runtime_error("LIVE while nothing passed");
    arena.passes = [](const Seen& s) { return !is_frame(s.topic.leaf) && s.topic.leaf != Leaf::grants; };
    arena.home.hub().restart();
    arena.settle();
    Sent sent;
    for (int i = 0; i < n; ++i) {
      const auto& epoch = tapes->epochs[static_cast<std::size_t>(i) % 3];
      arena.broker.publish(epoch.grants);
      ++sent.messages;
      for (std::size_t f = 0; f < 4; ++f, ++sent.messages) arena.broker.publish(epoch.frames.at(f));
      arena.run(100ms);
    }
    arena.run(1200ms);
    arena.let_go();
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
