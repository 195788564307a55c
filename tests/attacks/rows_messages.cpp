// SPDX-License-Identifier: Apache-2.0
// Each message, harmed: one bit flipped in header, payload or signature; cut short at every length; made longer.
// Control: the same message unharmed is obeyed, and pictures of it are shown.
#include <algorithm>
#include <format>

#include "attacks/moves.hpp"
#include "protocol/status.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;
using test::must;

/// What a refusal of one kind of message is called where it is counted. Empty: it is ignored without being counted.
struct Names {
  std::string malformed, foreign, forged, empty;
};

Names of_frames() { return {"frame malformed", "frame wrong_account", "frame bad_signature", "frame malformed"}; }
Names of_control() { return {"control malformed", "control wrong_account", "control bad_signature", ""}; }
Names of_camera_roster() { return {"roster refused", "roster refused", "roster refused", ""}; }
Names of_asks() { return {"ask malformed", "ask foreign_signer", "ask bad_signature", "ask malformed"}; }

/// One message that an adversary holds before anybody else had it.
struct Target {
  std::string name;
  Names names;
  std::chrono::milliseconds pace;  ///< between messages: none is let through unverified
  std::function<Bytes(Arena&)> hold;
  std::function<void(Arena&, ByteView)> deliver;
  /// Delivers the unharmed one; says what was shown or obeyed.
  std::function<std::uint64_t(Arena&)> unharmed;
  bool ask = false;
  std::optional<FrameKind> kind{};
};

struct Harmed {
  Bytes message;
  std::string counted;
};
using Harm = std::function<Harmed(const Target&, ByteView, int)>;

// ---- where the parts lie: tag and array (2), protected header, 0xa0, payload with its head, 0x58 0x40, signature ----

struct Parts {
  std::size_t signer, empty_map, payload, signature;
};

Parts parts_of(const Target& target, ByteView message) {
  const std::size_t header = target.kind ? 31 : 25;
  const std::size_t empty_map = 4 + header;
  const auto head = std::to_integer<unsigned>(message[empty_map + 1]) & 0x1f;
  const std::size_t head_size = head < 24 ? 1 : head == 24 ? 2 : head == 25 ? 3 : 5;
  return {9, empty_map, empty_map + 1 + head_size, message.size() - 64};
}

Harmed flip(ByteView message, std::size_t at, int bit, std::string counted) {
  Bytes harmed(message.begin(), message.end());
  harmed.at(at) ^= static_cast<std::byte>(1 << bit);
  return {std::move(harmed), std::move(counted)};
}

/// All bytes outside of payload and signature, one after the other.
Harmed flip_header(const Target& t, ByteView message, int i) {
  const auto parts = parts_of(t, message);
  const std::size_t total = parts.payload + 2;
  std::size_t at = static_cast<std::size_t>(i) % total;
  if (at >= parts.payload) at = parts.signature - 2 + (at - parts.payload);
  if (at >= parts.signer && at < parts.signer + DeviceId::size) return flip(message, at, i % 8, t.names.foreign);
  // Another label than 4 leaves the message without a signer.
  if (at == 7 && !t.kind && !t.ask) return flip(message, at, 0, t.names.foreign);
  if (t.kind && at == parts.empty_map - 1) {
    if (*t.kind == FrameKind::report) return flip(message, at, 0, t.names.malformed);
    return flip(message, at, *t.kind == FrameKind::key ? 1 : 0, t.names.forged);  // another kind that exists
  }
  return flip(message, at, 0, t.names.malformed);
}

/// What stands in an ask is read before its signature is checked: another epoch, or what is no ask at all, costs none.
std::string counted_of_ask(const Target& t, ByteView harmed, ByteView message) {
  const auto says = protocol::claimed_ask(harmed);
  if (!says) return t.names.malformed;
  return says->epoch == must(protocol::claimed_ask(message)).epoch ? t.names.forged : "ask wrong_epoch";
}

