// SPDX-License-Identifier: Apache-2.0
// Commands at the camera. Control: the next command of the owner is applied.
#include "attacks/moves.hpp"
#include "crypto/cbor.hpp"
#include "crypto/hpke.hpp"
#include "protocol/command.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;
using test::must;

/// A command that renames the camera and closes its sensor, so that its effect is visible.
Bytes command(const protocol::Route& route, CommandSeq seq, const crypto::PublicKey& camera,
              const crypto::SigningKey& owner, bool closed = true) {
  protocol::Command command;
  command.seq = seq;
  command.name = {seq, "a name"};
  if (closed) command.privacy = {seq, true};
  return must(protocol::encode_command(command, route, camera, owner));
}

/// A command of the owner, sealed to the camera. The sensor stays open.
Bytes valid(Arena& arena) {
  const auto& camera = arena.home.camera();
  return command(camera.route(), arena.home.next_command(), camera.actor().hpke(), arena.home.owner().keys().identity,
                 false);
}

void deliver(Arena& arena, ByteView message) {
  arena.to_camera({arena.home.camera().route(), Leaf::command, {}}, message);
}

/// Delivers a valid command. The camera must apply it and continue.
Bytes apply_valid(Arena& arena) {
  auto message = valid(arena);
  const auto items = arena.home.camera().applied_items();
  deliver(arena, message);
  until_live(arena);
  if (arena.home.camera().applied_items() != items + 1) throw std::runtime_error("a valid command was not applied");
  return message;
}

/// The state of a camera that commands can change.
struct Condition {
  std::uint64_t items;
  std::optional<protocol::CommandSeq> seq;
  bool privacy, stopping;
  std::optional<protocol::Epoch> epoch;
  friend bool operator==(const Condition&, const Condition&) = default;
};
Condition condition(Arena& arena) {
  const auto& camera = arena.home.camera();
  return {camera.applied_items(), camera.commands().applied(), camera.commands().privacy(),
          camera.publisher().reset_requested(), camera.epoch()};
}

using Make = std::function<Bytes(Arena&)>;

Sent strike(Arena& arena, int n, const Make& make, bool counted) {
  const auto message = make(arena);
  arena.run(1s);
  const auto before = condition(arena);
  Sent sent;
  for (int i = 0; i < n; ++i, ++sent.messages) {
    deliver(arena, message);
    arena.run(300ms);  // within the rate at which the camera checks commands
  }
  if (counted) sent.rejected["command rejected"] = sent.messages;
  arena.run(1s);
  if (condition(arena) != before) throw std::runtime_error("a rejected command changed something");
  (void)apply_valid(arena);
  sent.control = 1;
  return sent;
}

Row& add(std::vector<Row>& rows, const std::string& what, const Make& make, const std::string& ignored_because = {}) {
  Row row;
  row.name = "command: " + what;
  row.rejected_as = ignored_because.empty() ? "rejected" : "ignored";
  row.note = ignored_because;
  row.control_is = "the next command of the owner is applied";
  row.n = 6;
  row.also = {"request wrong_epoch", "request too_often", "wait for key"};
  row.options.picture_every = 500ms;
  row.strike = [make, counted = ignored_because.empty()](Arena& arena, int n) {
    return strike(arena, n, make, counted);
  };
  return rows.emplace_back(std::move(row));
}

/// A command of the owner for the camera. `fill` writes the plaintext.
Bytes sealed_as(Arena& arena, const std::function<void(crypto::CborWriter&, CommandSeq)>& fill) {
  const auto& camera = arena.home.camera();
  const auto seq = arena.home.next_command();
  crypto::CborWriter plain;
  fill(plain, seq);
  const auto sealed =
      must(crypto::hpke::seal(camera.actor().hpke(), protocol::command_info(camera.route(), seq), plain.take()));
  crypto::CborWriter payload;
  payload.map(3).integer(1).unsigned_integer(seq.value()).integer(2).bytes(sealed.enc);
  payload.integer(3).bytes(sealed.ciphertext);
  return must(protocol::sign_message(protocol::MessageName::command, camera.route(), arena.home.owner().keys().identity,
                                     payload.take()));
}

