// SPDX-License-Identifier: Apache-2.0
// Seeds from messages: SFrame, CBOR, COSE, control messages, sealed frames, and the files that store them.
#include "corpus_parts.hpp"
#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "parties.hpp"
#include "protocol/command.hpp"
#include "protocol/pairing.hpp"
#include "protocol/phone_link.hpp"
#include "protocol/roster.hpp"
#include "protocol/status.hpp"
#include "protocol/view_request.hpp"
#include "watcher_camera.hpp"

namespace sealcam::fuzz {

using namespace protocol;
namespace sframe = crypto::sframe;

namespace {

const CaptureTime time_of_messages{std::chrono::seconds(1'790'000'000)};

Bytes payload_of(ByteView message) {
  const auto payload = must(crypto::cose::parse_sign1(message)).payload;
  return {payload.begin(), payload.end()};
}

Bytes roster_message(bool with_hub = true) {
  return must(encode_roster(parties().roster(1, with_hub), parties().route, parties().owner.keys().identity));
}
Bytes status_message() {
  return must(encode_status({true, time_of_messages}, parties().route, parties().camera.keys().identity));
}
Bytes request_message() {
  return must(encode_view_request({RequestKind::live, Challenge(0xc0ffee00c0ffee00), Epoch(7), RequestSeq(1000)},
                                  parties().route, parties().hub.keys().identity));
}
Bytes full_request_message() {
  const ViewRequest request{.kind = RequestKind::privacy_off,
                            .challenge = Challenge(0xc0ffee00c0ffee00),
                            .epoch = Epoch(7),
                            .seq = RequestSeq(1001),
                            .nonce = Nonce(5),
                            .prekey = Prekey{PrekeyNumber(3), parties().camera.hpke()},
                            .receiver = ReceiverReport{Counter(90), std::chrono::milliseconds(3000), 88},
                            .cannot_open = true};
  return must(encode_view_request(request, parties().route, parties().hub.keys().identity));
}
/// The payload of grants with an unknown KEM, a prekey and all optional fields.
Bytes more_grants() {
  crypto::CborWriter writer;
  writer.map(9).integer(1).integer(7).integer(2).integer(5).integer(3).integer(1).integer(4).bytes(Bytes(32));
  writer.integer(5).integer(0).integer(6).map(1).bytes(parties().hub.id().bytes()).array(4);
  writer.integer(0x647a).integer(3).bytes(Bytes(1120)).bytes(Bytes(64)).integer(7).integer(9).integer(8).integer(3);
  writer.integer(9).boolean(true);
  return writer.take();
}
Bytes command_message() {
  Command command;
  command.seq = CommandSeq(1000);
  command.name = {CommandSeq(1), "Front door"};
  command.privacy = {CommandSeq(1000), true};
  return must(encode_command(command, parties().route, parties().camera.hpke(), parties().owner.keys().identity));
}
Bytes authorization_message() {
  return must(
      encode_authorization({Role::camera, parties().camera.id(), parties().owner.identity(), parties().camera.hpke()},
                           parties().owner.keys().identity));
}
Bytes phone_authorization_message() {
  return must(encode_authorization({.role = Role::hub,
                                    .device = parties().camera.id(),  // of the route that the fuzzer signs for
                                    .owner = parties().owner.identity(),
                                    .tls = std::nullopt,
                                    .login = crypto::PasswordHash{}},
                                   parties().owner.keys().identity));
}

Bytes frame_plaintext(Codec codec, ByteView content) {
  FrameHeader header{.codec = codec,
                     .motion = codec != Codec::none,
                     .captured = time_of_messages,
                     .number = FrameNumber(25),
                     .depends = Counter(0),
                     .echoes = Challenge(9)};
  header.echoes.add(Challenge(10));
  if (codec != Codec::none) header.width = 640, header.height = 360;
  return frame_plaintext(header, content);
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
  seeds.put("cbor_fuzz", "aad", {}, external_aad(MessageName::frame, parties().route));
  seeds.put("cbor_fuzz", "roster", {}, payload_of(roster_message()));
  seeds.put("cbor_fuzz", "message", {}, request_message());
}

void cose_seeds(Seeds& seeds) {
  seeds.put("cose_fuzz", "request", {0}, request_message());
  seeds.put("cose_fuzz", "roster", {0}, roster_message());
  seeds.put("cose_fuzz", "header", {1}, protected_header(parties().camera.id()));
  const auto frame = HonestCamera().frame(0, FrameKind::key, 0, {}, {});
  seeds.put("cose_fuzz", "header-frame", {1}, must(parse_frame(frame)).protected_header);
  seeds.put("cose_fuzz", "status", {2}, status_message());
  seeds.put("cose_fuzz", "key", {3}, parties().camera.identity().bytes());
}

void control_seeds(Seeds& seeds) {
  const auto both = [&](unsigned choice, std::string_view name, ByteView message) {
    seeds.put("control_fuzz", std::string(name) + "-message", {choice}, message);
    seeds.put("control_fuzz", std::string(name) + "-payload", {0x80U | choice}, payload_of(message));
  };
  both(0, "roster", roster_message());
  both(1, "grants", HonestCamera::grants(0));
  both(3, "request", request_message());
  both(3, "request-full", full_request_message());
  seeds.put("control_fuzz", "grants-more", {0x81}, more_grants());
  const auto index = must(encode_index({IndexVersion(3), {parties().camera.id(), parties().stranger.id()}},
                                       parties().owner.account(), parties().hub.id(), parties().owner.keys().identity));
  both(9, "index", index);
  both(4, "status", status_message());
  both(5, "descriptor", must(encode_device_descriptor(Role::hub, parties().hub.keys(), parties().camera.hpke())));
  both(6, "authorization", authorization_message());
  both(5, "phone-descriptor", must(encode_device_descriptor(Role::hub, parties().hub.keys(), std::nullopt)));
  both(6, "phone-authorization", phone_authorization_message());
  both(10, "link-opening",
       must(encode_link_opening({.slot = {}, .owner = parties().owner.identity(), .time = time_of_messages},
                                parties().owner.keys().identity)));
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
  crypto::CborWriter update, software;
  update.map(1).integer(6).array(2).integer(1).map(2).integer(1).integer(2).integer(2).text("0.2.0");
  seeds.put("control_fuzz", "command-update", {8}, update.view());
  software.map(2).integer(1).text("0.1.0").integer(2).map(3).integer(2).integer(2).integer(3).text("0.2.0");
  software.integer(4).array(4).text("0.1.9").integer(2).text("no sensor").integer(1'790'000'000);
  seeds.put("control_fuzz", "software-plaintext", {11}, software.view());
}

void inspector_seeds(Seeds& seeds) {
  const auto both = [&](unsigned choice, std::string_view name, ByteView message) {
    seeds.put("inspector_fuzz", std::string(name) + "-message", {choice}, message);
    seeds.put("inspector_fuzz", std::string(name) + "-payload", {0x80U | choice}, payload_of(message));
  };
  both(0, "roster", roster_message());
  both(2, "grants", HonestCamera::grants(1));
  both(3, "status", status_message());
  both(6, "request", request_message());
  both(1, "command", command_message());
  seeds.put("inspector_fuzz", "frame", {4}, HonestCamera().frame(0, FrameKind::key, 0, {}, {}));
  // inspector_fuzz derives the kind of a frame from its length.
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
  seeds.put("frame_fuzz", "report-nonce", {2}, encode_report({RosterVersion(3), {}, Nonce(6)}));
  seeds.put("frame_fuzz", "report-state", {2},
            encode_report({RosterVersion(3), {}, Nonce(6), true, CameraFault::sensor}));
  seeds.put("frame_fuzz", "plaintext-delta", {3 + 1 * 4},
            frame_plaintext(Codec::h264_annex_b, as_bytes("access unit")));
  seeds.put("frame_fuzz", "plaintext-key", {3}, frame_plaintext(Codec::h264_annex_b, as_bytes("access unit")));
  seeds.put("frame_fuzz", "plaintext-report", {3 + 3 * 4}, frame_plaintext(Codec::none, report));
}

void state_seeds(Seeds& seeds) {
  seeds.put("state_fuzz", "hub-roster", {0}, roster_message());
  seeds.put("state_fuzz", "hub-roster-payload", {0x80}, payload_of(roster_message()));
  seeds.put("state_fuzz", "hub-roster-without-us", {0x80}, payload_of(roster_message(false)));
  seeds.put("state_fuzz", "camera-roster", {1}, roster_message());
  seeds.put("state_fuzz", "camera-roster-payload", {0x81}, payload_of(roster_message()));
  seeds.put("state_fuzz", "request-seq", {2}, std::string_view("SCQ1\0\0\0\0\0\0\3\xe9", 12));
  seeds.put("state_fuzz", "request-seq-used-up", {2}, "SCQ1\xff\xff\xff\xff\xff\xff\xff\xff");
  seeds.put("state_fuzz", "prekeys-none", {6}, "SCK1");
  seeds.put("state_fuzz", "epoch", {3}, "17\n");
  seeds.put("state_fuzz", "epoch-last", {3}, "4294967295\n");
  const auto owner = parties().owner.account().to_string();
  seeds.put("state_fuzz", "command-done", {4}, owner + " 7 7\n");
  seeds.put("state_fuzz", "command-pending", {4}, owner + " 7 5\nsealed");
  seeds.put("state_fuzz", "privacy", {5}, "on\n");
}

}  // namespace sealcam::fuzz
