// SPDX-License-Identifier: Apache-2.0
// Privacy requests of hubs. Control: a permitted hub switches privacy.
#include "attacks/moves.hpp"
#include "base/format.hpp"
#include "protocol/view_request.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;
using protocol::RequestKind;
using test::must;

/// A privacy request of `hub` with this number.
Bytes privacy_request(Arena& arena, const Actor& hub, RequestSeq seq, RequestKind kind, protocol::Nonce nonce) {
  protocol::ViewRequest request{kind, protocol::Challenge(seq.value()), arena.home.camera().epoch().value(), seq};
  if (kind == RequestKind::privacy_off) request.nonce = nonce;
  return must(protocol::encode_view_request(request, arena.home.camera().route(), hub.keys().identity));
}

/// Of the second hub, which sends no requests of its own.
Bytes privacy_request(Arena& arena, RequestKind kind, protocol::Nonce nonce = protocol::Nonce(1)) {
  static std::uint64_t seq = 2'000'000;
  return privacy_request(arena, arena.home.member(1), RequestSeq(++seq), kind, nonce);
}

/// The nonce in a report of the current epoch, which `hub` opens with its keys.
protocol::Nonce nonce_in(Arena& arena, ByteView report, const Actor& hub, const protocol::GrantKeys& keys) {
  const auto& camera = arena.home.camera();
  const auto grants = must(protocol::decode_grants(camera.grants(), camera.route(), camera.actor().verifier()));
  const auto content = must(protocol::open_grant(grants, camera.route(), hub.id(), keys));
  const auto key = must(crypto::sframe::OpeningKey::open(grants.suite, grants.epoch, content.base_key));
  const auto frame = must(protocol::parse_frame(report));
  Bytes out(frame.sealed.size());
  const auto opened = must(protocol::FrameOpener(camera.route()).open(out, frame, key));
  return must(protocol::decode_report(opened.content)).nonce.value();
}

/// The nonce that the camera sends to the second hub.
protocol::Nonce nonce_of_second(Arena& arena) {
  const auto& hub = arena.home.member(1);
  arena.seen.clear();
  arena.recording = true;
  deliver_request(arena, privacy_request(arena, RequestKind::nonce));
  arena.settle();
  arena.recording = false;
  const auto report = arena.newest(Leaf::video, FrameKind::report).packet.payload;
  arena.seen.clear();
  return nonce_in(arena, report, hub, [&](protocol::PrekeyNumber) { return &hub.keys().hpke; });
}

/// Publishes a roster of both hubs that permits one of them to switch privacy.
void permit(Arena& arena, std::size_t member) {
  const auto& camera = arena.home.camera();
  auto roster = test::roster_of(camera.actor(), arena.home.next_version(), {});
  for (const std::size_t i : {0U, 1U}) {
    roster.hubs.push_back(arena.home.member(i).as_hub());
    roster.hubs.back().may_switch_privacy = i == member;
  }
  arena.broker.publish({protocol::topic(camera.route(), Leaf::roster),
                        must(protocol::encode_roster(roster, camera.route(), arena.home.owner().keys().identity)), true,
                        0s});
  until_live(arena);
}

/// Sends a privacy request of the second hub. Returns true if privacy is on afterwards.
bool privacy_after(Arena& arena, RequestKind kind) {
  const auto nonce = kind == RequestKind::privacy_off ? nonce_of_second(arena) : protocol::Nonce();
  deliver_request(arena, privacy_request(arena, kind, nonce));
  arena.run(1s);
  return arena.home.camera().commands().privacy();
}

Sent strike_privacy(Arena& arena, int n) {
  arena.home.publish_roster();  // removes the permission of the earlier roster
  until_live(arena);
  arena.run(1s);
  Sent sent;
  for (int i = 0; i < n; ++i, ++sent.messages) {
    deliver_request(arena, privacy_request(arena, i % 2 == 0 ? RequestKind::privacy_on : RequestKind::privacy_off));
    arena.run(500ms);
    if (arena.home.camera().commands().privacy())
      throw std::runtime_error("a hub without permission closed the sensor");
  }
  sent.rejected["request not_allowed"] = sent.messages;
  permit(arena, 1);
  if (!privacy_after(arena, RequestKind::privacy_on))
    throw std::runtime_error("a permitted hub cannot close the sensor");
  if (privacy_after(arena, RequestKind::privacy_off))
    throw std::runtime_error("a permitted hub cannot open the sensor");
  until_live(arena);
  sent.control = 2;
  return sent;
}

/// Accepts what a camera without nonces accepts: a valid signature, the current epoch, a number that grows.
bool naive_camera_opens(Arena& arena, ByteView message, RequestSeq& newest) {
  const auto& camera = arena.home.camera();
  const auto request = protocol::decode_view_request(message, camera.route(), arena.home.member(1).verifier());
  if (!request || request->epoch != camera.epoch() || request->seq <= newest) return false;
  newest = request->seq;
  return request->kind == RequestKind::privacy_off;
}

