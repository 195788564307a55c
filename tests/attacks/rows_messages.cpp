// SPDX-License-Identifier: Apache-2.0
// Each message with damage: one flipped bit in header, payload or signature; truncated; lengthened. Control: the
// undamaged message is applied, and its pictures are shown.
#include <algorithm>

#include "attacks/moves.hpp"
#include "base/format.hpp"
#include "protocol/status.hpp"
#include "protocol/view_request.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;
using test::must;

/// Counters for one kind of message. Empty: the message is ignored and not counted.
struct Names {
  std::string malformed, other_signer, forged, empty;
};

Names of_frames() { return {"frame malformed", "frame wrong_account", "frame bad_signature", "frame malformed"}; }
Names of_control() { return {"control malformed", "control wrong_account", "control bad_signature", ""}; }
Names of_camera_roster() { return {"roster rejected", "roster rejected", "roster rejected", ""}; }
Names of_requests() {
  return {"request malformed", "request other_signer", "request bad_signature", "request malformed"};
}

/// One message that the adversary holds back before any device received it.
struct Target {
  std::string name;
  Names names;
  std::chrono::milliseconds interval;  ///< between messages, within the rate at which devices check them
  std::function<Bytes(Arena&)> hold;
  std::function<void(Arena&, ByteView)> deliver;
  /// Delivers the undamaged message. Returns the number of shown or applied messages.
  std::function<std::uint64_t(Arena&)> undamaged;
  bool request = false;
  std::optional<FrameKind> kind{};
};

struct Damaged {
  Bytes message;
  std::string counted;
};
using Damage = std::function<Damaged(const Target&, ByteView, int)>;

// ---- layout: tag and array (2 bytes), protected header, 0xa0, payload with its head, 0x58 0x40, signature ----

struct Layout {
  std::size_t signer, empty_map, payload, signature;
};

Layout layout_of(const Target& target, ByteView message) {
  const std::size_t header = target.kind ? 31 : 25;
  const std::size_t empty_map = 4 + header;
  const auto head = std::to_integer<unsigned>(message[empty_map + 1]) & 0x1f;
  const std::size_t head_size = head < 24 ? 1 : head == 24 ? 2 : head == 25 ? 3 : 5;
  return {9, empty_map, empty_map + 1 + head_size, message.size() - 64};
}

Damaged flip(ByteView message, std::size_t at, int bit, std::string counted) {
  Bytes damaged(message.begin(), message.end());
  damaged.at(at) ^= static_cast<std::byte>(1 << bit);
  return {std::move(damaged), std::move(counted)};
}

/// Flips a bit in each byte outside of payload and signature, in turn.
Damaged flip_header(const Target& t, ByteView message, int i) {
  const auto parts = layout_of(t, message);
  const std::size_t total = parts.payload + 2;
  std::size_t at = static_cast<std::size_t>(i) % total;
  if (at >= parts.payload) at = parts.signature - 2 + (at - parts.payload);
  if (at >= parts.signer && at < parts.signer + DeviceId::size) return flip(message, at, i % 8, t.names.other_signer);
  // With another label than 4 the message has no signer.
  if (at == 7 && !t.kind && !t.request) return flip(message, at, 0, t.names.other_signer);
  if (t.kind && at == parts.empty_map - 1) {
    if (*t.kind == FrameKind::report) return flip(message, at, 0, t.names.malformed);
    return flip(message, at, *t.kind == FrameKind::key ? 1 : 0, t.names.forged);  // another valid kind
  }
  return flip(message, at, 0, t.names.malformed);
}

/// A camera reads a view request before it checks the signature. It rejects another epoch, or a malformed request,
/// without the check.
std::string counted_of_request(const Target& t, ByteView damaged, ByteView message) {
  const auto claimed = protocol::claimed_view_request(damaged);
  if (!claimed) return t.names.malformed;
  return claimed->epoch == must(protocol::claimed_view_request(message)).epoch ? t.names.forged : "request wrong_epoch";
}

/// Flips a bit in the payload, 11 bytes further each time: in each byte of small messages, in samples of large ones.
Damaged flip_payload(const Target& t, ByteView message, int i) {
  const auto parts = layout_of(t, message);
  const std::size_t size = parts.signature - 2 - parts.payload;
  const std::size_t at = parts.payload + static_cast<std::size_t>(i) * 11 % size;
  auto damaged = flip(message, at, i % 8, t.names.forged);
  if (t.kind && at == parts.payload && !protocol::parse_frame(damaged.message)) damaged.counted = t.names.malformed;
  if (t.request) damaged.counted = counted_of_request(t, damaged.message, message);
  return damaged;
}

