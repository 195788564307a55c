// SPDX-License-Identifier: Apache-2.0
#include "protocol/frame.hpp"

#include <catch2/catch_test_macros.hpp>

#include "crypto/cose.hpp"
#include "support/actors.hpp"
#include "support/tampering.hpp"

using namespace sealcam;
using namespace sealcam::protocol;
using test::must;
namespace sframe = crypto::sframe;

namespace {

constexpr auto suite = sframe::CipherSuite::aes_128_gcm_sha256_128;

struct Sender {
  test::Actor owner, camera;
  Route route = test::route_of(owner, camera);
  sframe::BaseKey base;
  Epoch epoch{0x0000'0007'1234'5678};
  sframe::SealingKey key = must(sframe::SealingKey::open(suite, epoch, base));
  FrameSealer sealer{route, camera.keys().identity};

  Bytes frame(FrameKind kind, std::size_t content_size, FrameHeader header = {}) {
    if (kind == FrameKind::report) header.codec = Codec::none;
    header.depends = key.next_counter();
    if (kind == FrameKind::delta && key.next_counter() != Counter()) header.depends = Counter();
    return sealed(kind, frame_plaintext(header, Bytes(content_size, std::byte{0x42})));
  }
  Bytes sealed(FrameKind kind, ByteView plaintext) {
    Bytes message(sealer.message_size(key, plaintext.size()));
    const auto made = must(sealer.seal(message, key, kind, plaintext));
    CHECK(made.size() == message.size());
    return message;
  }
};

/// The reason for the rejection of `message`, or "" if it opens.
std::string rejection(ByteView message, const Route& route, const crypto::Verifier& camera,
                      const sframe::OpeningKey& key) {
  const FrameOpener opener(route);
  const auto view = parse_frame(message);
  if (!view) return "form: " + to_string(view.error());
  if (auto r = opener.verify(*view, camera); !r) return "signature: " + to_string(r.error());
  Bytes out(view->sealed.size());
  const auto opened = opener.open(out, *view, key);
  return opened ? "" : "content: " + to_string(opened.error());
}

}  // namespace

TEST_CASE("a sealed frame opens to its content, for every kind and size") {
  Sender s;
  const auto key = must(sframe::OpeningKey::open(suite, s.epoch, s.base));
  const FrameOpener opener(s.route);
  FrameHeader header;
  header.width = 1920;
  header.height = 1080;
  header.captured = CaptureTime{std::chrono::microseconds(1'790'000'000'123'456)};
  header.number = FrameNumber(0xfffffffe);
  header.age = std::chrono::milliseconds(17);
  header.motion = true;
  for (std::uint64_t n = 1; n <= Echoes::max; ++n) REQUIRE(header.echoes.add(Challenge(n << 56 | n)));
  std::uint64_t counter = 0;
  for (FrameKind kind : {FrameKind::key, FrameKind::delta, FrameKind::still, FrameKind::report})
    for (std::size_t size : {0UZ, 1UZ, 150UZ, 151UZ, 200UZ, 255UZ, 256UZ, 65'400UZ, 65'480UZ, 65'536UZ, 1'048'416UZ}) {
      const auto message = s.frame(kind, size, header);
      const auto view = must(parse_frame(message));
      CHECK(view.signer == s.camera.id());
      CHECK(view.kind == kind);
      CHECK(view.epoch == s.epoch);
      CHECK(view.counter == Counter(counter++));
      REQUIRE(opener.verify(view, s.camera.verifier()));
      Bytes out(view.sealed.size());
      const auto opened = must(opener.open(out, view, key));
      CHECK(opened.content.size() == size);
      CHECK(opened.header.width == 1920);
      CHECK(opened.header.height == 1080);
      CHECK(opened.header.captured == header.captured);
      CHECK(opened.header.number == header.number);
      CHECK(opened.header.age == header.age);
      CHECK(opened.header.motion);
      CHECK(opened.header.echoes == header.echoes);
      CHECK(opened.header.depends == (kind == FrameKind::delta ? Counter() : view.counter));
    }
}

TEST_CASE("a generic COSE reader verifies a sealed frame") {
  Sender s;
  (void)s.frame(FrameKind::key, 300);
  const auto message = s.frame(FrameKind::delta, 300);
  const auto view = must(crypto::cose::parse_sign1(message));
  const auto header = must(crypto::cose::parse_protected(view.protected_header, kind_label));
  CHECK(header.algorithm == crypto::cose::es256);
  CHECK(header.private_value == 2);
  CHECK(crypto::cose::verify_sign1(view, external_aad(MessageName::frame, s.route), s.camera.verifier()));
}

TEST_CASE("each changed bit and each truncation of a sealed frame is rejected") {
  Sender s;
  const auto key = must(sframe::OpeningKey::open(suite, s.epoch, s.base));
  const auto verifier = s.camera.verifier();
  test::check_tampering(s.frame(FrameKind::key, 40),
                        [&](ByteView m) { return rejection(m, s.route, verifier, key).empty(); });
}

TEST_CASE("a sealed frame is rejected on another route, with another signer or another key") {
  Sender s;
  const auto key = must(sframe::OpeningKey::open(suite, s.epoch, s.base));
  const auto message = s.frame(FrameKind::key, 40);
  const test::Actor stranger;
  CHECK(rejection(message, s.route, s.camera.verifier(), key).empty());  // control
  CHECK(rejection(message, {stranger.account(), s.camera.id()}, s.camera.verifier(), key).starts_with("signature: "));
  CHECK(rejection(message, {s.owner.account(), stranger.id()}, s.camera.verifier(), key).starts_with("signature: "));
  CHECK(rejection(message, s.route, stranger.verifier(), key).starts_with("signature: "));
  sframe::BaseKey other;
  other.fill()[0] = std::byte{1};
  CHECK(rejection(message, s.route, s.camera.verifier(), must(sframe::OpeningKey::open(suite, s.epoch, other)))
            .starts_with("content: "));
  CHECK(rejection(message, s.route, s.camera.verifier(), must(sframe::OpeningKey::open(suite, s.epoch.next(), s.base)))
            .starts_with("content: "));
}

TEST_CASE("a hub with the base key cannot sign a frame for the camera") {
  Sender s;
  const auto key = must(sframe::OpeningKey::open(suite, s.epoch, s.base));
  const test::Actor hub;  // has the base key s.base
  auto forging = must(sframe::SealingKey::open(suite, s.epoch, s.base));
  const FrameSealer forger(s.route, hub.keys().identity);
  const auto plaintext = frame_plaintext({}, Bytes(10));
  Bytes message(forger.message_size(forging, plaintext.size()));
  must(forger.seal(message, forging, FrameKind::key, plaintext));
  CHECK(rejection(message, s.route, s.camera.verifier(), key).contains("wrong key"));
  std::ranges::copy(s.camera.id().bytes(), message.begin() + 4 + 5);  // names the camera as signer
  CHECK(rejection(message, s.route, s.camera.verifier(), key).contains("bad signature"));
}

TEST_CASE("frames of all kinds share consecutive counters") {
  Sender s;
  for (std::uint64_t i = 0; i < 300; ++i) {
    const auto message = s.frame(static_cast<FrameKind>(1 + i % 4), 5);
    CHECK(must(parse_frame(message)).counter == Counter(i));
  }
}

TEST_CASE("a decoded report equals the encoded one") {
  Report report{RosterVersion(12), {}};
  report.roster_hash[3] = std::byte{9};
  for (const auto nonce : {std::optional<Nonce>(), std::optional(Nonce(5))}) {
    report.nonce = nonce;
    const auto read = must(decode_report(encode_report(report)));
    CHECK(read.roster_version == report.roster_version);
    CHECK(read.roster_hash == report.roster_hash);
    CHECK(read.nonce == nonce);
  }
  for (const bool privacy : {false, true}) {
    for (const auto fault : {std::optional<CameraFault>(), std::optional(CameraFault::encoder)}) {
      report.privacy = privacy;
      report.fault = fault;
      report.detects_motion = !report.detects_motion;
      report.past.push_back({Epoch(3 + report.past.size()), Counter(5), Counter(9)});
      const auto read = must(decode_report(encode_report(report)));
      CHECK(read.privacy == privacy);
      CHECK(read.fault == fault);
      CHECK(read.detects_motion == report.detects_motion);
      CHECK(read.past == report.past);
    }
  }
  auto disordered = report;
  disordered.past.push_back(report.past.front());
  CHECK(must(decode_report(encode_report(disordered))).past.empty());
  report.nonce = Nonce();
  CHECK_FALSE(decode_report(encode_report(report)));
  auto content = encode_report({RosterVersion(12), {}, Nonce(5)});
  for (const std::size_t at : {0UZ, content.size() - 10}) {  // the number of fields, the key of the nonce
    auto other = content;
    ++reinterpret_cast<unsigned char&>(other[at]);
    CHECK_FALSE(decode_report(other));
  }
  CHECK_FALSE(decode_report(as_bytes("x")));
}

TEST_CASE("a frame header of another version or codec is rejected, and unknown flags are ignored") {
  const auto header = frame_plaintext({}, {});
  REQUIRE(parse_frame_header(header));
  const auto with = [&](std::size_t at, int value) {
    auto changed = header;
    changed[at] = static_cast<std::byte>(value);
    return parse_frame_header(changed);
  };
  CHECK_FALSE(with(0, 2));
  CHECK_FALSE(with(1, 2));
  CHECK_FALSE(with(28, 1));  // no room for the challenge
  CHECK(must(with(3, 0xff)).motion);
  CHECK_FALSE(must(with(3, 0xfe)).motion);
  for (const std::size_t reserved : {2UZ, 29UZ, 30UZ, 31UZ}) CHECK(with(reserved, 0xff));
  CHECK_FALSE(parse_frame_header(ByteView(header).first(FrameHeader::min_size - 1)));
}

TEST_CASE("a frame header echoes at most 16 challenges, none of them zero or repeated") {
  const auto with = [](std::size_t count, std::initializer_list<std::uint64_t> challenges) {
    auto header = frame_plaintext({}, Bytes(8 * challenges.size()));
    header[28] = static_cast<std::byte>(count);
    std::size_t at = FrameHeader::min_size;
    for (const auto challenge : challenges) {
      store_be(MutableBytes(header).subspan(at), challenge);
      at += 8;
    }
    return parse_frame_header(header);
  };
  CHECK(must(with(2, {1, 2})).echoes.contains(Challenge(2)));
  CHECK(must(with(1, {1, 0})).size() == 40);  // what follows is content
  CHECK_FALSE(with(2, {1, 1}));
  CHECK_FALSE(with(2, {0, 1}));
  CHECK_FALSE(with(3, {1, 2}));
  CHECK(with(16, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}));
  CHECK_FALSE(with(17, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}));
  Echoes echoes;
  CHECK_FALSE(echoes.add(Challenge()));
  CHECK(echoes.add(Challenge(1)));
  CHECK_FALSE(echoes.add(Challenge(1)));
}

TEST_CASE("a frame is rejected if the counter that it depends on does not fit its kind") {
  Sender s;
  const auto key = must(sframe::OpeningKey::open(suite, s.epoch, s.base));
  (void)s.frame(FrameKind::key, 10);  // counter 0
  const auto accepted = [&](FrameKind kind, std::int64_t distance) {
    FrameHeader header;
    if (kind == FrameKind::report) header.codec = Codec::none;
    header.depends =
        Counter(static_cast<std::uint64_t>(static_cast<std::int64_t>(s.key.next_counter().value()) - distance));
    return rejection(s.sealed(kind, frame_plaintext(header, Bytes(10))), s.route, s.camera.verifier(), key).empty();
  };
  for (const auto kind : {FrameKind::key, FrameKind::still, FrameKind::report}) {
    CHECK(accepted(kind, 0));
    CHECK_FALSE(accepted(kind, 1));
    CHECK_FALSE(accepted(kind, -1));
  }
  CHECK(accepted(FrameKind::delta, 1));
  CHECK(accepted(FrameKind::delta, 7));
  CHECK_FALSE(accepted(FrameKind::delta, 0));
  CHECK_FALSE(accepted(FrameKind::delta, -1));
}