/// The broker holds privacy-off requests of a permitted hub back. It delivers them an hour later, in the next epoch,
/// and on the topic of another hub.
Sent strike_held(Arena& arena, int n) {
  permit(arena, 1);
  Sent sent;
  RequestSeq newest;
  const auto deliver_held = [&](ByteView message, std::size_t member) {
    deliver_request(arena, message, member);
    arena.run(600ms);
    ++sent.messages;
    if (!arena.home.camera().commands().privacy()) throw std::runtime_error("a held request opened the sensor");
  };
  for (int i = 0; i < n; ++i) {
    if (!arena.home.camera().commands().privacy() && !privacy_after(arena, RequestKind::privacy_on))
      throw std::runtime_error("a permitted hub cannot close the sensor");
    const auto held = privacy_request(arena, RequestKind::privacy_off, nonce_of_second(arena));
    arena.clock.advance(1h);
    arena.hub_clock.advance(1h);
    arena.run(1s);
    if (naive_camera_opens(arena, held, newest)) ++sent.control;
    deliver_held(held, 0);
    deliver_held(held, 1);
    const auto next = privacy_request(arena, RequestKind::privacy_off, nonce_of_second(arena));
    arena.home.camera().renew();
    arena.settle();
    for (const auto& message : {next, held, next, held}) deliver_held(message, 1);
  }
  arena.run(1s);
  if (privacy_after(arena, RequestKind::privacy_off))
    throw std::runtime_error("a permitted hub cannot open the sensor");
  until_live(arena);
  return sent;
}

watch::CameraStatus tile(Arena& arena) { return arena.home.hub().watcher().camera(arena.home.camera().id()).value(); }

/// A person switches privacy at the unmodified hub, and the camera follows.
void switch_at_hub(Arena& arena, bool on) {
  must(arena.home.hub().watcher().switch_privacy(arena.home.camera().id(), on));
  const auto done = [&] { return arena.home.camera().commands().privacy() == on && !tile(arena).requested_privacy; };
  if (!arena.run_until(done, 12s)) throw std::runtime_error("the honest hub cannot switch privacy");
}

/// A person requests at the unmodified hub to open the sensor. The broker holds one direction back until the hub
/// reported the failure. Returns the held messages of the exchange.
std::vector<Bytes> open_in_vain(Arena& arena, Leaf held) {
  arena.seen.clear();
  arena.recording = true;
  arena.passes = [held](const Seen& s) { return s.topic.leaf != held; };
  must(arena.home.hub().watcher().switch_privacy(arena.home.camera().id(), false));
  if (!arena.run_until([&] { return tile(arena).privacy_failed == std::optional(false); }, 12s))
    throw std::runtime_error("the hub did not report the failure");
  std::vector<Bytes> messages;
  for (const auto& s : std::exchange(arena.seen, {})) {
    if (s.topic.leaf != held || s.topic.route != arena.home.camera().route()) continue;
    const auto request =
        protocol::decode_view_request(s.packet.payload, s.topic.route, arena.home.hub().actor().verifier());
    if (held == Leaf::request && (!request || request->kind != RequestKind::nonce)) continue;
    messages.push_back(s.packet.payload);
  }
  return messages;
}

std::uint64_t openings_sent(Arena& arena) {
  std::uint64_t openings = 0;
  for (const auto& s : arena.seen) {
    if (s.topic.leaf != Leaf::request) continue;
    const auto request =
        protocol::decode_view_request(s.packet.payload, s.topic.route, arena.home.hub().actor().verifier());
    if (request && request->kind == RequestKind::privacy_off) ++openings;
  }
  return openings;
}

/// The requests of a hub that answers each nonce. Returns true if it opens the sensor.
bool naive_hub_opens(Arena& arena, ByteView held_request) {
  const auto& hub = arena.home.hub();
  const auto request =
      must(protocol::decode_view_request(held_request, arena.home.camera().route(), hub.actor().verifier()));
  const auto report = arena.newest(Leaf::video, FrameKind::report).packet.payload;
  const auto nonce =
      nonce_in(arena, report, hub.actor(), [&](protocol::PrekeyNumber number) { return hub.key(number); });
  deliver_request(
      arena, privacy_request(arena, hub.actor(), RequestSeq(request.seq.value() + 1), RequestKind::privacy_off, nonce),
      0);
  arena.run(1s);
  return !arena.home.camera().commands().privacy();
}

