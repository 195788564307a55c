// SPDX-License-Identifier: Apache-2.0
// Messages delivered where they do not belong: to another camera, account, topic.
#include "attacks/row.hpp"
#include "protocol/frame.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;
using test::must;

/// Lets everything pass until `n` frames were recorded that `wanted` names; then those. With `divert` they do not
/// reach those for whom they are.
std::vector<Seen> record(Arena& arena, int n, const std::function<bool(const Seen&)>& wanted, bool divert = false) {
  arena.seen.clear();
  arena.recording = true;
  if (divert) arena.passes = [wanted](const Seen& s) { return !wanted(s); };
  const auto all = [&] {
    std::vector<Seen> found;
    for (const auto& s : arena.seen)
      if (wanted(s)) found.push_back(s);
    return found;
  };
  arena.run_until([&] { return all().size() >= static_cast<std::size_t>(n); }, 90s);
  auto found = all();
  if (found.size() > static_cast<std::size_t>(n)) found.resize(static_cast<std::size_t>(n));
  arena.let_go();
  arena.seen.clear();
  return found;
}

/// Frames of one camera go out on another's topic, as a cache that is keyed too coarsely would have it.
Row to_another_camera() {
  Row row{.name = "frame moved to another camera of the account",
          .refused_as = "wrong_account",
          .control_is = "naive viewer without looking who signed",
          .strike = [](Arena& arena, int n) {
            const auto other = arena.home.camera(1).route();
            const auto frames = record(
                arena, n, [&](const Seen& s) { return s.topic.route == other && s.topic.leaf == Leaf::video; }, true);
            for (const auto& s : frames)
              arena.broker.publish(
                  {protocol::topic(arena.home.camera().route(), Leaf::video), s.packet.payload, false, 0s});
            return Sent{frames.size(), {{"frame wrong_account", frames.size()}}, 0};
          }};
  row.options.cameras = 2;
  row.without = Without::route;
  return row;
}

Row to_another_account() {
  Row row{.name = "frame moved to another account",
          .refused_as = "wrong_account",
          .control_is = "naive viewer with both accounts' keys, without looking who signed",
          .strike = [](Arena& arena, int n) {
            const auto other = arena.neighbour->camera().route();
            const auto frames = record(
                arena, n, [&](const Seen& s) { return s.topic.route == other && s.topic.leaf == Leaf::video; }, true);
            for (const auto& s : frames)
              arena.broker.publish(
                  {protocol::topic(arena.home.camera().route(), Leaf::video), s.packet.payload, false, 0s});
            return Sent{frames.size(), {{"frame wrong_account", frames.size()}}, 0};
          }};
  row.options.neighbour = true;
  row.without = Without::route;
  row.neighbour_keys = true;
  return row;
}

/// Delivered with its own topic to a hub of another account: the stranger's keys are of no use, and it knows at once.
Row own_topic_stranger() {
  Row row{.name = "frame delivered to a hub of another account",
          .refused_as = "not_member",
          .control_is = "the hub of its own account",
          .strike = [](Arena& arena, int n) {
            const auto other = arena.neighbour->camera().route();
            const auto before = arena.neighbour->hub().screen().shown();
            const auto frames =
                record(arena, n, [&](const Seen& s) { return s.topic.route == other && s.topic.leaf == Leaf::video; });
            for (const auto& s : frames) arena.to_hub(s.topic, s.packet.payload);
            return Sent{
                frames.size(), {{"frame not_member", frames.size()}}, arena.neighbour->hub().screen().shown() - before};
          }};
  row.options.neighbour = true;
  return row;
}

/// One camera whose owner changed: the same keys of the camera in two accounts.
Row sold_camera() {
  Row row{.name = "frame of a camera's former account moved to its present one",
          .refused_as = "bad_signature, not_decryptable",
          .control_is = "naive viewer with both accounts' keys, without binding to the account",
          .strike =
              [](Arena& arena, int n) {
                auto& former = arena.neighbour->camera(1);
                const auto frames = record(
                    arena, n,
                    [&](const Seen& s) { return s.topic.route == former.route() && s.topic.leaf == Leaf::video; },
                    true);
                for (const auto& s : frames)
                  arena.broker.publish(
                      {protocol::topic(arena.home.camera().route(), Leaf::video), s.packet.payload, false, 0s});
                arena.run(1200ms);
                return Sent{frames.size(), {{"frame bad_signature", frames.size()}}, 0};
              },
          .n = 10};
  row.refused_as = "bad_signature";
  row.options.neighbour = true;
  row.without = Without::binding;
  row.neighbour_keys = true;
  row.before_start = [](Arena& arena) {
    arena.neighbour->adopt(arena.home.camera().actor(), 201);
    arena.neighbour->publish_roster(1);
    arena.neighbour->camera(1).restart();
    arena.settle();
  };
  return row;
}

Row to_topic(Leaf leaf, const std::string& counter) {
  Row row{.name = "frame moved to the topic '" + std::string(protocol::name(leaf)) + "'",
          .refused_as = counter.substr(counter.find(' ') + 1),
          .control_is = "the same frames on their own topic",
          .strike = [leaf, counter](Arena& arena, int n) {
            const auto before = arena.home.hub().screen().shown();
            const auto frames = record(arena, n, [&](const Seen& s) { return s.topic.leaf == Leaf::video; });
            for (const auto& s : frames) {
              arena.to_hub({s.topic.route, leaf, arena.home.member(0).id()}, s.packet.payload);
              arena.run(100ms);  // no faster than a hub verifies control messages
            }
            return Sent{frames.size(), {{counter, frames.size()}}, arena.home.hub().screen().shown() - before};
          }};
  if (leaf == Leaf::still) {
    row.without = Without::replay;
    row.control_is = "naive viewer without memory of what was seen";
    row.strike = [](Arena& arena, int n) {
      const auto frames = record(arena, n, [&](const Seen& s) { return s.topic.leaf == Leaf::video; });
      for (const auto& s : frames)
        arena.broker.publish({protocol::topic(s.topic.route, Leaf::still), s.packet.payload, false, 0s});
      return Sent{frames.size(), {{"frame replayed", frames.size()}}, 0};
    };
  }
  return row;
}

/// Grants and status on each other's topics, and those of the second camera on the first one's.
Row control_elsewhere() {
  Row row{.name = "grants and status on each other's and on another camera's topic",
          .refused_as = "bad_signature, wrong_account",
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
            arena.let_go();
            Sent sent;
            for (int i = 0; i < n; ++i) {
              const auto leaf = i % 3 == 0 ? Leaf::status : Leaf::grants;
              arena.to_hub(leaf, i % 3 == 0 ? grants : i % 3 == 1 ? status : other);
              ++sent.messages;
              ++sent.refused[i % 3 == 2 ? "control wrong_account" : "control bad_signature"];
              arena.run(100ms);
            }
            sent.control = hub.screen().shown() - before;
            return sent;
          }};
  row.options.cameras = 2;
  row.also = {"ask wrong_epoch", "ask too_often", "wait for key", "frame not_decryptable"};
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
  rows.push_back(to_topic(Leaf::ask, "control malformed"));
  rows.push_back(control_elsewhere());
}

}  // namespace sealcam::attacks
