// SPDX-License-Identifier: Apache-2.0
// Seeds made of messages: SFrame, CBOR, COSE, control messages, frames, and the files that keep them.
#include "cast.hpp"
#include "corpus_parts.hpp"
#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "protocol/card.hpp"
#include "protocol/command.hpp"
#include "protocol/status.hpp"
#include "watcher_camera.hpp"

namespace sealcam::fuzz {

using namespace protocol;
namespace sframe = crypto::sframe;

namespace {

const CaptureTime time_of_all{std::chrono::seconds(1'790'000'000)};

Bytes payload_of(ByteView message) {
  const auto payload = must(crypto::cose::parse_sign1(message)).payload;
  return {payload.begin(), payload.end()};
}

Bytes roster_message(bool with_hub = true) {
  return must(encode_roster(cast().roster(1, with_hub), cast().route, cast().owner.keys().identity));
}
Bytes status_message() { return must(encode_status({true, time_of_all}, cast().route, cast().camera.keys().identity)); }
Bytes ask_message() {
  return must(encode_ask({Want::live, Challenge(0xc0ffee00c0ffee00), Epoch(7), AskSeq(1000)}, cast().route,
                         cast().hub.keys().identity));
}
Bytes command_message() {
  Command command;
  command.seq = CommandSeq(1000);
  command.name = {CommandSeq(1), "Front door"};
  command.privacy = {CommandSeq(1000), true};
  return must(encode_command(command, cast().route, cast().camera.hpke(), cast().owner.keys().identity));
}
Bytes admission_message() {
  return must(encode_admission({Role::camera, cast().camera.id(), cast().owner.identity(), cast().camera.hpke()},
                               cast().owner.keys().identity));
}

Bytes frame_plaintext(Codec codec, ByteView content) {
  Bytes plain(frame_header_size);
  FrameHeader header{.codec = codec, .captured = time_of_all, .number = FrameNumber(25), .echo = Challenge(9)};
  if (codec != Codec::none) header.width = 640, header.height = 360;
  write_frame_header(header, plain);
  plain.insert(plain.end(), content.begin(), content.end());
  return plain;
}

}  // namespace

void sframe_seeds(Seeds& seeds) {
  for (const auto suite : {sframe::CipherSuite::aes_128_gcm_sha256_128, sframe::CipherSuite::aes_256_gcm_sha512_128}) {
    auto key = must(sframe::SealingKey::open(suite, Epoch(7), {}));
    const unsigned choice = suite == sframe::CipherSuite::aes_128_gcm_sha256_128 ? 0 : 1;
    for (const std::size_t size : {0U, 1U, 40U}) {
      Bytes out(key.sealed_size(size));
      const auto sealed = must(key.seal(out, as_bytes("meta"), Bytes(size, std::byte{0x42})));
      Bytes rest(as_bytes("meta").begin(), as_bytes("meta").end());
      rest.insert(rest.end(), sealed.begin(), sealed.end());
      seeds.put("sframe_fuzz", "sealed-" + std::to_string(choice) + "-" + std::to_string(size), {choice, 4}, rest);
    }
  }
  for (const std::uint64_t n : {std::uint64_t{0}, std::uint64_t{8}, std::uint64_t{0x100}, ~std::uint64_t{0}}) {
    std::array<std::byte, sframe::max_header_size> header{};
    const auto size = sframe::write_header({n, ~n}, header);
    seeds.put("sframe_fuzz", "header-" + std::to_string(n), {0, 0}, ByteView(header).first(size));
  }
}

void cbor_seeds(Seeds& seeds) {
  crypto::CborWriter all;
  all.array(8).integer(INT64_MIN).integer(INT64_MAX).unsigned_integer(UINT64_MAX).boolean(true).tag(18).bytes({});
  all.text("Haustür").map(2).integer(1).array(0).integer(-1).map(0).array(1).array(1).tag(1).integer(24);
  seeds.put("cbor_fuzz", "all-types", {}, all.view());
  seeds.put("cbor_fuzz", "aad", {}, external_aad(MessageName::frame, cast().route));
  seeds.put("cbor_fuzz", "roster", {}, payload_of(roster_message()));
  seeds.put("cbor_fuzz", "message", {}, ask_message());
}

void cose_seeds(Seeds& seeds) {
  seeds.put("cose_fuzz", "ask", {0}, ask_message());
  seeds.put("cose_fuzz", "roster", {0}, roster_message());
  seeds.put("cose_fuzz", "header", {1}, protected_header(cast().camera.id()));
  const auto frame = HonestCamera().frame(0, FrameKind::key, 0, {}, {});
  seeds.put("cose_fuzz", "header-frame", {1}, must(parse_frame(frame)).protected_header);
  seeds.put("cose_fuzz", "status", {2}, status_message());
  seeds.put("cose_fuzz", "key", {3}, cast().camera.identity().bytes());
}

void control_seeds(Seeds& seeds) {
  const auto both = [&](unsigned choice, std::string_view name, ByteView message) {
    seeds.put("control_fuzz", std::string(name) + "-message", {choice}, message);
    seeds.put("control_fuzz", std::string(name) + "-payload", {0x80U | choice}, payload_of(message));
  };
  both(0, "roster", roster_message());
  both(1, "grants", HonestCamera::grants(0));
  both(3, "ask", ask_message());
  both(4, "status", status_message());
  both(5, "card", must(encode_card(Role::hub, cast().hub.keys())));
  both(6, "admission", admission_message());
  seeds.put("control_fuzz", "command-message", {7}, command_message());
  crypto::CborWriter items;
  items.map(5).integer(1).array(2).integer(1).text("Front door").integer(2).array(2).integer(2).boolean(true);
  items.integer(3).array(2).integer(3).map(4).integer(1).integer(700'000).integer(2).integer(1280);
  items.integer(3).integer(720).integer(4).integer(25).integer(4).array(2).integer(3).map(2).integer(1);
  items.bytes(as_bytes("network")).integer(2).text("passphrase").integer(5).array(2).integer(4).boolean(true);
  seeds.put("control_fuzz", "command-plaintext", {8}, items.view());
  crypto::CborWriter grant;
  grant.map(2).integer(1).bytes(HonestCamera::base_key(0).reveal().first(16)).integer(2).text("Front door");
  seeds.put("control_fuzz", "grant-plaintext", {2}, grant.view());
}

void inspector_seeds(Seeds& seeds) {
  const auto both = [&](unsigned choice, std::string_view name, ByteView message) {
    seeds.put("inspector_fuzz", std::string(name) + "-message", {choice}, message);
    seeds.put("inspector_fuzz", std::string(name) + "-payload", {0x80U | choice}, payload_of(message));
  };
  both(0, "roster", roster_message());
  both(2, "grants", HonestCamera::grants(1));
  both(3, "status", status_message());
  both(6, "ask", ask_message());
  both(1, "command", command_message());
  seeds.put("inspector_fuzz", "frame", {4}, HonestCamera().frame(0, FrameKind::key, 0, {}, {}));
  // The kind follows from the length.
  seeds.put("inspector_fuzz", "picture", {0x84}, frame_plaintext(Codec::h264_annex_b, as_bytes("unit")));
  const auto report = encode_report({RosterVersion(3), {}});
  for (std::size_t filler = 0; filler < 4; ++filler) {
    auto plain = frame_plaintext(Codec::none, report);
    plain.resize(plain.size() + filler);
    seeds.put("inspector_fuzz", "report-" + std::to_string(filler), {0x85}, plain);
  }
}

void frame_seeds(Seeds& seeds) {
  HonestCamera camera;
  for (const auto kind : {FrameKind::key, FrameKind::delta, FrameKind::still, FrameKind::report})
    seeds.put("frame_fuzz", "frame-" + std::to_string(static_cast<int>(kind)), {0}, camera.frame(0, kind, 0, {}, {}));
  const auto report = encode_report({RosterVersion(3), {}});
  seeds.put("frame_fuzz", "header", {1}, ByteView(frame_plaintext(Codec::h264_annex_b, {})));
  seeds.put("frame_fuzz", "report", {2}, report);
  seeds.put("frame_fuzz", "plaintext-key", {3}, frame_plaintext(Codec::h264_annex_b, as_bytes("access unit")));
  seeds.put("frame_fuzz", "plaintext-report", {3 + 3 * 4}, frame_plaintext(Codec::none, report));
}

void state_seeds(Seeds& seeds) {
  seeds.put("state_fuzz", "hub-roster", {0}, roster_message());
  seeds.put("state_fuzz", "hub-roster-payload", {0x80}, payload_of(roster_message()));
  seeds.put("state_fuzz", "hub-roster-without-us", {0x80}, payload_of(roster_message(false)));
  seeds.put("state_fuzz", "camera-roster", {1}, roster_message());
  seeds.put("state_fuzz", "camera-roster-payload", {0x81}, payload_of(roster_message()));
  seeds.put("state_fuzz", "ask-seq", {2}, std::string_view("SCQ1\0\0\0\0\0\0\3\xe9", 12));
  seeds.put("state_fuzz", "ask-seq-used-up", {2}, "SCQ1\xff\xff\xff\xff\xff\xff\xff\xff");
  seeds.put("state_fuzz", "epoch", {3}, "17\n");
  seeds.put("state_fuzz", "epoch-last", {3}, "4294967295\n");
  const auto owner = cast().owner.account().to_string();
  seeds.put("state_fuzz", "command-done", {4}, owner + " 7 7\n");
  seeds.put("state_fuzz", "command-pending", {4}, owner + " 7 5\nsealed");
  seeds.put("state_fuzz", "privacy", {5}, "on\n");
}

}  // namespace sealcam::fuzz