void add_forged(std::vector<Row>& rows) {
  const auto by = [](Arena& a, const crypto::SigningKey& signer) {
    const auto& camera = a.home.camera();
    return command(camera.route(), a.home.next_command(), camera.actor().hpke(), signer);
  };
  add(rows, "of another owner",
      [by, other = std::make_shared<Actor>()](Arena& a) { return by(a, other->keys().identity); });
  add(rows, "of a hub on the roster", [by](Arena& a) { return by(a, a.home.member(1).keys().identity); });
  add(rows, "in the owner's name, with another key",
      [by, forger = std::make_shared<Forger>()](Arena& a) { return by(a, forger->as(a.home.owner())); });
  add(rows, "for another camera of the account", [](Arena& a) {
    const auto& other = a.home.camera(1);
    return command(other.route(), a.home.next_command(), other.actor().hpke(), a.home.owner().keys().identity);
  }).options.cameras = 2;
  add(rows, "of another account's owner, for the same camera", [](Arena& a) {
    const auto& owner = a.neighbor->owner();
    return command(test::route_of(owner, a.home.camera().actor()), a.home.next_command(),
                   a.home.camera().actor().hpke(), owner.keys().identity);
  }).options.neighbor = true;
  add(rows, "sealed to another camera's key", [other = std::make_shared<Actor>()](Arena& a) {
    return command(a.home.camera().route(), a.home.next_command(), other->hpke(), a.home.owner().keys().identity);
  });
  add(rows, "with an unknown item", [](Arena& a) {
    return sealed_as(a, [](crypto::CborWriter& plain, CommandSeq seq) {
      plain.map(2).integer(2).array(2).unsigned_integer(seq.value()).boolean(true);
      plain.integer(7).array(2).unsigned_integer(seq.value()).boolean(true);
    });
  });
  add(rows, "with an item of a later command", [](Arena& a) {
    return sealed_as(a, [](crypto::CborWriter& plain, CommandSeq seq) {
      plain.map(1).integer(2).array(2).unsigned_integer(seq.value() + 1).boolean(true);
    });
  });
}

/// The owner decides about an update. The camera must apply the decision.
Bytes apply_decision(Arena& arena, protocol::UpdateAction action) {
  const auto& camera = arena.home.camera();
  protocol::Command command;
  command.seq = arena.home.next_command();
  command.update = {command.seq, {.action = action, .version = "0.2.0"}};
  auto message = must(
      protocol::encode_command(command, camera.route(), camera.actor().hpke(), arena.home.owner().keys().identity));
  const auto items = camera.applied_items();
  deliver(arena, message);
  until_live(arena);
  if (camera.applied_items() != items + 1) throw std::runtime_error("a decision of the owner was not applied");
  return message;
}

void add_old(std::vector<Row>& rows) {
  add(rows, "an old start of an update, after the owner rejected the version", [](Arena& a) {
    auto old = apply_decision(a, protocol::UpdateAction::start);
    (void)apply_decision(a, protocol::UpdateAction::reject);
    return old;
  });
  add(rows, "rolled back to the previous command", [](Arena& a) {
    auto old = apply_valid(a);
    (void)apply_valid(a);
    return old;
  });
  add(rows, "held back until a later command was applied", [](Arena& a) {
    const auto& camera = a.home.camera();
    auto held = command(camera.route(), a.home.next_command(), camera.actor().hpke(), a.home.owner().keys().identity);
    (void)apply_valid(a);
    return held;
  });
  add(rows, "replayed", [](Arena& a) { return apply_valid(a); }, "the camera has already applied it");
  add(rows, "replayed with the other valid s", [](Arena& a) { return resigned(apply_valid(a)); });
  add(
      rows, "empty, retained",
      [](Arena& a) {
        a.broker.publish({protocol::topic(a.home.camera().route(), Leaf::command), {}, true, 0s});
        return Bytes();
      },
      "the applied command stays");
}

}  // namespace

void add_command_rows(std::vector<Row>& rows) {
  add_forged(rows);
  add_old(rows);
}

}  // namespace sealcam::attacks
