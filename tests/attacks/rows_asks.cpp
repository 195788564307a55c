// SPDX-License-Identifier: Apache-2.0
// Asks, at the camera. Control: a rightful ask of the same hub is obeyed.
#include <format>

#include "attacks/moves.hpp"
#include "protocol/ask.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;
using test::must;

Bytes ask_by(Arena& arena, const crypto::SigningKey& key, const protocol::Route& route,
             std::optional<Epoch> epoch = {}) {
  static std::uint64_t seq = 1'000'000;
  ++seq;
  return must(protocol::encode_ask({protocol::Want::live, protocol::Challenge(seq),
                                    epoch.value_or(arena.home.camera().epoch().value()), AskSeq(seq)},
                                   route, key));
}

/// Asks that were accepted of the second hub.
std::uint64_t rightful(Arena& arena) {
  arena.run(1s);
  const auto before = arena.home.camera().asks().accepted;
  deliver_ask(arena, next_ask(arena));
  return arena.home.camera().asks().accepted - before;
}

struct Attack {
  std::string name, counter;
  std::function<Bytes(Arena&)> make;
  std::function<DeviceId(Arena&)> topic;   ///< whose
  std::chrono::milliseconds pace = 500ms;  ///< no faster than asks are verified
  bool once = false;                       ///< made once, then repeated
};

Row make_row(const Attack& attack) {
  Row row;
  row.name = "ask: " + attack.name;
  row.refused_as = attack.counter;
  row.control_is = "a rightful ask of the second hub";
  row.n = 8;
  row.options.picture_every = 500ms;
  row.strike = [attack](Arena& arena, int n) {
    Sent sent;
    arena.run(1s);
    const auto first = attack.make(arena);
    for (int i = 0; i < n; ++i, ++sent.messages) {
      const auto message = attack.once ? first : attack.make(arena);
      arena.to_camera({arena.home.camera().route(), Leaf::ask, attack.topic(arena)}, message);
      arena.run(attack.pace);
    }
    sent.refused["ask " + attack.counter] = sent.messages;
    sent.control = rightful(arena);
    return sent;
  };
  return row;
}

/// 100 in each step of 100 ms. `per_second`: how many of them a camera may verify.
Row flood(const std::string& name, std::size_t hubs, std::uint64_t per_second) {
  Row row;
  row.name = "ask: 1,000 a second, " + name;
  row.refused_as = "too_often, replayed";
  row.note = std::format("at most {} signatures a second are checked", per_second);
  row.control_is = "a rightful ask of the second hub";
  row.n = 6;
  row.options.hubs = hubs;
  row.options.picture_every = 1s;
  row.strike = [hubs, per_second](Arena& arena, int seconds) {
    const auto& asks = arena.home.camera().asks();
    arena.run(1s);
    std::vector<Bytes> messages;
    for (std::size_t h = 1; h < hubs; ++h) {
      messages.push_back(next_ask(arena, h));
      if (hubs == 2) deliver_ask(arena, messages.back());  // so that all that follow are replays
    }
    const auto accepted = asks.accepted;
    const auto verified = asks.verified;
    const auto often = asks[stream::AskRefusal::too_often];
    Sent sent;
    for (int step = 0; step < seconds * 10; ++step) {
      for (int i = 0; i < 100; ++i, ++sent.messages) {
        const auto h = static_cast<std::size_t>(i) % messages.size();
        deliver_ask(arena, messages[h], h + 1);
      }
      arena.run(Arena::step);
    }
    const auto checked = asks.verified - verified;
    const auto own = static_cast<std::uint64_t>(seconds) + 1;  // the honest hub's
    if (checked > (per_second * static_cast<std::uint64_t>(seconds)) + per_second + own)
      throw std::runtime_error(std::format("{} signatures were checked in {} s", checked, seconds));
    sent.refused["ask replayed"] = checked - (asks.accepted - accepted);
    if (hubs == 2) sent.refused["ask too_often"] = sent.messages - sent.refused["ask replayed"];
    else sent.refused["ask too_often"] = asks[stream::AskRefusal::too_often] - often;  // the honest hub's among them
    arena.run(1s);
    sent.control = rightful(arena);
    return sent;
  };
  return row;
}

}  // namespace

void add_ask_rows(std::vector<Row>& rows) {
  const auto second = [](Arena& a) { return a.home.member(1).id(); };
  const auto own_route = [](Arena& a) { return a.home.camera().route(); };
  const auto stranger = std::make_shared<Actor>();
  const auto forger = std::make_shared<Forger>();
  rows.push_back(make_row({"replayed", "replayed",
                           [](Arena& a) {
                             auto message = next_ask(a);
                             deliver_ask(a, message);
                             a.run(1s);
                             return message;
                           },
                           second, 500ms, true}));
  rows.push_back(make_row({"replayed, with the other spelling of its signature", "replayed",
                           [](Arena& a) {
                             auto message = next_ask(a);
                             deliver_ask(a, message);
                             a.run(1s);
                             return respelled(message);
                           },
                           second, 500ms, true}));
  rows.push_back(make_row(
      {"of another epoch", "wrong_epoch",
       [=](Arena& a) { return ask_by(a, a.home.member(1).keys().identity, own_route(a), Epoch(7)); }, second}));
  rows.push_back(make_row({"of a hub that is not on the roster", "unknown_hub",
                           [=](Arena& a) { return ask_by(a, stranger->keys().identity, own_route(a)); },
                           [=](Arena&) { return stranger->id(); }, 100ms}));
  rows.push_back(make_row({"of one hub on another's topic", "foreign_signer",
                           [=](Arena& a) { return ask_by(a, a.home.member(1).keys().identity, own_route(a)); },
                           [](Arena& a) { return a.home.member(0).id(); }, 100ms}));
  rows.push_back(make_row({"in a hub's name by another", "bad_signature",
                           [=](Arena& a) { return ask_by(a, forger->as(a.home.member(1)), own_route(a)); }, second}));
  rows.push_back(make_row(
      {"for another camera of the account", "bad_signature",
       [](Arena& a) { return ask_by(a, a.home.member(1).keys().identity, a.home.camera(1).route()); }, second}));
  rows.back().options.cameras = 2;
  rows.push_back(flood("replays of one hub's", 2, 2));
  rows.push_back(flood("of 40 hubs", 41, 32));
  rows.back().n = 2;
  rows.back().note += " in all; the honest hub's wait, too";
}

}  // namespace sealcam::attacks
