// SPDX-License-Identifier: Apache-2.0
// Large messages, noise, floods, and topics of unknown devices.
#include <random>

#include "attacks/moves.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;
using test::must;

Bytes noise(std::size_t size, std::uint32_t seed) {
  std::minstd_rand random(seed);
  Bytes bytes(size);
  for (auto& b : bytes) b = static_cast<std::byte>(random() >> 8);
  return bytes;
}

DeviceId random_id() {
  std::array<std::byte, DeviceId::size> id{};
  must(crypto::random(id));
  return DeviceId(id);
}

/// A well-formed frame with `size` bytes of plaintext, of `epoch` or of the camera's current one. Another device sealed
/// and signed it.
Bytes large_frame(Arena& arena, const Forger& forger, std::size_t size, std::optional<Epoch> epoch) {
  const auto& camera = arena.home.camera();
  auto key = must(crypto::sframe::SealingKey::open(crypto::sframe::CipherSuite::aes_128_gcm_sha256_128,
                                                   epoch.value_or(camera.epoch().value()), {}));
  const protocol::FrameSealer sealer(camera.route(), forger.as(camera.actor()));
  const Bytes plain(size);
  Bytes out(sealer.message_size(key, plain.size()));
  const auto sealed = must(sealer.seal(out, key, FrameKind::key, plain));
  return {sealed.begin(), sealed.end()};
}

Row forged_frames(const std::string& name, std::size_t size, bool known_epoch, int n) {
  Row row;
  row.name = name;
  row.rejected_as = "bad_signature";
  row.control_is = "genuine frames at the same time";
  row.n = n;
  row.strike = [=, forger = std::make_shared<Forger>()](Arena& arena, int count) {
    const auto before = arena.home.hub().screen().shown();
    Sent sent;
    std::optional<protocol::Epoch> epoch;
    if (!known_epoch) epoch = protocol::Epoch(4711);
    const auto message = large_frame(arena, *forger, size, epoch);
    for (int i = 0; i < count; ++i, ++sent.messages) {
      arena.to_hub(Leaf::video, message);
      if (i % 10 == 9) arena.run(Arena::step);
    }
    arena.run(1200ms);
    sent.rejected["frame bad_signature"] = sent.messages;
    sent.control = arena.home.hub().screen().shown() - before;
    return sent;
  };
  return row;
}

Row noise_everywhere() {
  Row row;
  row.name = "noise of 0 to 64 KiB on each topic";
  row.rejected_as = "malformed, rejected";
  row.control_is = "genuine frames at the same time";
  row.n = 30;
  row.strike = [](Arena& arena, int n) {
    const auto before = arena.home.hub().screen().shown();
    const auto route = arena.home.camera().route();
    constexpr std::array leaves{Leaf::video, Leaf::still, Leaf::grants, Leaf::status, Leaf::roster};
    Sent sent;
    for (int i = 0; i < n; ++i) {
      const auto bytes = noise(static_cast<std::size_t>(i) * 2399 % 65536 + 1, static_cast<std::uint32_t>(i) + 1);
      const auto leaf = leaves.at(static_cast<std::size_t>(i) % leaves.size());
      arena.to_hub(leaf, bytes);
      ++sent.rejected[is_frame(leaf) ? "frame malformed" : "control malformed"];
      arena.to_camera({route, Leaf::request, arena.home.member(1).id()}, bytes);
      ++sent.rejected["request malformed"];
      arena.to_camera({route, Leaf::roster, {}}, bytes);
      ++sent.rejected["roster rejected"];
      sent.messages += 3;
      arena.run(Arena::step);
    }
    sent.control = arena.home.hub().screen().shown() - before;
    return sent;
  };
  return row;
}

