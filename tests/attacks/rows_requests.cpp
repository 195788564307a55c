// SPDX-License-Identifier: Apache-2.0
// View requests at the camera. Control: a valid request of the same hub is accepted.

#include "attacks/moves.hpp"
#include "base/format.hpp"
#include "protocol/view_request.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;
using test::must;

Bytes request_by(Arena& arena, const crypto::SigningKey& key, const protocol::Route& route,
                 std::optional<protocol::Epoch> epoch = {}) {
  static std::uint64_t seq = 1'000'000;
  ++seq;
  return must(
      protocol::encode_view_request({protocol::RequestKind::live, protocol::Challenge(seq),
                                     epoch.value_or(arena.home.camera().epoch().value()), protocol::RequestSeq(seq)},
                                    route, key));
}

/// Sends a valid request of the second hub. Returns the number of accepted requests.
std::uint64_t send_valid(Arena& arena) {
  arena.run(1s);
  const auto before = arena.home.camera().requests().accepted;
  deliver_request(arena, next_request(arena));
  return arena.home.camera().requests().accepted - before;
}

struct Attack {
  std::string name, counter;
  std::function<Bytes(Arena&)> make;
  std::function<DeviceId(Arena&)> topic;       ///< hub of the topic
  std::chrono::milliseconds interval = 500ms;  ///< within the rate at which the camera checks requests
  bool once = false;                           ///< the message is made once and then repeated
};

Row make_row(const Attack& attack) {
  Row row;
  row.name = "request: " + attack.name;
  row.rejected_as = attack.counter;
  row.control_is = "a valid request of the second hub";
  row.n = 8;
  row.options.picture_every = 500ms;
  row.strike = [attack](Arena& arena, int n) {
    Sent sent;
    arena.run(1s);
    const auto first = attack.make(arena);
    for (int i = 0; i < n; ++i, ++sent.messages) {
      const auto message = attack.once ? first : attack.make(arena);
      arena.to_camera({arena.home.camera().route(), Leaf::request, attack.topic(arena)}, message);
      arena.run(attack.interval);
    }
    sent.rejected["request " + attack.counter] = sent.messages;
    sent.control = send_valid(arena);
    return sent;
  };
  return row;
}

/// 100 requests in each step of 100 ms. `per_second`: the number of signatures that a camera may check.
Row flood(const std::string& name, std::size_t hubs, std::uint64_t per_second) {
  Row row;
  row.name = "request: 1,000 a second, " + name;
  row.rejected_as = "too_often, replayed";
  row.note = sealcam::format("the camera checks at most {} signatures per second", per_second);
  row.control_is = "a valid request of the second hub";
  row.n = 6;
  row.options.hubs = hubs;
  row.options.picture_every = 1s;
  row.strike = [hubs, per_second](Arena& arena, int seconds) {
    const auto& requests = arena.home.camera().requests();
    arena.run(1s);
    std::vector<Bytes> messages;
    for (std::size_t h = 1; h < hubs; ++h) {
      messages.push_back(next_request(arena, h));
      if (hubs == 2) deliver_request(arena, messages.back());  // so that all later ones are replays
    }
    const auto accepted = requests.accepted;
    const auto verified = requests.verified;
    const auto often = requests.rejected[protocol::RejectReason::too_often];
    Sent sent;
    for (int step = 0; step < seconds * 10; ++step) {
      for (int i = 0; i < 100; ++i, ++sent.messages) {
        const auto h = static_cast<std::size_t>(i) % messages.size();
        deliver_request(arena, messages[h], h + 1);
      }
      arena.run(Arena::step);
    }
    const auto checked = requests.verified - verified;
    const auto own = static_cast<std::uint64_t>(seconds) + 1;  // of the unmodified hub
    if (checked > (per_second * static_cast<std::uint64_t>(seconds)) + per_second + own)
      throw std::runtime_error(sealcam::format("the camera checked {} signatures in {} s", checked, seconds));
    sent.rejected["request replayed"] = checked - (requests.accepted - accepted);
    if (hubs == 2) sent.rejected["request too_often"] = sent.messages - sent.rejected["request replayed"];
    else
      sent.rejected["request too_often"] =
          requests.rejected[protocol::RejectReason::too_often] - often;  // including those of the unmodified hub
    arena.run(1s);
    sent.control = send_valid(arena);
    return sent;
  };
  return row;
}

