// SPDX-License-Identifier: Apache-2.0
// Commands, and a hub that speaks like an owner, at the camera. Control: the next command of the right owner is obeyed,
// a hub that may is.
#include <format>

#include "attacks/moves.hpp"
#include "crypto/cbor.hpp"
#include "crypto/hpke.hpp"
#include "protocol/ask.hpp"
#include "protocol/command.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;
using protocol::Want;
using test::must;

/// Names the camera, and closes its sensor: who obeys it can be told.
Bytes command(const protocol::Route& route, CommandSeq seq, const crypto::PublicKey& camera,
              const crypto::SigningKey& owner, bool closed = true) {
  protocol::Command command;
  command.seq = seq;
  command.name = {seq, "a name"};
  if (closed) command.privacy = {seq, true};
  return must(protocol::encode_command(command, route, camera, owner));
}

/// Of the right owner, and sealed to the right camera; the sensor stays open.
Bytes rightful(Arena& arena) {
  const auto& camera = arena.home.camera();
  return command(camera.route(), arena.home.next_command(), camera.actor().hpke(), arena.home.owner().keys().identity,
                 false);
}

void deliver(Arena& arena, ByteView message) {
  arena.to_camera({arena.home.camera().route(), Leaf::command, {}}, message);
}

/// The camera obeys it, and shows that it lives on.
Bytes obeyed(Arena& arena) {
  auto message = rightful(arena);
  const auto items = arena.home.camera().obeyed_items();
  deliver(arena, message);
  until_live(arena);
  if (arena.home.camera().obeyed_items() != items + 1) throw std::runtime_error("a rightful command is not obeyed");
  return message;
}

/// What a camera is, as far as commands can change it.
struct Condition {
  std::uint64_t items;
  std::optional<CommandSeq> seq;
  bool privacy, stopping;
  std::optional<Epoch> epoch;
  friend bool operator==(const Condition&, const Condition&) = default;
};
Condition condition(Arena& arena) {
  const auto& camera = arena.home.camera();
  return {camera.obeyed_items(), camera.orders().obeyed(), camera.orders().privacy(), camera.publisher().reset_wanted(),
          camera.epoch()};
}

using Make = std::function<Bytes(Arena&)>;

Sent strike(Arena& arena, int n, const Make& make, bool counted) {
  const auto message = make(arena);
  arena.run(1s);
  const auto before = condition(arena);
  Sent sent;
  for (int i = 0; i < n; ++i, ++sent.messages) {
    deliver(arena, message);
    arena.run(300ms);  // no faster than commands are verified
  }
  if (counted) sent.refused["command refused"] = sent.messages;
  arena.run(1s);
  if (condition(arena) != before) throw std::runtime_error("a refused command changed something");
  (void)obeyed(arena);
  sent.control = 1;
  return sent;
}

Row& add(std::vector<Row>& rows, const std::string& what, const Make& make, const std::string& ignored_since = {}) {
  Row row;
  row.name = "command: " + what;
  row.refused_as = ignored_since.empty() ? "refused" : "ignored";
  row.note = ignored_since;
  row.control_is = "the next one of the right owner is obeyed";
  row.n = 6;
  row.also = {"ask wrong_epoch", "ask too_often", "wait for key"};
  row.options.picture_every = 500ms;
  row.strike = [make, counted = ignored_since.empty()](Arena& arena, int n) { return strike(arena, n, make, counted); };
  return rows.emplace_back(std::move(row));
}

/// By the right owner, for the right camera; `fill` writes the plaintext.
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
  add(rows, "by another owner",
      [by, other = std::make_shared<Actor>()](Arena& a) { return by(a, other->keys().identity); });
  add(rows, "by a hub on the roster", [by](Arena& a) { return by(a, a.home.member(1).keys().identity); });
  add(rows, "in the owner's name by another",
      [by, forger = std::make_shared<Forger>()](Arena& a) { return by(a, forger->as(a.home.owner())); });
  add(rows, "of another camera of the account", [](Arena& a) {
    const auto& other = a.home.camera(1);
    return command(other.route(), a.home.next_command(), other.actor().hpke(), a.home.owner().keys().identity);
  }).options.cameras = 2;
  add(rows, "of another account's owner, for this camera there", [](Arena& a) {
    const auto& owner = a.neighbour->owner();
    return command(test::route_of(owner, a.home.camera().actor()), a.home.next_command(),
                   a.home.camera().actor().hpke(), owner.keys().identity);
  }).options.neighbour = true;
  add(rows, "sealed to another camera's key", [other = std::make_shared<Actor>()](Arena& a) {
    return command(a.home.camera().route(), a.home.next_command(), other->hpke(), a.home.owner().keys().identity);
  });
  add(rows, "with an item that nobody knows", [](Arena& a) {
    return sealed_as(a, [](crypto::CborWriter& plain, CommandSeq seq) {
      plain.map(2).integer(2).array(2).unsigned_integer(seq.value()).boolean(true);
      plain.integer(6).array(2).unsigned_integer(seq.value()).boolean(true);
    });
  });
  add(rows, "with an item from a command that is still to come", [](Arena& a) {
    return sealed_as(a, [](crypto::CborWriter& plain, CommandSeq seq) {
      plain.map(1).integer(2).array(2).unsigned_integer(seq.value() + 1).boolean(true);
    });
  });
}

