// SPDX-License-Identifier: Apache-2.0
// A hub of the roster that turned bad: it holds the content key, and its own signing key.
#include "attacks/moves.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;
using test::must;

/// A function, since rows are made before main as well.
std::set<std::string> epoch_changes() { return {"ask wrong_epoch", "ask too_often", "wait for key"}; }

Row forged_frames(bool own_name) {
  Row row;
  row.name = own_name ? "a hub with the content key forges frames in its own name"
                      : "a hub with the content key forges frames in the camera's name";
  row.refused_as = own_name ? "wrong_account" : "bad_signature";
  row.control_is = own_name ? "the camera's frames of the same epoch" : "naive viewer without signatures";
  if (!own_name) row.without = Without::signature;
  row.also = epoch_changes();
  row.strike = [own_name, forger = std::make_shared<Forger>()](Arena& arena, int n) {
    const auto before = arena.home.hub().screen().shown();
    const auto grants = fresh_grants(arena);
    until_live(arena);
    Sent sent;
    for (int i = 0; i < n; ++i, ++sent.messages) {
      const auto signer = own_name ? arena.home.member(1).keys().identity : forger->as(arena.home.camera().actor());
      arena.broker.publish(
          {protocol::topic(arena.home.camera().route(), Leaf::video), forger->frame(arena, grants, signer), false, 0s});
    }
    sent.refused[own_name ? "frame wrong_account" : "frame bad_signature"] = sent.messages;
    sent.control = arena.home.hub().screen().shown() - before;
    return sent;
  };
  return row;
}

/// Its own grant, sealed to the other hub and put into the camera's mouth.
Row forged_grants(bool own_name) {
  Row row;
  row.name = own_name ? "a hub forges grants in its own name" : "a hub forges grants in the camera's name";
  row.refused_as = own_name ? "wrong_account" : "bad_signature";
  row.control_is = "the camera's own grants";
  row.also = epoch_changes();
  row.strike = [own_name, forger = std::make_shared<Forger>()](Arena& arena, int n) {
    const auto signer = own_name ? arena.home.member(1).keys().identity : forger->as(arena.home.camera().actor());
    const auto route = arena.home.camera().route();
    protocol::GrantContent content;
    must(crypto::random(content.base_key.fill()));
    content.camera_name = "forged";
    const auto forged = must(protocol::encode_grants(*arena.home.camera().roster(), {}, Epoch(~0ULL),
                                                     crypto::sframe::CipherSuite::aes_128_gcm_sha256_128, content,
                                                     arena.clock.wall(), route, signer));
    Sent sent;
    for (int i = 0; i < n; ++i, ++sent.messages) {
      arena.to_hub(Leaf::grants, forged);
      arena.run(100ms);
    }
    sent.refused[own_name ? "control wrong_account" : "control bad_signature"] = sent.messages;
    const auto before = arena.home.hub().screen().shown();
    (void)fresh_grants(arena);
    until_live(arena);
    sent.control = arena.home.hub().screen().shown() - before;
    return sent;
  };
  return row;
}

/// Genuine frames with the other spelling of their signature: not one byte else differs.
Row respelled_frames() {
  Row row;
  row.name = "frame again, with the other spelling of its signature";
  row.refused_as = "replayed";
  row.control_is = "naive viewer without memory of what was seen";
  row.without = Without::replay;
  row.strike = [](Arena& arena, int n) {
    arena.seen.clear();
    arena.recording = true;
    arena.run_until([&] { return arena.seen.size() >= static_cast<std::size_t>(n); }, 60s);
    const auto tape = std::exchange(arena.seen, {});
    arena.let_go();
    Sent sent;
    for (const auto& s : tape) {
      if (!is_frame(s.topic.leaf)) continue;
      arena.broker.publish({s.packet.topic, respelled(s.packet.payload), false, 0s});
      ++sent.messages;
    }
    sent.refused["frame replayed"] = sent.messages;
    return sent;
  };
  return row;
}

}  // namespace

void add_insider_rows(std::vector<Row>& rows) {
  rows.push_back(forged_frames(true));
  rows.push_back(forged_frames(false));
  rows.push_back(forged_grants(true));
  rows.push_back(forged_grants(false));
  rows.push_back(respelled_frames());
}

}  // namespace sealcam::attacks
