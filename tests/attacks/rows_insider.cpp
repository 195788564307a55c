// SPDX-License-Identifier: Apache-2.0
// A malicious hub on the roster. It has the base key and its own signing key.
#include "attacks/moves.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;
using test::must;

/// A function, because some rows are made before main().
std::set<std::string> epoch_changes() { return {"request wrong_epoch", "request too_often", "wait for key"}; }

Row forged_frames(bool own_name) {
  Row row;
  row.name = own_name ? "a hub with the base key forges frames in its own name"
                      : "a hub with the base key forges frames in the camera's name";
  row.rejected_as = own_name ? "wrong_account" : "bad_signature";
  row.control_is = own_name ? "the camera's frames of the same epoch" : "naive hub without signatures";
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
    sent.rejected[own_name ? "frame wrong_account" : "frame bad_signature"] = sent.messages;
    sent.control = arena.home.hub().screen().shown() - before;
    return sent;
  };
  return row;
}

/// Grants that a hub made and sealed to the other hub.
Row forged_grants(bool own_name) {
  Row row;
  row.name = own_name ? "a hub forges grants in its own name" : "a hub forges grants in the camera's name";
  row.rejected_as = own_name ? "wrong_account" : "bad_signature";
  row.control_is = "the camera's own grants";
  row.also = epoch_changes();
  row.strike = [own_name, forger = std::make_shared<Forger>()](Arena& arena, int n) {
    const auto signer = own_name ? arena.home.member(1).keys().identity : forger->as(arena.home.camera().actor());
    const auto route = arena.home.camera().route();
    protocol::GrantContent content;
    must(crypto::random(content.base_key.fill()));
    content.camera_name = "forged";
    const auto forged = must(protocol::encode_grants({.roster = *arena.home.camera().roster(),
                                                      .content = content,
                                                      .epoch = protocol::Epoch(~0ULL),
                                                      .created = arena.clock.wall()},
                                                     route, signer));
    Sent sent;
    for (int i = 0; i < n; ++i, ++sent.messages) {
      arena.to_hub(Leaf::grants, forged);
      arena.run(100ms);
    }
    sent.rejected[own_name ? "control wrong_account" : "control bad_signature"] = sent.messages;
    const auto before = arena.home.hub().screen().shown();
    (void)fresh_grants(arena);
    until_live(arena);
    sent.control = arena.home.hub().screen().shown() - before;
    return sent;
  };
  return row;
}

/// Genuine frames with the other valid s of their signature. No other byte differs.
Row resigned_frames() {
  Row row;
  row.name = "frame replayed with the other valid s";
  row.rejected_as = "bad_signature";
  row.control_is = "naive hub without the checks of s and for replays";
  row.without = Without::low_s;
  row.strike = [](Arena& arena, int n) {
    arena.seen.clear();
    arena.recording = true;
    arena.run_until([&] { return arena.seen.size() >= static_cast<std::size_t>(n); }, 60s);
    const auto tape = std::exchange(arena.seen, {});
    arena.stop_attack();
    Sent sent;
    for (const auto& s : tape) {
      if (!is_frame(s.topic.leaf)) continue;
      arena.broker.publish({s.packet.topic, resigned(s.packet.payload), false, 0s});
      ++sent.messages;
    }
    sent.rejected["frame bad_signature"] = sent.messages;
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
  rows.push_back(resigned_frames());
}

}  // namespace sealcam::attacks
