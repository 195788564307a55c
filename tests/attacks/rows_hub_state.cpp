// SPDX-License-Identifier: Apache-2.0
// What a hub keeps over a restart, and the owner's list of cameras.
#include <stdexcept>

#include "attacks/moves.hpp"
#include "protocol/roster.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;
using test::must;

watch::Reason reason(Arena& arena) {
  const auto status = arena.home.hub().watcher().camera(arena.home.camera().id());
  return status ? status->reason : watch::Reason::none;
}

/// Number of pictures that the camera captures and the hub shows in this time.
std::uint64_t shown_in(Arena& arena, std::chrono::milliseconds time) {
  const auto before = arena.home.hub().screen().shown();
  arena.run(time);
  return arena.home.hub().screen().shown() - before;
}

/// The camera runs with a copy of its state folder from before several restarts. The hub was restarted too, so that
/// only its state folder knows the later epochs.
Sent old_camera_state(Arena& arena, int n) {
  auto& camera = arena.home.camera();
  const auto counter = camera.stored_epoch();
  for (int i = 0; i < 3; ++i) {
    camera.restart();
    until_live(arena);
  }
  const auto newest = camera.stored_epoch();
  camera.restore_epoch(counter > 0 ? counter - 1 : 0);
  camera.restart();
  arena.home.hub().restart();
  arena.settle();
  Sent sent;
  arena.every_step = [&] { ++sent.messages; };
  if (shown_in(arena, 500ms * n) != 0) throw std::runtime_error("a picture of an old epoch was shown");
  arena.every_step = nullptr;
  if (reason(arena) != watch::Reason::restored) throw std::runtime_error("the hub did not report the old card");
  // Control: a hub that lost the counter shows the pictures.
  arena.home.hub().lose_epochs();
  arena.home.hub().restart();
  arena.settle();
  sent.control = shown_in(arena, 10s);
  camera.restore_epoch(newest);
  camera.restart();
  until_live(arena);
  return sent;
}

/// The messages of three epochs that the hub saw. A later epoch is the current one.
std::vector<Packet> three_epochs(Arena& arena) {
  arena.seen.clear();
  arena.recording = true;
  for (int i = 0; i < 3; ++i) {
    arena.home.camera().restart();
    until_live(arena);
    arena.home.hub().restart();  // uses up a block of request numbers
    until_live(arena);
  }
  arena.recording = false;
  std::vector<Packet> tape;
  for (const auto& s : std::exchange(arena.seen, {}))
    if (is_frame(s.topic.leaf) || s.topic.leaf == Leaf::grants) tape.push_back(s.packet);
  arena.home.camera().restart();
  until_live(arena);
  return tape;
}

/// The hub starts, and receives recorded messages only. Returns the number of shown pictures.
std::uint64_t start_with(Arena& arena, const std::vector<Packet>& tape) {
  auto& hub = arena.home.hub();
  const auto before = hub.screen().shown();
  arena.broker.publish({protocol::topic(arena.home.camera().route(), Leaf::still), {}, true, 0s});
  hub.restart();
  arena.settle();
  for (const auto& packet : tape) {
    arena.broker.publish(packet);
    arena.settle();
  }
  arena.run(1500ms);
  return hub.screen().shown() - before;
}

/// The hub runs with a copy of its state folder from before three epochs of the camera, and repeats request numbers.
Sent old_hub_state(Arena& arena, int n) {
  auto& hub = arena.home.hub();
  Sent sent;
  for (int i = 0; i < n; ++i) {
    const auto copy = hub.folder();
    const auto tape = three_epochs(arena);
    sent.messages += 2 * tape.size();
    arena.passes = [](const Seen& s) { return !is_frame(s.topic.leaf) && s.topic.leaf != Leaf::grants; };
    const auto live = hub.screen().live();
    if (start_with(arena, tape) != 0) throw std::runtime_error("a hub with its own folder showed a closed epoch");
    hub.roll_back(copy);
    sent.control += start_with(arena, tape);
    if (hub.screen().live() != live) throw std::runtime_error("a recorded picture was LIVE");
    arena.stop_attack();
    arena.home.camera().restart();  // it remembers the hub's highest request number until it restarts
    until_live(arena);
  }
  return sent;
}

Bytes index_of(Arena& arena, const crypto::SigningKey& signer, std::uint64_t version, std::vector<DeviceId> cameras) {
  return must(protocol::encode_index({protocol::IndexVersion(version), std::move(cameras)},
                                     arena.home.owner().account(), arena.home.member(0).id(), signer));
}

using MakeIndex = std::function<Bytes(Arena&)>;