/// The broker delivers the hub's requests for a nonce, or the camera's reports with nonces, an hour after the hub
/// reported that the sensor stays closed.
Sent strike_held_at_hub(Arena& arena, int n) {
  permit(arena, 0);
  Sent sent;
  for (int i = 0; i < n; ++i) {
    const auto held = i % 2 == 0 ? Leaf::request : Leaf::video;
    switch_at_hub(arena, true);
    const auto messages = open_in_vain(arena, held);
    arena.clock.advance(1h);
    arena.hub_clock.advance(1h);
    arena.run(1s);
    arena.seen.clear();
    for (const auto& message : messages) {
      if (held == Leaf::request) deliver_request(arena, message, 0);
      else arena.to_hub(Leaf::video, message);
      arena.run(600ms);
      ++sent.messages;
    }
    if (openings_sent(arena) > 0) throw std::runtime_error("the hub requested to open the sensor after its report");
    if (!arena.home.camera().commands().privacy()) throw std::runtime_error("a held message opened the sensor");
    if (held == Leaf::request && naive_hub_opens(arena, messages.back())) ++sent.control;
    arena.stop_attack();
  }
  arena.seen.clear();
  if (arena.home.camera().commands().privacy()) switch_at_hub(arena, false);
  until_live(arena);
  return sent;
}

/// The broker repeats an old status: "privacy" while the sensor is open, with all pictures dropped, and "open" while it
/// is closed. A hub that trusts the newest status shows it.
Sent strike_status(Arena& arena, int n) {
  permit(arena, 0);
  Sent sent;
  arena.seen.clear();
  arena.recording = true;
  switch_at_hub(arena, true);
  const auto closed = arena.newest(Leaf::status).packet.payload;
  arena.run(6s);
  if (tile(arena).reason != watch::Reason::privacy) throw std::runtime_error("the hub does not show a closed sensor");
  switch_at_hub(arena, false);
  const auto open = arena.newest(Leaf::status).packet.payload;
  until_live(arena);
  arena.seen.clear();
  arena.recording = false;
  arena.passes = [](const Seen& s) { return s.topic.leaf != Leaf::video && s.topic.leaf != Leaf::still; };
  arena.run(6s);
  for (int i = 0; i < n; ++i, ++sent.messages) {
    arena.to_hub(Leaf::status, closed, true);
    arena.run(600ms);
    if (tile(arena).privacy || tile(arena).reason == watch::Reason::privacy)
      throw std::runtime_error("an old status is shown as privacy");
    if (tile(arena).hint == watch::Reason::privacy) ++sent.control;
  }
  arena.stop_attack();
  until_live(arena);
  switch_at_hub(arena, true);
  arena.run(6s);
  for (int i = 0; i < n; ++i, ++sent.messages) {
    arena.to_hub(Leaf::status, open, true);
    arena.run(600ms);
    if (tile(arena).reason != watch::Reason::privacy) throw std::runtime_error("an old status hides privacy");
    if (tile(arena).hint == watch::Reason::none) ++sent.control;
  }
  switch_at_hub(arena, false);
  until_live(arena);
  return sent;
}

}  // namespace

void add_privacy_rows(std::vector<Row>& rows) {
  Row row;
  row.name = "request: privacy, of a hub without permission";
  row.rejected_as = "not_allowed";
  row.control_is = "the same request after the roster permits it";
  row.n = 6;
  row.also = {"request wrong_epoch", "request too_often", "wait for key"};
  row.options.picture_every = 500ms;
  row.strike = strike_privacy;
  rows.push_back(std::move(row));

  Row held;
  held.name = "request: privacy-off, held back for an hour, for the next epoch, and on another hub's topic";
  held.rejected_as = "not_allowed, replayed, wrong_epoch, other_signer";
  held.control_is = "a camera that requires no nonce";
  held.n = 5;
  held.also = {"request not_allowed",  "request replayed",  "request wrong_epoch",
               "request other_signer", "request too_often", "wait for key"};
  held.options.picture_every = 500ms;
  held.strike = strike_held;
  rows.push_back(std::move(held));

  Row at_hub;
  at_hub.name = "nonces for privacy-off, held back until the hub had reported the failure, in both directions";
  at_hub.rejected_as = "no request to open the sensor";
  at_hub.control_is = "a hub that answers each nonce with a request to open the sensor";
  at_hub.n = 2;
  at_hub.uncounted = true;
  at_hub.options.picture_every = 500ms;
  at_hub.strike = strike_held_at_hub;
  rows.push_back(std::move(at_hub));

  Row status;
  status.name = "status: an old one with privacy, and one without it while the sensor is closed";
  status.rejected_as = "not confirmed";
  status.control_is = "a hub that trusts the newest status";
  status.n = 5;
  status.uncounted = true;
  status.options.picture_every = 500ms;
  status.strike = strike_status;
  rows.push_back(std::move(status));
}

}  // namespace sealcam::attacks
