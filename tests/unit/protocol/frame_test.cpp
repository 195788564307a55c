// SPDX-License-Identifier: Apache-2.0
#include "protocol/frame.hpp"

#include <catch2/catch_test_macros.hpp>

#include "crypto/cose.hpp"
#include "support/actors.hpp"

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
    Bytes plaintext(frame_header_size + content_size, std::byte{0x42});
    write_frame_header(header, plaintext);
    Bytes message(sealer.message_size(key, plaintext.size()));
    const auto made = must(sealer.seal(message, key, kind, plaintext));
    CHECK(made.size() == message.size());
    return message;
  }
};

/// Why `message` is refused, or "" when its content comes out.
std::string refusal(ByteView message, const Route& route, const crypto::Verifier& camera,
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

TEST_CASE("a frame comes out as it went in, for every kind and length form") {
  Sender s;
  const auto key = must(sframe::OpeningKey::open(suite, s.epoch, s.base));
  const FrameOpener opener(s.route);
  FrameHeader header;
  header.width = 1920;
  header.height = 1080;
  header.captured = CaptureTime{std::chrono::microseconds(1'790'000'000'123'456)};
  header.number = FrameNumber(0xfffffffe);
  header.age = std::chrono::milliseconds(17);
  header.echo = Challenge(0x0102030405060708);
  std::uint64_t counter = 0;
  for (FrameKind kind : {FrameKind::key, FrameKind::delta, FrameKind::still, FrameKind::report})
    for (std::size_t size : {0UZ, 1UZ, 150UZ, 151UZ, 200UZ, 255UZ, 256UZ, 65'400UZ, 65'480UZ, 65'536UZ, 1'048'544UZ}) {
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
      CHECK(opened.header.echo == header.echo);
    }
}

TEST_CASE("a frame is a COSE_Sign1 that a generic reader verifies") {
  Sender s;
  const auto message = s.frame(FrameKind::delta, 300);
  const auto view = must(crypto::cose::parse_sign1(message));
  const auto header = must(crypto::cose::parse_protected(view.protected_header, kind_label));
  CHECK(header.algorithm == crypto::cose::es256);
  CHECK(header.private_value == 2);
  CHECK(crypto::cose::verify_sign1(view, external_aad(MessageName::frame, s.route), s.camera.verifier()));
}

TEST_CASE("no bit of a frame can be changed, nor any end of it cut off") {
  Sender s;
  const auto key = must(sframe::OpeningKey::open(suite, s.epoch, s.base));
  const auto verifier = s.camera.verifier();
  const auto message = s.frame(FrameKind::key, 40);
  REQUIRE(refusal(message, s.route, verifier, key).empty());  // control
  for (std::size_t bit = 0; bit < message.size() * 8; ++bit) {
    Bytes changed = message;
    changed[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    if (refusal(changed, s.route, verifier, key).empty()) FAIL("bit " << bit << " may be flipped");
  }
  for (std::size_t n = 0; n < message.size(); ++n)
    if (refusal(ByteView(message).first(n), s.route, verifier, key).empty()) FAIL("may be cut to " << n);
}

TEST_CASE("a frame does not pass on another route, in another name, or under another key") {
  Sender s;
  const auto key = must(sframe::OpeningKey::open(suite, s.epoch, s.base));
  const auto message = s.frame(FrameKind::key, 40);
  const test::Actor stranger;
  CHECK(refusal(message, s.route, s.camera.verifier(), key).empty());  // control
  CHECK(refusal(message, {stranger.account(), s.camera.id()}, s.camera.verifier(), key).starts_with("signature: "));
  CHECK(refusal(message, {s.owner.account(), stranger.id()}, s.camera.verifier(), key).starts_with("signature: "));
  CHECK(refusal(message, s.route, stranger.verifier(), key).starts_with("signature: "));
  sframe::BaseKey other;
  other.fill()[0] = std::byte{1};
  CHECK(refusal(message, s.route, s.camera.verifier(), must(sframe::OpeningKey::open(suite, s.epoch, other)))
            .starts_with("content: "));
  CHECK(refusal(message, s.route, s.camera.verifier(), must(sframe::OpeningKey::open(suite, s.epoch.next(), s.base)))
            .starts_with("content: "));
}

TEST_CASE("who holds the content key but not the camera's identity cannot make a frame") {
  Sender s;
  const auto key = must(sframe::OpeningKey::open(suite, s.epoch, s.base));
  const test::Actor hub;  // was granted s.base
  auto forging = must(sframe::SealingKey::open(suite, s.epoch, s.base));
  const FrameSealer forger(s.route, hub.keys().identity);
  Bytes plaintext(frame_header_size + 10);
  write_frame_header({}, plaintext);
  Bytes message(forger.message_size(forging, plaintext.size()));
  must(forger.seal(message, forging, FrameKind::key, plaintext));
  CHECK(refusal(message, s.route, s.camera.verifier(), key).contains("wrong key"));
  std::ranges::copy(s.camera.id().bytes(), message.begin() + 4 + 5);  // puts the camera's name on it
  CHECK(refusal(message, s.route, s.camera.verifier(), key).contains("bad signature"));
}

TEST_CASE("counters are consecutive over all kinds") {
  Sender s;
  for (std::uint64_t i = 0; i < 300; ++i) {
    const auto message = s.frame(static_cast<FrameKind>(1 + i % 4), 5);
    CHECK(must(parse_frame(message)).counter == Counter(i));
  }
}

TEST_CASE("a report comes out as it went in") {
  Report report{RosterVersion(12), {}};
  report.roster_hash[3] = std::byte{9};
  const auto read = must(decode_report(encode_report(report)));
  CHECK(read.roster_version == report.roster_version);
  CHECK(read.roster_hash == report.roster_hash);
  CHECK_FALSE(decode_report(as_bytes("x")));
}

TEST_CASE("a frame header with unknown fields is refused") {
  std::array<std::byte, frame_header_size> header;
  write_frame_header({}, header);
  REQUIRE(parse_frame_header(header));
  for (auto [at, value] : {std::pair{0, 2}, {1, 2}, {2, 1}, {3, 1}}) {
    auto changed = header;
    changed[static_cast<std::size_t>(at)] = static_cast<std::byte>(value);
    CHECK_FALSE(parse_frame_header(changed));
  }
  CHECK_FALSE(parse_frame_header(ByteView(header).first(frame_header_size - 1)));
}
