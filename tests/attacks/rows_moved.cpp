// SPDX-License-Identifier: Apache-2.0
// Messages that are delivered to another camera, account or topic.
#include "attacks/row.hpp"
#include "protocol/frame.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;
using test::must;

/// Runs until `n` messages that match `selected` were recorded, and returns them. With `divert` they are not delivered.
std::vector<Seen> record(Arena& arena, int n, const std::function<bool(const Seen&)>& selected, bool divert = false) {
  arena.seen.clear();
  arena.recording = true;
  if (divert) arena.passes = [selected](const Seen& s) { return !selected(s); };
  const auto all = [&] {
    std::vector<Seen> found;
    for (const auto& s : arena.seen)
      if (selected(s)) found.push_back(s);
    return found;
  };
  arena.run_until([&] { return all().size() >= static_cast<std::size_t>(n); }, 90s);
  auto found = all();
  if (found.size() > static_cast<std::size_t>(n)) found.resize(static_cast<std::size_t>(n));
  arena.stop_attack();
  arena.seen.clear();
  return found;
}

/// Publishes frames of another camera on the topic of the first one, instead of their own. Returns their number.
std::size_t move_frames(Arena& arena, int n, const protocol::Route& from) {
  const auto frames =
      record(arena, n, [&](const Seen& s) { return s.topic.route == from && s.topic.leaf == Leaf::video; }, true);
  const auto topic = protocol::topic(arena.home.camera().route(), Leaf::video);
  for (const auto& s : frames) arena.broker.publish({topic, s.packet.payload, false, 0s});
  return frames.size();
}

/// Frames of one camera are published on another camera's topic, as by a cache with a key that is too coarse.
Row to_another_camera() {
  Row row{.name = "frame moved to another camera of the account",
          .rejected_as = "wrong_account",
          .control_is = "naive hub without the check of the signer",
          .strike = [](Arena& arena, int n) {
            const auto moved = move_frames(arena, n, arena.home.camera(1).route());
            return Sent{moved, {{"frame wrong_account", moved}}, 0};
          }};
  row.options.cameras = 2;
  row.without = Without::route;
  return row;
}

Row to_another_account() {
  Row row{.name = "frame moved to another account",
          .rejected_as = "wrong_account",
          .control_is = "naive hub with both accounts' keys, without the check of the signer",
          .strike = [](Arena& arena, int n) {
            const auto moved = move_frames(arena, n, arena.neighbor->camera().route());
            return Sent{moved, {{"frame wrong_account", moved}}, 0};
          }};
  row.options.neighbor = true;
  row.without = Without::route;
  row.neighbor_keys = true;
  return row;
}

/// Frames are delivered on their own topic to a hub of another account.
Row own_topic_stranger() {
  Row row{.name = "frame delivered to a hub of another account",
          .rejected_as = "not_member",
          .control_is = "the hub of its own account",
          .strike = [](Arena& arena, int n) {
            const auto other = arena.neighbor->camera().route();
            const auto before = arena.neighbor->hub().screen().shown();
            const auto frames =
                record(arena, n, [&](const Seen& s) { return s.topic.route == other && s.topic.leaf == Leaf::video; });
            for (const auto& s : frames) arena.to_hub(s.topic, s.packet.payload);
            return Sent{
                frames.size(), {{"frame not_member", frames.size()}}, arena.neighbor->hub().screen().shown() - before};
          }};
  row.options.neighbor = true;
  return row;
}

/// A camera that changed its owner, so that two accounts have the same keys of the camera.
Row sold_camera() {
  Row row{.name = "frame of a camera's previous account moved to its present one",
          .rejected_as = "bad_signature, not_decryptable",
          .control_is = "naive hub with both accounts' keys, without binding to the account",
          .strike =
              [](Arena& arena, int n) {
                const auto moved = move_frames(arena, n, arena.neighbor->camera(1).route());
                arena.run(1200ms);
                return Sent{moved, {{"frame bad_signature", moved}}, 0};
              },
          .n = 10};
  row.rejected_as = "bad_signature";
  row.options.neighbor = true;
  row.without = Without::binding;
  row.neighbor_keys = true;
  row.before_start = [](Arena& arena) {
    arena.neighbor->adopt(arena.home.camera().actor(), 201);
    arena.neighbor->publish_roster(1);
    arena.neighbor->camera(1).restart();
    arena.settle();
  };
  return row;
}

