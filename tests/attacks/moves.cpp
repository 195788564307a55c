// SPDX-License-Identifier: Apache-2.0
#include "attacks/moves.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "protocol/view_request.hpp"

namespace sealcam::attacks {

using namespace std::chrono_literals;
using test::must;

Bytes next_request(Arena& arena, std::size_t member) {
  static std::uint64_t seq = 0;
  ++seq;
  const auto epoch = arena.home.camera().epoch().value();
  return must(protocol::encode_view_request(
      {protocol::RequestKind::live, protocol::Challenge(seq), epoch, protocol::RequestSeq(seq)},
      arena.home.camera().route(), arena.home.member(member).keys().identity));
}

void deliver_request(Arena& arena, ByteView message, std::size_t member) {
  arena.to_camera({arena.home.camera().route(), Leaf::request, arena.home.member(member).id()}, message);
}

void run_watched_by_second(Arena& arena, std::chrono::seconds duration) {
  for (auto left = duration; left > 0s; left -= 1s) {
    deliver_request(arena, next_request(arena));
    arena.run(1s);
  }
}

void until_live(Arena& arena) {
  const auto serial = arena.home.camera().last_serial();
  const auto& screen = arena.home.hub().screen();
  if (!arena.run_until([&] { return screen.newest_live() > serial; }, 15s))
    throw std::runtime_error("no LIVE picture within 15 s");
}

Bytes resigned(ByteView message) {
  static const Bytes order = must(from_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"));
  Bytes other(message.begin(), message.end());
  int borrow = 0;
  for (std::size_t i = 32; i-- > 0;) {
    std::byte& digit = other[other.size() - 32 + i];
    const int difference = std::to_integer<int>(order[i]) - std::to_integer<int>(digit) - borrow;
    borrow = difference < 0 ? 1 : 0;
    digit = static_cast<std::byte>(difference & 0xff);
  }
  return other;
}

Forger::Forger() : key_((must(crypto::init()), must(crypto::generate_signing_key()).first)) {}

Bytes Forger::frame(Arena& arena, ByteView message, const crypto::SigningKey& signer) {
  const auto& camera = arena.home.camera();
  const auto& insider = arena.home.member(1);
  const auto grants = must(protocol::decode_grants(message, camera.route(), camera.actor().verifier()));
  auto key = keys_.find(grants.epoch);
  if (key == keys_.end()) {
    const auto content = must(protocol::open_grant(grants, camera.route(), insider.id(), insider.keys().hpke));
    key =
        keys_
            .emplace(grants.epoch, must(crypto::sframe::SealingKey::open(grants.suite, grants.epoch, content.base_key)))
            .first;
    Bytes nowhere(64);  // above the counters of genuine frames
    for (int i = 0; i < 2000; ++i) must(key->second.seal(nowhere, {}, {}));
  }
  ++number_;
  const auto unit = draw({.camera = 666, .serial = number_, .reference = 0, .taken = arena.clock.monotonic()}, 300);
  const auto plain = protocol::frame_plaintext({.width = 64,
                                                .height = 48,
                                                .captured = arena.clock.wall(),
                                                .number = FrameNumber(number_),
                                                .age = {},
                                                .depends = key->second.next_counter(),
                                                .echoes = {}},
                                               unit);
  const protocol::FrameSealer sealer(camera.route(), signer);
  Bytes out(sealer.message_size(key->second, plain.size()));
  const auto sealed = must(sealer.seal(out, key->second, FrameKind::key, plain));
  return {sealed.begin(), sealed.end()};
}

std::uint64_t opened_frames(const Arena& arena, const DeviceId& hub, const protocol::GrantKeys& keys_of) {
  const auto& camera = arena.home.camera();
  const protocol::FrameOpener opener(camera.route());
  std::map<protocol::Epoch, crypto::sframe::OpeningKey> keys;
  std::uint64_t opened = 0;
  for (const auto& s : arena.seen) {
    if (s.topic.route != camera.route()) continue;
    if (s.topic.leaf == Leaf::grants) {
      const auto grants = must(protocol::decode_grants(s.packet.payload, camera.route(), camera.actor().verifier()));
      if (const auto content = protocol::open_grant(grants, camera.route(), hub, keys_of))
        keys.insert_or_assign(grants.epoch,
                              must(crypto::sframe::OpeningKey::open(grants.suite, grants.epoch, content->base_key)));
    }
    if (!is_frame(s.topic.leaf)) continue;
    const auto frame = must(protocol::parse_frame(s.packet.payload));
    const auto key = keys.find(frame.epoch);
    Bytes out(frame.sealed.size());
    if (key != keys.end() && opener.open(out, frame, key->second)) ++opened;
  }
  return opened;
}

Bytes fresh_grants(Arena& arena) {
  arena.seen.clear();
  arena.recording = true;
  arena.home.camera().restart();
  arena.settle();
  auto grants = arena.newest(Leaf::grants).packet.payload;
  arena.recording = false;
  arena.seen.clear();
  return grants;
}

}  // namespace sealcam::attacks