/// The payload, 11 bytes further each time: every byte of the small messages, samples of large ones.
Harmed flip_payload(const Target& t, ByteView message, int i) {
  const auto parts = parts_of(t, message);
  const std::size_t size = parts.signature - 2 - parts.payload;
  const std::size_t at = parts.payload + static_cast<std::size_t>(i) * 11 % size;
  auto harmed = flip(message, at, i % 8, t.names.forged);
  if (t.kind && at == parts.payload && !protocol::parse_frame(harmed.message)) harmed.counted = t.names.malformed;
  if (t.ask) harmed.counted = counted_of_ask(t, harmed.message, message);
  return harmed;
}

Harmed flip_signature(const Target& t, ByteView message, int i) {
  return flip(message, message.size() - 64 + static_cast<std::size_t>(i) * 7 % 64, i % 8, t.names.forged);
}

Harmed cut_short(const Target& t, ByteView message, int i) {
  const std::size_t size = static_cast<std::size_t>(i) % message.size();
  return {Bytes(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(size)),
          size == 0 ? t.names.empty : t.names.malformed};
}

Harmed made_longer(const Target& t, ByteView message, int i) {
  constexpr std::size_t mebibyte = 1U << 20;
  const std::array<std::size_t, 8> sizes{message.size() + 1,
                                         message.size() + 2,
                                         message.size() + 64,
                                         4096,
                                         65536,
                                         65537,
                                         mebibyte,
                                         protocol::max_message_size + 1};
  Bytes harmed(message.begin(), message.end());
  harmed.resize(sizes.at(static_cast<std::size_t>(i) % sizes.size()));
  return {std::move(harmed), t.names.malformed};
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
    throw std::runtime_error("no frame of this kind");
  return arena.newest(kind == FrameKind::still ? Leaf::still : Leaf::video, kind).packet.payload;
}

/// Everything that was held, in its order, then whatever comes.
std::uint64_t release(Arena& arena) {
  const auto before = shown(arena);
  const auto held = std::exchange(arena.seen, {});
  arena.let_go();
  for (const auto& s : held)
    if (is_frame(s.topic.leaf)) arena.broker.publish(s.packet);
  arena.run(1200ms);
  return shown(arena) - before;
}

Target frame(std::string name, FrameKind kind) {
  return {
      .name = std::move(name),
      .names = of_frames(),
      .pace = 0ms,
      .hold = [kind](Arena& a) { return held_frame(a, kind); },
      .deliver = [kind](Arena& a, ByteView m) { a.to_hub(kind == FrameKind::still ? Leaf::still : Leaf::video, m); },
      .unharmed = release,
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
          .pace = at_camera ? 300ms : 100ms,
          .hold = next,
          .deliver = deliver,
          .unharmed = [](Arena& a) {
            const auto before = shown(a);
            a.home.publish_roster();
            a.run(1500ms);
            const bool obeyed = a.home.camera().roster()->version == RosterVersion(a.home.version());
            return obeyed ? shown(a) - before : 0;
          }};
}

Target grants() {
  return {.name = "grants",
          .names = of_control(),
          .pace = 100ms,
          .hold =
              [](Arena& a) {
                a.recording = true;
                a.passes = [](const Seen& s) { return s.topic.leaf != Leaf::grants; };
                a.home.camera().restart();
                a.settle();
                return a.newest(Leaf::grants).packet.payload;
              },
          .deliver = [](Arena& a, ByteView m) { a.to_hub(Leaf::grants, m); },
          .unharmed =
              [](Arena& a) {
                const auto before = shown(a);
                const auto held = a.newest(Leaf::grants).packet;
                a.let_go();
                a.seen.clear();
                a.broker.publish(held);
                a.run(1500ms);
                return shown(a) - before;
              }};
}

