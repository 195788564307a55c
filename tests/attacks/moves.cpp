// SPDX-License-Identifier: Apache-2.0
#include "attacks/moves.hpp"

#include <algorithm>

#include "protocol/ask.hpp"

namespace sealcam::attacks {

using namespace std::chrono_literals;
using test::must;

Bytes next_ask(Arena& arena, std::size_t member) {
  static std::uint64_t seq = 0;
  ++seq;
  const auto epoch = arena.home.camera().epoch().value();
  return must(protocol::encode_ask({protocol::Want::live, protocol::Challenge(seq), epoch, AskSeq(seq)},
                                   arena.home.camera().route(), arena.home.member(member).keys().identity));
}

void deliver_ask(Arena& arena, ByteView message, std::size_t member) {
  arena.to_camera({arena.home.camera().route(), Leaf::ask, arena.home.member(member).id()}, message);
}

void run_watched_by_second(Arena& arena, std::chrono::seconds duration) {
  for (auto left = duration; left > 0s; left -= 1s) {
    deliver_ask(arena, next_ask(arena));
    arena.run(1s);
  }
}

void until_live(Arena& arena) {
  const auto serial = arena.home.camera().last_serial();
  const auto& screen = arena.home.hub().screen();
  if (!arena.run_until([&] { return screen.newest_live() > serial; }, 15s))
    throw std::runtime_error("no LIVE picture within 15 s");
}

Bytes respelled(ByteView message) {
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
    Bytes nowhere(64);  // beyond the counters of genuine frames
    for (int i = 0; i < 2000; ++i) must(key->second.seal(nowhere, {}, {}));
  }
  ++number_;
  const auto unit = draw({.camera = 666, .serial = number_, .reference = 0, .taken = arena.clock.monotonic()}, 300);
  Bytes plain(protocol::frame_header_size + unit.size());
  protocol::write_frame_header({.width = 64,
                                .height = 48,
                                .captured = arena.clock.wall(),
                                .number = FrameNumber(number_),
                                .age = {},
                                .echo = {}},
                               plain);
  std::ranges::copy(unit, plain.begin() + protocol::frame_header_size);
  const protocol::FrameSealer sealer(camera.route(), signer);
  Bytes out(sealer.message_size(key->second, plain.size()));
  const auto sealed = must(sealer.seal(out, key->second, FrameKind::key, plain));
  return {sealed.begin(), sealed.end()};
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
