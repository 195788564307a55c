// SPDX-License-Identifier: Apache-2.0
/// Writes one sample of each message with its keys to <build folder>/samples/sealcam-1.json, for other implementations.
/// Then it reads and checks the file.
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "base/file.hpp"
#include "build_paths.hpp"
#include "protocol/command.hpp"
#include "protocol/envelope.hpp"
#include "protocol/frame.hpp"
#include "protocol/pairing.hpp"
#include "protocol/roster.hpp"
#include "protocol/status.hpp"
#include "protocol/view_request.hpp"
#include "support/actors.hpp"

using namespace sealcam;
using namespace sealcam::protocol;
using test::must;
using Json = nlohmann::ordered_json;
namespace sframe = crypto::sframe;

namespace {

/// A device with published private keys: SHA-256 of a text.
class SampleDevice {
 public:
  explicit SampleDevice(std::string name) : name_(std::move(name)) {
    must(crypto::init());
    identity_.emplace(must(crypto::import_signing_key(scalar("identity"))));
    hpke_.emplace(must(crypto::import_agreement_key(scalar("hpke"))));
  }
  [[nodiscard]] crypto::DeviceKeys keys() const {
    return {crypto::SigningKey(identity_->first.id(), identity_->second),
            crypto::AgreementKey(hpke_->first.id(), hpke_->second)};
  }
  [[nodiscard]] Json json() const {
    return {
        {"id", keys().identity.id().to_string()},
        {"identity", {{"private", to_hex(scalar("identity").reveal())}, {"public", to_hex(identity_->second.bytes())}}},
        {"hpke", {{"private", to_hex(scalar("hpke").reveal())}, {"public", to_hex(hpke_->second.bytes())}}}};
  }

