// SPDX-License-Identifier: Apache-2.0
// Rosters at the hub and at the camera. Control: the next roster of the owner is applied.

#include "attacks/moves.hpp"
#include "base/format.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;
using test::must;

/// Makes the message that the attack delivers repeatedly.
using Make = std::function<Bytes(Arena&)>;

void deliver(Arena& arena, bool at_camera, ByteView message) {
  const protocol::Topic topic{arena.home.camera().route(), Leaf::roster, {}};
  if (at_camera) arena.to_camera(topic, message);
  else arena.to_hub(topic, message);
}

Sent strike(Arena& arena, int n, bool at_camera, const Make& make, const std::string& counter) {
  const auto message = make(arena);
  arena.run(1s);
  const auto version = arena.home.camera().roster()->version;
  const auto epoch = arena.home.camera().epoch();
  Sent sent;
  for (int i = 0; i < n; ++i, ++sent.messages) {
    deliver(arena, at_camera, message);
    arena.run(at_camera ? 300ms : 100ms);  // within the rate at which devices check rosters
  }
  if (!counter.empty()) sent.rejected[counter] = sent.messages;
  arena.run(1s);
  const auto& camera = arena.home.camera();
  if (camera.roster()->version != version || camera.epoch() != epoch ||
      !arena.home.hub().watcher().camera(camera.id())->member)
    throw std::runtime_error("a rejected roster changed something");
  const auto before = arena.home.hub().screen().shown();
  arena.home.publish_roster();
  until_live(arena);
  if (camera.roster()->version != RosterVersion(arena.home.version()))
    throw std::runtime_error("the next roster was not applied");
  sent.control = arena.home.hub().screen().shown() - before;
  return sent;
}

void add(std::vector<Row>& rows, const std::string& what, const Make& make, const std::string& at_hub,
         const std::string& at_camera, const std::string& note = {}) {
  for (const bool camera : {false, true}) {
    const auto& counter = camera ? at_camera : at_hub;
    Row row;
    row.name = sealcam::format("roster at the {}: {}", camera ? "camera" : "hub", what);
    row.rejected_as = counter.empty() ? "ignored" : camera ? "rejected" : counter.substr(counter.find(' ') + 1);
    row.note = counter.empty() ? note : "";
    row.control_is = "the next roster of the owner";
    row.n = camera ? 6 : 12;
    row.also = {"request wrong_epoch", "request too_often", "wait for key"};
    if (camera) row.options.picture_every = 500ms;
    row.strike = [=](Arena& arena, int n) { return strike(arena, n, camera, make, counter); };
    rows.push_back(std::move(row));
  }
}

Bytes signed_by(Arena& arena, const crypto::SigningKey& key) {
  const auto& camera = arena.home.camera();
  return must(protocol::encode_roster(
      test::roster_of(camera.actor(), arena.home.version() + 5, {&arena.home.member(0), &arena.home.member(1)}),
      camera.route(), key));
}

}  // namespace

void add_roster_rows(std::vector<Row>& rows) {
  const auto older = [](Arena& a) {
    a.home.publish_roster();
    until_live(a);
    return a.home.roster(0, a.home.version() - 1, {0});
  };
  add(rows, "older version", older, "control out_of_order", "roster rejected");

  const auto other_content = [](Arena& a) { return a.home.roster(0, a.home.version(), {0}); };
  add(rows, "equal version, other content", other_content, "", "roster rejected", "the hub reports a conflict");
  rows[rows.size() - 2].rejected_as = "conflict reported";
  rows[rows.size() - 2].strike = [other_content](Arena& arena, int n) {
    const auto make = [&](Arena& a) { return other_content(a); };
    deliver(arena, false, make(arena));
    if (!arena.home.hub().watcher().camera(arena.home.camera().id())->roster_conflict)
      throw std::runtime_error("the hub did not report the conflict");
    return strike(arena, n, false, make, "");
  };

  const auto stranger = std::make_shared<Forger>();
  add(
      rows, "of another owner",
      [other = std::make_shared<Actor>()](Arena& a) { return signed_by(a, other->keys().identity); },
      "control wrong_account", "roster rejected");
  add(
      rows, "in the owner's name, with another key",
      [stranger](Arena& a) { return signed_by(a, stranger->as(a.home.owner())); }, "control bad_signature",
      "roster rejected");
  add(
      rows, "empty, retained",
      [](Arena& a) {
        a.broker.publish({protocol::topic(a.home.camera().route(), Leaf::roster), {}, true, 0s});
        return Bytes();
      },
      "", "", "an empty message changes no rights");
  add(
      rows, "for another camera", [](Arena& a) { return a.home.roster(1, 100); }, "control bad_signature",
      "roster rejected");
  for (auto it = rows.end() - 2; it != rows.end(); ++it) it->options.cameras = 2;
  add(
      rows, "replayed with the other valid s",
      [](Arena& a) {
        a.home.publish_roster();
        until_live(a);
        return resigned(a.home.roster(0, a.home.version()));
      },
      "control bad_signature", "", "its content is already applied");
}

}  // namespace sealcam::attacks