void add_old(std::vector<Row>& rows) {
  add(rows, "rolled back to the one before", [](Arena& a) {
    auto old = obeyed(a);
    (void)obeyed(a);
    return old;
  });
  add(rows, "rolled back, held before it ever arrived", [](Arena& a) {
    const auto& camera = a.home.camera();
    auto held = command(camera.route(), a.home.next_command(), camera.actor().hpke(), a.home.owner().keys().identity);
    (void)obeyed(a);
    return held;
  });
  add(rows, "replayed", [](Arena& a) { return obeyed(a); }, "it is the one that is obeyed already");
  add(
      rows, "replayed, with the other spelling of its signature", [](Arena& a) { return respelled(obeyed(a)); },
      "it is the one that is obeyed already");
  add(
      rows, "empty, retained",
      [](Arena& a) {
        a.broker.publish({protocol::topic(a.home.camera().route(), Leaf::command), {}, true, 0s});
        return Bytes();
      },
      "what was obeyed stays");
}

Bytes privacy_ask(Arena& arena, Want want) {
  static std::uint64_t seq = 2'000'000;
  ++seq;
  return must(protocol::encode_ask({want, protocol::Challenge(seq), arena.home.camera().epoch().value(), AskSeq(seq)},
                                   arena.home.camera().route(), arena.home.member(1).keys().identity));
}

/// The roster of both hubs, the second of which may switch privacy.
void let_second_switch(Arena& arena) {
  const auto& camera = arena.home.camera();
  auto roster = test::roster_of(camera.actor(), arena.home.next_version(), {&arena.home.member(0)});
  roster.hubs.push_back(arena.home.member(1).as_hub());
  roster.hubs.back().may_switch_privacy = true;
  arena.broker.publish({protocol::topic(camera.route(), Leaf::roster),
                        must(protocol::encode_roster(roster, camera.route(), arena.home.owner().keys().identity)), true,
                        0s});
  until_live(arena);
}

/// The second hub wants it; whether privacy is on then.
bool privacy_after(Arena& arena, Want want) {
  deliver_ask(arena, privacy_ask(arena, want));
  arena.run(1s);
  return arena.home.camera().orders().privacy();
}

Sent strike_privacy(Arena& arena, int n) {
  arena.home.publish_roster();  // after the one before, without the right
  until_live(arena);
  arena.run(1s);
  Sent sent;
  for (int i = 0; i < n; ++i, ++sent.messages) {
    deliver_ask(arena, privacy_ask(arena, i % 2 == 0 ? Want::privacy_on : Want::privacy_off));
    arena.run(500ms);
    if (arena.home.camera().orders().privacy()) throw std::runtime_error("a hub without the right closed the sensor");
  }
  sent.refused["ask not_allowed"] = sent.messages;
  let_second_switch(arena);
  if (!privacy_after(arena, Want::privacy_on)) throw std::runtime_error("a hub that may cannot close the sensor");
  if (privacy_after(arena, Want::privacy_off)) throw std::runtime_error("a hub that may cannot open the sensor");
  until_live(arena);
  sent.control = 2;
  return sent;
}

}  // namespace

void add_command_rows(std::vector<Row>& rows) {
  add_forged(rows);
  add_old(rows);
  Row row;
  row.name = "ask: privacy, by a hub that may not switch it";
  row.refused_as = "not_allowed";
  row.control_is = "the same hub's, once the roster lets it";
  row.n = 6;
  row.also = {"ask wrong_epoch", "ask too_often", "wait for key"};
  row.options.picture_every = 500ms;
  row.strike = strike_privacy;
  rows.push_back(std::move(row));
}

}  // namespace sealcam::attacks