Damaged flip_signature(const Target& t, ByteView message, int i) {
  return flip(message, message.size() - 64 + static_cast<std::size_t>(i) * 7 % 64, i % 8, t.names.forged);
}

Damaged truncate(const Target& t, ByteView message, int i) {
  const std::size_t size = static_cast<std::size_t>(i) % message.size();
  return {Bytes(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(size)),
          size == 0 ? t.names.empty : t.names.malformed};
}

Damaged lengthen(const Target& t, ByteView message, int i) {
  constexpr std::size_t mebibyte = 1U << 20;
  const std::array<std::size_t, 8> sizes{message.size() + 1,
                                         message.size() + 2,
                                         message.size() + 64,
                                         4096,
                                         65536,
                                         65537,
                                         mebibyte,
                                         protocol::max_message_size + 1};
  Bytes damaged(message.begin(), message.end());
  damaged.resize(sizes.at(static_cast<std::size_t>(i) % sizes.size()));
  return {std::move(damaged), t.names.malformed};
}

// ---- the messages ----

std::uint64_t shown(Arena& arena) { return arena.home.hub().screen().shown(); }

Bytes held_frame(Arena& arena, FrameKind kind) {
  arena.recording = true;
  arena.passes = [](const Seen& s) { return !is_frame(s.topic.leaf); };
  arena.home.camera().restart();
  arena.settle();
  if (!arena.run_until(
          [&] {
            return std::ranges::any_of(arena.seen, [&](const Seen& s) {
              const auto view = protocol::parse_frame(s.packet.payload);
              return is_frame(s.topic.leaf) && view && view->kind == kind;
            });
          },
          4s))
    throw std::runtime_error("the camera sent no frame of this kind");
  return arena.newest(kind == FrameKind::still ? Leaf::still : Leaf::video, kind).packet.payload;
}

/// Delivers all held frames in their order, and later frames.
std::uint64_t release(Arena& arena) {
  const auto before = shown(arena);
  const auto held = std::exchange(arena.seen, {});
  arena.stop_attack();
  for (const auto& s : held)
    if (is_frame(s.topic.leaf)) arena.broker.publish(s.packet);
  arena.run(1200ms);
  return shown(arena) - before;
}

Target frame(std::string name, FrameKind kind) {
  return {
      .name = std::move(name),
      .names = of_frames(),
      .interval = 0ms,
      .hold = [kind](Arena& a) { return held_frame(a, kind); },
      .deliver = [kind](Arena& a, ByteView m) { a.to_hub(kind == FrameKind::still ? Leaf::still : Leaf::video, m); },
      .undamaged = release,
      .kind = kind};
}

Target roster(bool at_camera) {
  const auto next = [](Arena& a) { return a.home.roster(0, a.home.version() + 1); };
  const auto deliver = [at_camera](Arena& a, ByteView m) {
    const protocol::Topic topic{a.home.camera().route(), Leaf::roster, {}};
    if (at_camera) a.to_camera(topic, m);
    else a.to_hub(topic, m);
  };
  return {.name = at_camera ? "roster at the camera" : "roster at the hub",
          .names = at_camera ? of_camera_roster() : of_control(),
          .interval = at_camera ? 300ms : 100ms,
          .hold = next,
          .deliver = deliver,
          .undamaged = [](Arena& a) {
            const auto before = shown(a);
            a.home.publish_roster();
            a.run(1500ms);
            const bool applied = a.home.camera().roster()->version == protocol::RosterVersion(a.home.version());
            return applied ? shown(a) - before : 0;
          }};
}

Target grants() {
  return {.name = "grants",
          .names = of_control(),
          .interval = 100ms,
          .hold =
              [](Arena& a) {
                a.recording = true;
                a.passes = [](const Seen& s) { return s.topic.leaf != Leaf::grants; };
                a.home.camera().restart();
                a.settle();
                return a.newest(Leaf::grants).packet.payload;
              },
          .deliver = [](Arena& a, ByteView m) { a.to_hub(Leaf::grants, m); },
          .undamaged =
              [](Arena& a) {
                const auto before = shown(a);
                const auto held = a.newest(Leaf::grants).packet;
                a.stop_attack();
                a.seen.clear();
                a.broker.publish(held);
                a.run(1500ms);
                return shown(a) - before;
              }};
}