Target ask() {
  return {.name = "ask",
          .names = of_asks(),
          .pace = 500ms,
          .hold = [](Arena& a) { return next_ask(a); },
          .deliver = [](Arena& a, ByteView m) { deliver_ask(a, m); },
          .unharmed = [](Arena& a) -> std::uint64_t {
            a.run(1s);
            const auto before = a.home.camera().publisher().leases().live;
            deliver_ask(a, next_ask(a));
            return a.home.camera().publisher().leases().live - before;
          },
          .ask = true};
}

Target status() {
  return {.name = "status",
          .names = of_control(),
          .pace = 100ms,
          .hold = [](Arena& a) { return must(a.home.camera().publisher().will()).payload; },
          .deliver = [](Arena& a, ByteView m) { a.to_hub(Leaf::status, m); },
          .unharmed = [](Arena& a) -> std::uint64_t {
            const auto says = [&] { return a.home.hub().watcher().camera(a.home.camera().id())->says_online; };
            const bool before = says() == true;
            a.to_hub(Leaf::status, must(a.home.camera().publisher().will()).payload);
            const bool after = says() == false;
            a.to_hub(Leaf::status,
                     must(protocol::encode_status({.online = true, .started = {}}, a.home.camera().route(),
                                                  a.home.camera().actor().keys().identity)));
            a.run(200ms);
            return before && after ? 1 : 0;
          }};
}

/// `turn` goes on where the last strike ended, so that all strikes of a row together cover a message.
Sent strike(const Target& target, const Harm& harm, int& turn, Arena& arena, int n) {
  Sent sent;
  const auto base = target.hold(arena);
  for (int i = 0; i < n; ++i) {
    const auto harmed = harm(target, base, turn++);
    target.deliver(arena, harmed.message);
    ++sent.messages;
    if (!harmed.counted.empty()) ++sent.refused[harmed.counted];
    if (target.pace > 0ms) arena.run(target.pace);
  }
  arena.run(1200ms);  // what claims another epoch waits for its grants
  sent.control = target.unharmed(arena);
  return sent;
}

Row make_row(const Target& target, const std::string& what, const std::string& reasons, const Harm& harm, int n) {
  Row row;
  row.name = std::format("{}: {}", target.name, what);
  row.refused_as = reasons;
  row.control_is = target.name == "status" ? "the unharmed one is believed" : "the unharmed one";
  row.n = n;
  row.strike = [target, harm, turn = 0](Arena& arena, int count) mutable {
    return strike(target, harm, turn, arena, count);
  };
  // The honest hub asks for the epoch that it knows until it has the new grants.
  row.also = {"ask wrong_epoch", "ask too_often", "wait for key", "frame not_decryptable", "frame replayed"};
  row.options.picture_every = target.pace > 100ms ? 500ms : 200ms;
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
                              ask()};
  for (const auto& t : targets) {
    const auto& n = t.names;
    const bool one = n.malformed == n.forged;
    const auto join = [&](std::initializer_list<std::string> reasons) {
      std::string all;
      for (const auto& r : reasons) all += (all.empty() ? "" : ", ") + r.substr(r.find(' ') + 1);
      return one ? std::string("refused") : all;
    };
    const bool slow = t.pace > 100ms;
    rows.push_back(
        make_row(t, "bit flipped in the header", join({n.malformed, n.foreign, n.forged}), flip_header, slow ? 8 : 16));
    rows.push_back(make_row(t, "bit flipped in the payload",
                            t.ask ? join({n.malformed, "ask wrong_epoch", n.forged}) : join({n.forged}), flip_payload,
                            slow ? 8 : 20));
    rows.push_back(make_row(t, "bit flipped in the signature", join({n.forged}), flip_signature, slow ? 6 : 8));
    rows.push_back(make_row(t, "cut short", join({n.malformed}), cut_short, slow && t.ask ? 20 : 50));
    rows.push_back(make_row(t, "made longer, to 1 MiB", join({n.malformed}), made_longer, 8));
  }
}

}  // namespace sealcam::attacks
