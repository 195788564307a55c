// SPDX-License-Identifier: Apache-2.0
// Genuine frames of the open epoch in another order, or with gaps.
#include <algorithm>
#include <random>

#include "attacks/row.hpp"
#include "protocol/frame.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;

bool is_video(const Seen& s, FrameKind kind) {
  const auto view = protocol::parse_frame(s.packet.payload);
  return s.topic.leaf == Leaf::video && view && view->kind == kind;
}

/// One delta of each group is delivered after the next group was shown.
Row late() {
  Row row;
  row.name = "a frame is delivered after a newer one was shown";
  row.rejected_as = "out_of_order";
  row.control_is = "naive hub without the check of the order";
  row.without = Without::order;
  row.n = 4;
  row.also = {"wait for key"};
  row.strike = [](Arena& arena, int n) {
    Sent sent;
    for (int i = 0; i < n; ++i) {
      std::optional<Seen> held;
      arena.passes = [&](const Seen& s) {
        if (held || !is_video(s, FrameKind::delta)) return true;
        held = s;
        return false;
      };
      arena.run_until([&] { return held.has_value(); }, 5s);
      bool key = false;
      arena.passes = [&](const Seen& s) {
        key |= is_video(s, FrameKind::key);
        return true;
      };
      arena.run_until([&] { return key; }, 5s);
      arena.stop_attack();
      arena.broker.publish(held->packet);
      ++sent.messages;
    }
    sent.rejected["frame out_of_order"] = sent.messages;
    return sent;
  };
  return row;
}

/// Frames are shuffled in blocks.
Row shuffled() {
  Row row;
  row.name = "frames shuffled in blocks of 6";
  row.rejected_as = "out_of_order, or waits for a key frame";
  row.note = "a frame that is in order by chance is shown";
  row.control_is = "naive hub without the check for gaps";
  row.without = Without::gaps;
  row.n = 30;
  row.also = {"wait for key", "frame out_of_order"};
  row.strike = [](Arena& arena, int n) {
    std::minstd_rand random(7);
    std::vector<Packet> block;
    Sent sent;
    arena.passes = [&](const Seen& s) {
      if (!is_frame(s.topic.leaf)) return true;
      block.push_back(s.packet);
      return false;
    };
    while (sent.messages < static_cast<std::uint64_t>(n)) {
      arena.run_until([&] { return block.size() >= 6; }, 5s);
      std::ranges::shuffle(block, random);
      for (const auto& packet : std::exchange(block, {})) {
        arena.broker.publish(packet);
        ++sent.messages;
      }
    }
    arena.stop_attack();
    return sent;
  };
  return row;
}

Row cut_out() {
  Row row;
  row.name = "one delta of each group is dropped";
  row.rejected_as = "waits for a key frame";
  row.note = "the frames after the gap wait";
  row.control_is = "naive hub without the check for gaps";
  row.without = Without::gaps;
  row.n = 20;
  row.also = {"wait for key"};
  row.strike = [](Arena& arena, int n) {
    Sent sent;
    int in_group = 0;
    arena.passes = [&](const Seen& s) {
      if (is_video(s, FrameKind::key)) in_group = 0;
      if (!is_video(s, FrameKind::delta) || ++in_group != 3) return true;
      ++sent.messages;
      return false;
    };
    arena.run(200ms * 10 * std::min(n, 20) / 4);
    arena.stop_attack();
    return sent;
  };
  return row;
}

Row twice() {
  Row row;
  row.name = "each frame is delivered three times";
  row.rejected_as = "replayed";
  row.control_is = "naive hub without the check for replays";
  row.without = Without::replay;
  row.strike = [](Arena& arena, int n) {
    Sent sent;
    std::vector<Packet> again;
    arena.passes = [&](const Seen& s) {
      if (is_frame(s.topic.leaf)) again.push_back(s.packet);
      return true;
    };
    while (sent.messages < static_cast<std::uint64_t>(n)) {
      arena.run(Arena::step);
      for (const auto& packet : std::exchange(again, {}))
        for (int copy = 0; copy < 2; ++copy) {
          arena.broker.publish(packet);
          ++sent.messages;
        }
    }
    arena.stop_attack();
    sent.rejected["frame replayed"] = sent.messages;
    return sent;
  };
  return row;
}

}  // namespace

void add_order_rows(std::vector<Row>& rows) {
  rows.push_back(twice());
  rows.push_back(late());
  rows.push_back(shuffled());
  rows.push_back(cut_out());
}

}  // namespace sealcam::attacks