/// A hub on the roster reports with each request that it cannot open its grant.
Row churn() {
  Row row;
  row.name = "a hub reports with each request that it cannot open its grant";
  row.rejected_as = "at most one epoch in 10 s";
  row.note = "the requests are accepted; the other hub stays LIVE";
  row.control_is = "a camera that begins an epoch for each report";
  row.n = 20;
  row.also = {"request wrong_epoch", "request too_often", "wait for key"};
  row.options.picture_every = 500ms;
  row.strike = [](Arena& arena, int n) {
    const auto& publisher = arena.home.camera().publisher();
    const auto& hub = arena.home.member(1);
    const auto epochs = publisher.counters().epochs;
    const auto accepted = arena.home.camera().requests().accepted;
    const auto live = arena.home.hub().screen().live();
    static std::uint64_t seq = 3'000'000;
    Sent sent;
    for (int i = 0; i < n; ++i, ++sent.messages) {
      ++seq;
      protocol::ViewRequest request{protocol::RequestKind::live, protocol::Challenge(seq),
                                    arena.home.camera().epoch().value(), protocol::RequestSeq(seq)};
      request.prekey = protocol::Prekey{protocol::PrekeyNumber(seq), hub.hpke()};
      request.cannot_open = true;
      deliver_request(arena,
                      must(protocol::encode_view_request(request, arena.home.camera().route(), hub.keys().identity)));
      arena.run(500ms);
    }
    const auto begun = publisher.counters().epochs - epochs;
    if (begun > 1 + static_cast<std::uint64_t>(n) / 20)
      throw std::runtime_error(sealcam::format("one hub caused {} epochs", begun));
    if (arena.home.hub().screen().live() == live) throw std::runtime_error("the other hub shows no LIVE picture");
    sent.control = arena.home.camera().requests().accepted - accepted - begun;
    return sent;
  };
  return row;
}

}  // namespace

void add_request_rows(std::vector<Row>& rows) {
  const auto second = [](Arena& a) { return a.home.member(1).id(); };
  const auto own_route = [](Arena& a) { return a.home.camera().route(); };
  const auto stranger = std::make_shared<Actor>();
  const auto forger = std::make_shared<Forger>();
  rows.push_back(make_row({"replayed", "replayed",
                           [](Arena& a) {
                             auto message = next_request(a);
                             deliver_request(a, message);
                             a.run(1s);
                             return message;
                           },
                           second, 500ms, true}));
  rows.push_back(make_row({"replayed with the other valid s", "bad_signature",
                           [](Arena& a) {
                             auto message = next_request(a);
                             deliver_request(a, message);
                             a.run(1s);
                             return resigned(message);
                           },
                           second, 500ms, true}));
  rows.push_back(make_row(
      {"for another epoch", "wrong_epoch",
       [=](Arena& a) { return request_by(a, a.home.member(1).keys().identity, own_route(a), Epoch(7)); }, second}));
  rows.push_back(make_row({"of a hub that is not on the roster", "unknown_hub",
                           [=](Arena& a) { return request_by(a, stranger->keys().identity, own_route(a)); },
                           [=](Arena&) { return stranger->id(); }, 100ms}));
  rows.push_back(make_row({"of one hub on another's topic", "other_signer",
                           [=](Arena& a) { return request_by(a, a.home.member(1).keys().identity, own_route(a)); },
                           [](Arena& a) { return a.home.member(0).id(); }, 100ms}));
  rows.push_back(
      make_row({"in a hub's name, with another key", "bad_signature",
                [=](Arena& a) { return request_by(a, forger->as(a.home.member(1)), own_route(a)); }, second}));
  rows.push_back(make_row(
      {"for another camera of the account", "bad_signature",
       [](Arena& a) { return request_by(a, a.home.member(1).keys().identity, a.home.camera(1).route()); }, second}));
  rows.back().options.cameras = 2;
  rows.push_back(flood("replays of one hub's request", 2, 2));
  rows.push_back(flood("of 40 hubs", 41, 32));
  rows.back().n = 2;
  rows.back().note += " in total; requests of the unmodified hub wait also";
  rows.push_back(churn());
}

}  // namespace sealcam::attacks