Row to_topic(Leaf leaf, const std::string& counter) {
  Row row{.name = "frame moved to the topic '" + std::string(protocol::name(leaf)) + "'",
          .rejected_as = counter.substr(counter.find(' ') + 1),
          .control_is = "the same frames on their own topic",
          .strike = [leaf, counter](Arena& arena, int n) {
            const auto before = arena.home.hub().screen().shown();
            const auto frames = record(arena, n, [&](const Seen& s) { return s.topic.leaf == Leaf::video; });
            for (const auto& s : frames) {
              arena.to_hub({s.topic.route, leaf, arena.home.member(0).id()}, s.packet.payload);
              arena.run(100ms);  // within the rate at which a hub checks control messages
            }
            return Sent{frames.size(), {{counter, frames.size()}}, arena.home.hub().screen().shown() - before};
          }};
  if (leaf == Leaf::still) {
    row.without = Without::replay;
    row.control_is = "naive hub without the check for replays";
    row.strike = [](Arena& arena, int n) {
      const auto frames = record(arena, n, [&](const Seen& s) { return s.topic.leaf == Leaf::video; });
      for (const auto& s : frames)
        arena.broker.publish({protocol::topic(s.topic.route, Leaf::still), s.packet.payload, false, 0s});
      return Sent{frames.size(), {{"frame replayed", frames.size()}}, 0};
    };
  }
  return row;
}

/// Grants on the status topic and the reverse, and grants of the second camera on the first camera's topic.
Row moved_control() {
  Row row{.name = "grants and status on each other's topic and on another camera's topic",
          .rejected_as = "bad_signature, wrong_account",
          .control_is = "the same grants on their own topic",
          .strike = [](Arena& arena, int n) {
            auto& hub = arena.home.hub();
            const auto before = hub.screen().shown();
            arena.recording = true;
            for (auto& camera : arena.home.cameras()) camera->restart();
            arena.run(1500ms);
            const auto grants = arena.newest(Leaf::grants).packet.payload;
            const auto status = arena.newest(Leaf::status).packet.payload;
            const auto other = std::ranges::find_if(arena.seen, [&](const Seen& s) {
                                 return s.topic.leaf == Leaf::grants && s.topic.route == arena.home.camera(1).route();
                               })->packet.payload;
            arena.stop_attack();
            Sent sent;
            for (int i = 0; i < n; ++i) {
              const auto leaf = i % 3 == 0 ? Leaf::status : Leaf::grants;
              arena.to_hub(leaf, i % 3 == 0 ? grants : i % 3 == 1 ? status : other);
              ++sent.messages;
              ++sent.rejected[i % 3 == 2 ? "control wrong_account" : "control bad_signature"];
              arena.run(100ms);
            }
            sent.control = hub.screen().shown() - before;
            return sent;
          }};
  row.options.cameras = 2;
  row.also = {"request wrong_epoch", "request too_often", "wait for key", "frame not_decryptable"};
  return row;
}

}  // namespace

void add_moved_rows(std::vector<Row>& rows) {
  rows.push_back(to_another_camera());
  rows.push_back(to_another_account());
  rows.push_back(own_topic_stranger());
  rows.push_back(sold_camera());
  rows.push_back(to_topic(Leaf::still, "frame replayed"));
  rows.push_back(to_topic(Leaf::grants, "control malformed"));
  rows.push_back(to_topic(Leaf::status, "control malformed"));
  rows.push_back(to_topic(Leaf::roster, "control wrong_account"));
  rows.push_back(to_topic(Leaf::command, "control malformed"));
  rows.push_back(to_topic(Leaf::request, "control malformed"));
  rows.push_back(moved_control());
}

}  // namespace sealcam::attacks