Sent deliver_indexes(Arena& arena, int n, const MakeIndex& make, const std::string& counter) {
  const protocol::Topic topic{{arena.home.owner().account(), {}}, Leaf::index, arena.home.member(0).id()};
  const auto before = arena.home.hub().client().filters;
  const auto message = make(arena);
  Sent sent;
  for (int i = 0; i < n; ++i, ++sent.messages) {
    arena.to_hub(topic, message, true);
    arena.run(100ms);
  }
  if (!counter.empty()) sent.rejected[counter] = sent.messages;
  if (arena.home.hub().client().filters != before)
    throw std::runtime_error("a rejected list of cameras changed the subscriptions");
  // Control: the owner's next list adds a camera.
  const Actor added;
  arena.to_hub(topic, index_of(arena, arena.home.owner().keys().identity, arena.home.next_index(),
                               {arena.home.camera().id(), added.id()}));
  sent.control = arena.home.hub().client().filters.size() - before.size();
  arena.to_hub(
      topic, index_of(arena, arena.home.owner().keys().identity, arena.home.next_index(), {arena.home.camera().id()}));
  return sent;
}

Row index_row(const std::string& what, const std::string& rejected_as, const MakeIndex& make,
              const std::string& note = {}) {
  Row row;
  row.name = "list of cameras: " + what;
  row.rejected_as = rejected_as.empty() ? "ignored" : rejected_as;
  row.note = note;
  row.control_is = "the owner's next list subscribes to one more camera";
  row.n = 12;
  row.strike = [make, counter = rejected_as.empty() ? "" : "control " + rejected_as](Arena& arena, int n) {
    return deliver_indexes(arena, n, make, counter);
  };
  return row;
}

/// The broker has deleted the list of cameras when the hub starts, and then delivers an old one that names no camera.
Sent withheld_index(Arena& arena, int n) {
  auto& hub = arena.home.hub();
  const protocol::Topic topic{{arena.home.owner().account(), {}}, Leaf::index, hub.actor().id()};
  const auto old = index_of(arena, arena.home.owner().keys().identity, 1, {});
  Sent sent;
  const auto shown_after_start = [&] {
    arena.broker.publish({text(topic), {}, true, 0s});
    hub.restart();
    arena.settle();
    ++sent.messages;
    return shown_in(arena, 3s);
  };
  for (int i = 0; i < n; ++i) {
    if (shown_after_start() == 0) throw std::runtime_error("a camera of a stored roster was hidden");
    for (int k = 0; k < 4; ++k, ++sent.messages) arena.to_hub(topic, old, true);
    if (shown_in(arena, 1s) == 0) throw std::runtime_error("an old list hid a camera");
  }
  // Control: what a hub without stored rosters misses while the list is withheld.
  hub.lose_rosters();
  if (shown_after_start() != 0) throw std::runtime_error("a hub without rosters and list found a camera");
  arena.home.publish_index();
  arena.settle();
  sent.control = shown_in(arena, 3s);
  return sent;
}

}  // namespace

void add_hub_state_rows(std::vector<Row>& rows) {
  Row row;
  row.name = "the camera's state folder is rolled back";
  row.rejected_as = "closed_epoch";
  row.control_is = "pictures shown by a hub that lost its record of epochs";
  row.uncounted = true;
  row.n = 20;
  row.strike = old_camera_state;
  rows.push_back(row);

  Row folder;
  folder.name = "the hub's state folder is rolled back";
  folder.rejected_as = "closed_epoch, or STALE";
  folder.note = "the hub with the old folder shows recorded pictures as STALE, until the camera answers";
  folder.control_is = "pictures of closed epochs that the hub with the old folder shows as STALE";
  folder.uncounted = true;
  folder.n = 2;
  folder.strike = old_hub_state;
  rows.push_back(folder);

  Row withheld;
  withheld.name = "list of cameras: withheld, or an old one, when the hub starts";
  withheld.rejected_as = "the stored roster finds the camera";
  withheld.control_is = "pictures that a hub without stored rosters shows after it received the list";
  withheld.uncounted = true;
  withheld.n = 4;
  withheld.strike = withheld_index;
  rows.push_back(withheld);

  const auto empty = std::vector<DeviceId>();
  rows.push_back(index_row("an older version", "out_of_order", [=](Arena& a) {
    const protocol::Topic topic{{a.home.owner().account(), {}}, Leaf::index, a.home.member(0).id()};
    const auto newest = a.home.next_index() + 1;
    a.to_hub(topic, index_of(a, a.home.owner().keys().identity, a.home.next_index(), {a.home.camera().id()}));
    return index_of(a, a.home.owner().keys().identity, newest - 1, empty);
  }));
  rows.push_back(index_row("of another owner", "wrong_account", [=, other = std::make_shared<Actor>()](Arena& a) {
    return index_of(a, other->keys().identity, a.home.next_index() + 100, empty);
  }));
  rows.push_back(index_row("in the owner's name, with another key", "bad_signature",
                           [=, forger = std::make_shared<Forger>()](Arena& a) {
                             return index_of(a, forger->as(a.home.owner()), a.home.next_index() + 100, empty);
                           }));
  rows.push_back(index_row(
      "empty, retained", "", [](Arena&) { return Bytes(); }, "the hub keeps the list, and the cameras of its rosters"));
}

}  // namespace sealcam::attacks