 private:
  [[nodiscard]] Secret<32> scalar(std::string_view what) const {
    return Secret<32>(must(crypto::sha256(as_bytes("sealcam sample " + name_ + " " + std::string(what)))));
  }
  std::string name_;
  std::optional<std::pair<crypto::VolatileKey, crypto::PublicKey>> identity_, hpke_;
};

void append(Bytes& to, ByteView what) { to.insert(to.end(), what.begin(), what.end()); }

Bytes access_unit() {
  // Start codes of SPS, PPS and IDR with dummy content.
  return must(
      from_hex("0000000167420028"
               "0000000168ce3c80"
               "000000016588843a"));
}

/// The parties and values that all samples share.
struct Sample {
  SampleDevice owner{"owner"}, camera{"camera"}, hub{"hub"}, second{"second hub"};
  Route route{owner.keys().identity.public_key().account(), camera.keys().identity.id()};
  CaptureTime time{std::chrono::microseconds(1'790'000'000'000'000)};
  Epoch epoch_5{0x0000'0002'89ab'cdef};  ///< with cipher suite 5

  [[nodiscard]] GrantContent content_5() const {
    GrantContent content;
    std::ranges::copy(must(from_hex("202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f")),
                      content.base_key.fill().begin());
    content.camera_name = "Front door";
    return content;
  }
  /// Two hubs of two integrations; the first integration is suspended.
  [[nodiscard]] Roster roster_with_integrations() const {
    Roster roster;
    roster.version = RosterVersion(2);
    roster.camera_identity = camera.keys().identity.public_key();
    roster.camera_hpke = camera.keys().hpke.public_key();
    const auto suspended = Integration(0x1122334455667788), other = Integration(0x99aabbccddeeff00);
    roster.hubs = {{hub.keys().identity.public_key(), hub.keys().hpke.public_key(), suspended, false},
                   {second.keys().identity.public_key(), second.keys().hpke.public_key(), other, true}};
    roster.suspended = {suspended};
    roster.issued = time;
    return roster;
  }
  /// Of the password with the bytes 0 to 31.
  [[nodiscard]] static crypto::PasswordHash login() {
    crypto::PasswordHash::Salt salt;
    std::ranges::copy(must(from_hex("404142434445464748494a4b")), salt.begin());
    return must(crypto::PasswordHash::make(as_bytes("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"), salt));
  }
};

Bytes sealed(const Sample& s, sframe::SealingKey& key, FrameKind kind, Counter depends, std::uint32_t number) {
  const FrameHeader header{.codec = Codec::h264_annex_b,
                           .width = 640,
                           .height = 360,
                           .captured = s.time,
                           .number = FrameNumber(number),
                           .depends = depends,
                           .echoes = {}};
  const auto plaintext = frame_plaintext(header, access_unit());
  const FrameSealer sealer(s.route, s.camera.keys().identity);
  Bytes frame(sealer.message_size(key, plaintext.size()));
  must(sealer.seal(frame, key, kind, plaintext));
  return frame;
}

/// Cipher suite 5, the other kinds of frames, integrations, a reset and its notice, the camera's descriptor, and a
/// phone.
Json more_samples(const Sample& s) {
  const auto owner = s.owner.keys().identity, camera = s.camera.keys().identity;
  const auto roster = s.roster_with_integrations();
  const auto roster_message = must(encode_roster(roster, s.route, owner));
  const auto content = s.content_5();
  const auto suite = sframe::CipherSuite::aes_256_gcm_sha512_128;
  const auto grants = must(encode_grants({.roster = roster,
                                          .content = content,
                                          .epoch = s.epoch_5,
                                          .roster_hash = must(roster_hash(roster_message)),
                                          .created = s.time,
                                          .suite = suite,
                                          .wifi = WifiFault::not_found},
                                         s.route, camera));
  auto key = must(sframe::SealingKey::open(suite, s.epoch_5, content.base_key));
  const auto first = sealed(s, key, FrameKind::key, Counter(0), 1);
  const auto delta = sealed(s, key, FrameKind::delta, Counter(0), 2);
  const auto still = sealed(s, key, FrameKind::still, Counter(2), 2);
  Command reset;
  reset.seq = CommandSeq(4);
  reset.reset = {CommandSeq(4), {}};
  const auto message = [](ByteView bytes) { return Json{{"message", to_hex(bytes)}}; };
  return {
      {"roster-integrations", message(roster_message)},
      {"grants-suite-5", message(grants)},
      {"key-suite-5", message(first)},
      {"delta-suite-5", message(delta)},
      {"still-suite-5", message(still)},
      {"reset", message(must(encode_command(reset, s.route, s.camera.keys().hpke.public_key(), owner)))},
      {"deregistration",
       message(must(encode_status({.online = false, .started = s.time, .reset = true}, s.route, camera)))},
      {"camera-descriptor",
       message(must(encode_device_descriptor(Role::camera, s.camera.keys(), s.second.keys().identity.public_key())))},
      {"phone-descriptor", message(must(encode_device_descriptor(Role::hub, s.second.keys(), std::nullopt)))},
      {"phone-authorization", message(must(encode_authorization({.role = Role::hub,
                                                                 .device = s.second.keys().identity.id(),
                                                                 .owner = s.owner.keys().identity.public_key(),
                                                                 .tls = std::nullopt,
                                                                 .login = s.login()},
                                                                owner)))}};
}

}  // namespace

TEST_CASE("a sample of every message is written and holds") {
  const Sample sample;
  const auto& [owner, camera, hub, second, route, time, epoch_5] = sample;
  const Epoch epoch(0x0000'0001'89ab'cdef);
  const auto suite = sframe::CipherSuite::aes_128_gcm_sha256_128;
  GrantContent content;
  std::ranges::copy(must(from_hex("000102030405060708090a0b0c0d0e0f")), content.base_key.fill().begin());
  content.camera_name = "Front door";

  Roster roster;
  roster.version = RosterVersion(1);
  roster.camera_identity = camera.keys().identity.public_key();
  roster.camera_hpke = camera.keys().hpke.public_key();
  roster.hubs = {
      {hub.keys().identity.public_key(), hub.keys().hpke.public_key(), Integration(0x1122334455667788), true}};
  roster.issued = time;
  const auto roster_message = must(encode_roster(roster, route, owner.keys().identity));
  const SampleDevice prekey("hub prekey 7");  // its HPKE key
  const auto hub_prekey = [&](const DeviceId&) {
    return std::optional(Prekey{PrekeyNumber(7), prekey.keys().hpke.public_key()});
  };
  const auto grants = must(encode_grants({.roster = roster,
                                          .content = content,
                                          .epoch = epoch,
                                          .roster_hash = must(roster_hash(roster_message)),
                                          .created = time,
                                          .command = CommandSeq(3),
                                          .not_stored = true,
                                          .prekey = hub_prekey},
                                         route, camera.keys().identity));
  const ViewRequest request{.kind = RequestKind::live,
                            .challenge = Challenge(0xc0ffee00c0ffee00),
                            .epoch = epoch,
                            .seq = RequestSeq(1000),
                            .prekey = hub_prekey({}),
                            .receiver = ReceiverReport{Counter(90), std::chrono::milliseconds(3000), 88},
                            .cannot_open = true};
  const ViewRequest privacy_off{.kind = RequestKind::privacy_off,
                                .challenge = Challenge(0xc0ffee00c0ffee01),
                                .epoch = epoch,
                                .seq = RequestSeq(1001),
                                .nonce = Nonce(0x0102030405060708)};
  const auto index = must(
      encode_index({IndexVersion(5), {route.camera}}, route.account, hub.keys().identity.id(), owner.keys().identity));

  Command command;
  command.seq = CommandSeq(3);
  command.name = {CommandSeq(1), "Front door"};
  command.privacy = {CommandSeq(2), true};
  command.settings = {CommandSeq(3),
                      {BitsPerSecond(1'500'000), CameraSettings::Size{1280, 720}, 25U, PictureAreas{{0, 0, 250, 400}},
                       30U, PictureAreas{{500, 0, 500, 1000}, {0, 700, 1000, 300}}}};
  Bytes ssid;
  append(ssid, as_bytes("sealcam-net"));
  command.wifi = {CommandSeq(3), {.ssid = ssid, .passphrase = must(Passphrase::parse("not a secret"))}};

  FrameHeader header{.codec = Codec::h264_annex_b,
                     .motion = true,
                     .width = 640,
                     .height = 360,
                     .captured = time,
                     .number = FrameNumber(25),
                     .age = std::chrono::milliseconds(12),
                     .depends = Counter(0),
                     .echoes = request.challenge};
  header.echoes.add(Challenge(0x1122334455667788));
  const auto plaintext = frame_plaintext(header, access_unit());
  auto key = must(sframe::SealingKey::open(suite, epoch, content.base_key));
  const FrameSealer sealer(route, camera.keys().identity);
  Bytes frame(sealer.message_size(key, plaintext.size()));
  must(sealer.seal(frame, key, FrameKind::key, plaintext));

  header = {.codec = Codec::none,
            .captured = time,
            .number = FrameNumber(25),
            .depends = key.next_counter(),
            .echoes = request.challenge};
  const auto report_plaintext =
      frame_plaintext(header, encode_report({roster.version, must(roster_hash(roster_message)), Nonce(9)}));
  Bytes report(sealer.message_size(key, report_plaintext.size()));
  must(sealer.seal(report, key, FrameKind::report, report_plaintext));

  ChannelBinding exported;
  std::ranges::copy(must(crypto::sha256(as_bytes("sealcam sample exporter"))), exported.fill().begin());
  const auto code = must(PairingCode::parse("abcdefg2"));
  PairingEnrollment enrollment;
  enrollment.broker_host = "broker.example";
  enrollment.broker_port = 8883;
  enrollment.ca_pem = "the authority's certificate";
  enrollment.certificate_pem = "the device's certificate";
  enrollment.name = "Front door";
  enrollment.roster = roster_message;
  const auto claim = must(encode_pairing_claim(code, exported, route.camera, owner.keys().identity));
  const auto proof = must(encode_pairing_proof(exported, camera.keys().identity));
  const auto enrolled = must(encode_pairing_enrollment(enrollment, exported, route.camera, owner.keys().identity));

  Json samples = {
      {"about",
       "One sample of every message of sealcam/1. Byte strings in hexadecimal. Private keys are SHA-256 of "
       "'sealcam sample <device> <key>'."},
      {"account", route.account.to_string()},
      {"owner", owner.json()},
      {"camera", camera.json()},
      {"hub", hub.json()},
      {"second", second.json()},
      {"prekey", prekey.json()},
      {"base_key", to_hex(content.base_key.reveal().first(16))},
      {"messages",
       {{"roster", {{"topic", topic(route, Leaf::roster)}, {"message", to_hex(roster_message)}}},
        {"grants", {{"topic", topic(route, Leaf::grants)}, {"message", to_hex(grants)}}},
        {"request",
         {{"topic", request_topic(route, hub.keys().identity.id())},
          {"message", to_hex(must(encode_view_request(request, route, hub.keys().identity)))}}},
        {"privacy-off",
         {{"topic", request_topic(route, hub.keys().identity.id())},
          {"message", to_hex(must(encode_view_request(privacy_off, route, hub.keys().identity)))}}},
        {"index", {{"topic", index_topic(route.account, hub.keys().identity.id())}, {"message", to_hex(index)}}},
        {"command",
         {{"topic", topic(route, Leaf::command)},
          {"message",
           to_hex(must(encode_command(command, route, camera.keys().hpke.public_key(), owner.keys().identity)))}}},
        {"status",
         {{"topic", topic(route, Leaf::status)},
          {"message", to_hex(must(encode_status({true, time, true}, route, camera.keys().identity)))}}},
        {"frame", {{"topic", topic(route, Leaf::video)}, {"message", to_hex(frame)}, {"plaintext", to_hex(plaintext)}}},
        {"report",
         {{"topic", topic(route, Leaf::video)}, {"message", to_hex(report)}, {"plaintext", to_hex(report_plaintext)}}},
        {"pairing-proof", {{"message", to_hex(proof)}, {"exporter", to_hex(exported.reveal())}}},
        {"pairing-claim", {{"message", to_hex(claim)}, {"exporter", to_hex(exported.reveal())}}},
        {"enrollment", {{"message", to_hex(enrolled)}, {"exporter", to_hex(exported.reveal())}}},
        {"descriptor",
         {{"message",
           to_hex(must(encode_device_descriptor(Role::hub, hub.keys(), prekey.keys().identity.public_key())))}}},
        {"authorization",
         {{"message",
           to_hex(must(encode_authorization({Role::camera, camera.keys().identity.id(),
                                             owner.keys().identity.public_key(), camera.keys().hpke.public_key()},
                                            owner.keys().identity)))}}}}}};
  samples["messages"].update(more_samples(sample));
  const auto folder = std::filesystem::path(SEALCAM_BUILD_DIR) / "samples";
  std::filesystem::create_directories(folder);
  REQUIRE(write_file_durably(folder / "sealcam-1.json", as_bytes(samples.dump(2) + "\n")));

  // Reads the messages from the file only, like another implementation.
  const auto read = Json::parse(as_text(must(read_file(folder / "sealcam-1.json", 1 << 20))));
  const auto bytes_of = [&](const char* name) {
    return must(from_hex(read["messages"][name]["message"].get<std::string>()));
  };
  const auto verifier_of = [&](const char* who) {
    return must(crypto::Verifier::open(
        must(crypto::PublicKey::parse(must(from_hex(read[who]["identity"]["public"].get<std::string>()))))));
  };
  CHECK(decode_roster(bytes_of("roster"), route, verifier_of("owner")));
  const auto opened_grants = must(decode_grants(bytes_of("grants"), route, verifier_of("camera")));
  CHECK_FALSE(open_grant(opened_grants, route, hub.keys().identity.id(), hub.keys().hpke));
  const auto opening_key = prekey.keys().hpke;
  const auto grant = must(open_grant(opened_grants, route, hub.keys().identity.id(), [&](PrekeyNumber number) {
    return number == PrekeyNumber(7) ? &opening_key : nullptr;
  }));
  CHECK(to_hex(grant.base_key.reveal().first(16)) == read["base_key"].get<std::string>());
  CHECK(decode_view_request(bytes_of("request"), route, verifier_of("hub")));
  CHECK(decode_view_request(bytes_of("privacy-off"), route, verifier_of("hub")));
  CHECK(decode_index(bytes_of("index"), route.account, hub.keys().identity.id(), verifier_of("owner")));
  CHECK(decode_command(bytes_of("command"), route, verifier_of("owner"), camera.keys().hpke));
  CHECK(decode_status(bytes_of("status"), route, verifier_of("camera")));
  CHECK(must(decode_status(bytes_of("deregistration"), route, verifier_of("camera"))).reset);
  CHECK(must(decode_command(bytes_of("reset"), route, verifier_of("owner"), camera.keys().hpke)).reset);
  CHECK(must(decode_roster(bytes_of("roster-integrations"), route, verifier_of("owner"))).suspended.size() == 1);
  const auto grants_5 = must(decode_grants(bytes_of("grants-suite-5"), route, verifier_of("camera")));
  CHECK(grants_5.epoch == epoch_5);
  CHECK(grants_5.grants.size() == 1);  // the other hub is suspended
  CHECK(open_grant(grants_5, route, second.keys().identity.id(), second.keys().hpke));
  CHECK(must(decode_device_descriptor(bytes_of("camera-descriptor"))).role == Role::camera);
  CHECK(decode_device_descriptor(bytes_of("descriptor")));
  CHECK(decode_authorization(bytes_of("authorization")));
  CHECK_FALSE(must(decode_device_descriptor(bytes_of("phone-descriptor"))).tls);
  CHECK(must(decode_authorization(bytes_of("phone-authorization"))).login == sample.login());
  CHECK(check_pairing_proof(bytes_of("pairing-proof"), exported, verifier_of("camera")));
  CHECK(must(decode_pairing_claim(bytes_of("pairing-claim"), exported, route.camera)).code.matches(code));
  CHECK(decode_pairing_enrollment(bytes_of("enrollment"), exported, route.camera, verifier_of("owner")));
  const auto opening = must(sframe::OpeningKey::open(opened_grants.suite, opened_grants.epoch, grant.base_key));
  for (const char* name : {"frame", "report"}) {
    const auto message = bytes_of(name);
    const auto view = must(parse_frame(message));
    const FrameOpener opener(route);
    REQUIRE(opener.verify(view, verifier_of("camera")));
    Bytes out(view.sealed.size());
    const auto opened = must(opener.open(out, view, opening));
    CHECK(to_hex(ByteView(out).first(opened.header.size() + opened.content.size())) ==
          read["messages"][name]["plaintext"].get<std::string>());
  }
}