Target request() {
  return {.name = "request",
          .names = of_requests(),
          .interval = 500ms,
          .hold = [](Arena& a) { return next_request(a); },
          .deliver = [](Arena& a, ByteView m) { deliver_request(a, m); },
          .undamaged = [](Arena& a) -> std::uint64_t {
            a.run(1s);
            const auto before = a.home.camera().publisher().leases().live;
            deliver_request(a, next_request(a));
            return a.home.camera().publisher().leases().live - before;
          },
          .request = true};
}

Target status() {
  return {.name = "status",
          .names = of_control(),
          .interval = 100ms,
          .hold = [](Arena& a) { return must(a.home.camera().publisher().will()).payload; },
          .deliver = [](Arena& a, ByteView m) { a.to_hub(Leaf::status, m); },
          .undamaged = [](Arena& a) -> std::uint64_t {
            const auto online = [&] { return a.home.hub().watcher().camera(a.home.camera().id())->reports_online; };
            const bool before = online() == true;
            a.to_hub(Leaf::status, must(a.home.camera().publisher().will()).payload);
            const bool after = online() == false;
            a.to_hub(Leaf::status,
                     must(protocol::encode_status({.online = true, .started = {}}, a.home.camera().route(),
                                                  a.home.camera().actor().keys().identity)));
            a.run(200ms);
            return before && after ? 1 : 0;
          }};
}

/// `turn` continues where the last strike ended, so that all strikes of a row cover the whole message.
Sent strike(const Target& target, const Damage& damage, int& turn, Arena& arena, int n) {
  Sent sent;
  const auto base = target.hold(arena);
  for (int i = 0; i < n; ++i) {
    const auto damaged = damage(target, base, turn++);
    target.deliver(arena, damaged.message);
    ++sent.messages;
    if (!damaged.counted.empty()) ++sent.rejected[damaged.counted];
    if (target.interval > 0ms) arena.run(target.interval);
  }
  arena.run(1200ms);  // frames that name another epoch wait for its grants
  sent.control = target.undamaged(arena);
  return sent;
}

Row make_row(const Target& target, const std::string& what, const std::string& reasons, const Damage& damage, int n) {
  Row row;
  row.name = sealcam::format("{}: {}", target.name, what);
  row.rejected_as = reasons;
  row.control_is = target.name == "status" ? "the undamaged status is applied" : "the undamaged message";
  row.n = n;
  row.strike = [target, damage, turn = 0](Arena& arena, int count) mutable {
    return strike(target, damage, turn, arena, count);
  };
  // The unmodified hub sends requests for the old epoch until it has the new grants.
  row.also = {"request wrong_epoch", "request too_often", "wait for key", "frame not_decryptable", "frame replayed"};
  row.options.picture_every = target.interval > 100ms ? 500ms : 200ms;
  if (target.kind) row.also.erase("frame not_decryptable");
  return row;
}

}  // namespace

void add_message_rows(std::vector<Row>& rows) {
  std::vector<Target> targets{frame("key frame", FrameKind::key),
                              frame("delta frame", FrameKind::delta),
                              frame("still", FrameKind::still),
                              frame("report", FrameKind::report),
                              roster(false),
                              roster(true),
                              grants(),
                              status(),
                              request()};
  for (const auto& t : targets) {
    const auto& n = t.names;
    const bool one = n.malformed == n.forged;
    const auto join = [&](std::initializer_list<std::string> reasons) {
      std::string all;
      for (const auto& r : reasons) all += (all.empty() ? "" : ", ") + r.substr(r.find(' ') + 1);
      return one ? std::string("rejected") : all;
    };
    const bool slow = t.interval > 100ms;
    rows.push_back(make_row(t, "bit flipped in the header", join({n.malformed, n.other_signer, n.forged}), flip_header,
                            slow ? 8 : 16));
    rows.push_back(make_row(t, "bit flipped in the payload",
                            t.request ? join({n.malformed, "request wrong_epoch", n.forged}) : join({n.forged}),
                            flip_payload, slow ? 8 : 20));
    rows.push_back(make_row(t, "bit flipped in the signature", join({n.forged}), flip_signature, slow ? 6 : 8));
    rows.push_back(make_row(t, "truncated", join({n.malformed}), truncate, slow && t.request ? 20 : 50));
    rows.push_back(make_row(t, "lengthened, up to 1 MiB", join({n.malformed}), lengthen, 8));
  }
}

}  // namespace sealcam::attacks