Row nonsense_topics() {
  Row row;
  row.name = "invalid topics, and topics of unknown devices";
  row.rejected_as = "not_member, unknown topic";
  row.control_is = "genuine frames at the same time";
  row.n = 60;
  row.strike = [](Arena& arena, int n) {
    const auto before = arena.home.hub().screen().shown();
    arena.seen.clear();
    arena.recording = true;
    arena.run(400ms);
    const auto frame = arena.newest(Leaf::video).packet.payload;
    arena.recording = false;
    const auto own = arena.home.camera().route();
    Sent sent;
    for (int i = 0; i < n; ++i) {
      const protocol::Route unknown_camera{own.account, random_id()};
      const protocol::Route unknown_account{AccountId(random_id().bytes()), own.camera};
      const std::array<std::string, 5> topics{protocol::topic(unknown_camera, Leaf::video),
                                              protocol::topic(unknown_account, Leaf::video), "",
                                              std::string(60000, '/'), protocol::topic(own, Leaf::video) + "/x"};
      const auto& topic = topics.at(static_cast<std::size_t>(i) % topics.size());
      arena.home.hub().client().deliver({topic, frame, false, 0s});
      arena.home.camera().client().deliver({topic, frame, false, 0s});
      sent.messages += 2;
      ++sent.rejected["frame not_member"];
      ++sent.rejected["unknown topic"];
    }
    arena.run(1s);
    sent.control = arena.home.hub().screen().shown() - before;
    return sent;
  };
  return row;
}

/// A hub stores a bounded number of control messages whose roster has not arrived.
Row strangers_grants() {
  Row row;
  row.name = "grants of 60 KiB of unknown cameras";
  row.rejected_as = "not_member after the first 64";
  row.note = "the rosters of the first 64 cameras may still arrive";
  row.control_is = "genuine frames at the same time";
  row.n = 80;
  row.strike = [kept = std::uint64_t{0}](Arena& arena, int n) mutable {
    const auto before = arena.home.hub().screen().shown();
    Sent sent;
    const auto bytes = noise(60'000, 5);
    for (int i = 0; i < n; ++i, ++sent.messages) {
      arena.to_hub({{arena.home.camera().route().account, random_id()}, Leaf::grants, {}}, bytes);
      if (kept < watch::Watcher::max_early) ++kept;
      else ++sent.rejected["control not_member"];
    }
    arena.run(1s);
    sent.control = arena.home.hub().screen().shown() - before;
    return sent;
  };
  return row;
}

/// More grants than a hub checks. It counts the others without a check.
Row control_flood() {
  Row row;
  row.name = "forged grants, 1,000 per second";
  row.rejected_as = "bad_signature, overload";
  row.note = "the hub checks 20 at once and 10 per second";
  row.control_is = "the camera's own grants after the attack";
  row.n = 2;
  row.also = {"request wrong_epoch", "request too_often", "wait for key"};
  row.strike = [forger = std::make_shared<Forger>()](Arena& arena, int seconds) {
    const auto rejected = arena.home.hub().watcher().rejected_control()[watch::RejectReason::bad_signature];
    auto forged = fresh_grants(arena);
    forged.back() ^= std::byte{1};
    until_live(arena);
    const auto before = arena.home.hub().screen().shown();
    Sent sent;
    for (int step = 0; step < seconds * 10; ++step) {
      for (int i = 0; i < 100; ++i, ++sent.messages) arena.to_hub(Leaf::grants, forged);
      arena.run(Arena::step);
    }
    const auto verified = arena.home.hub().watcher().rejected_control()[watch::RejectReason::bad_signature] - rejected;
    if (verified > 21 + 10 * static_cast<std::uint64_t>(seconds))
      throw std::runtime_error("the hub checked too many grants");
    sent.rejected = {{"control bad_signature", verified}, {"overload", sent.messages - verified}};
    arena.run(2s);
    (void)fresh_grants(arena);
    until_live(arena);
    sent.control = arena.home.hub().screen().shown() - before;
    return sent;
  };
  return row;
}

}  // namespace

void add_size_rows(std::vector<Row>& rows) {
  constexpr std::size_t mebibyte = 1U << 20;
  rows.push_back(forged_frames("forged, well-formed frames of 1 MiB, of the open epoch", mebibyte, true, 4));
  rows.push_back(forged_frames("forged, well-formed frames of 1 MiB, of an unknown epoch", mebibyte, false, 6));
  rows.push_back(forged_frames("forged, well-formed small frames, of an unknown epoch", 64, false, 60));
  rows.push_back(noise_everywhere());
  rows.push_back(nonsense_topics());
  rows.push_back(strangers_grants());
  rows.push_back(control_flood());
}

}  // namespace sealcam::attacks
