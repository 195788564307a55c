// SPDX-License-Identifier: Apache-2.0
/// Writes one sample of every message, with the keys that make and open it, for those who write a second
/// implementation: <build folder>/samples/sealcam-1.json. The folder is read back and checked.
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/file.hpp"
#include "protocol/card.hpp"
#include "protocol/command.hpp"
#include "protocol/frame.hpp"
#include "protocol/grants.hpp"
#include "protocol/pairing.hpp"
#include "protocol/status.hpp"
#include "protocol/topic.hpp"
#include "support/actors.hpp"

using namespace sealcam;
using namespace sealcam::protocol;
using test::must;
using Json = nlohmann::ordered_json;
namespace sframe = crypto::sframe;

namespace {

/// A device whose private keys are SHA-256 of a published text, so that others can make the same.
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
  // SPS, PPS and IDR start codes with dummy content: the format is what matters here.
  return must(
      from_hex("0000000167420028"
               "0000000168ce3c80"
               "000000016588843a"));
}

}  // namespace

TEST_CASE("a sample of every message is written and holds") {
  const SampleDevice owner("owner"), camera("camera"), hub("hub");
  const Route route{owner.keys().identity.public_key().account(), camera.keys().identity.id()};
  const Epoch epoch(0x0000'0001'89ab'cdef);
  const auto suite = sframe::CipherSuite::aes_128_gcm_sha256_128;
  GrantContent content;
  std::ranges::copy(must(from_hex("000102030405060708090a0b0c0d0e0f")), content.base_key.fill().begin());
  content.camera_name = "Front door";
  const CaptureTime time{std::chrono::microseconds(1'790'000'000'000'000)};

  Roster roster;
  roster.version = RosterVersion(1);
  roster.camera_identity = camera.keys().identity.public_key();
  roster.camera_hpke = camera.keys().hpke.public_key();
  roster.hubs = {
      {hub.keys().identity.public_key(), hub.keys().hpke.public_key(), Integration(0x1122334455667788), true}};
  roster.issued = time;
  const auto roster_message = must(encode_roster(roster, route, owner.keys().identity));
  const auto grants = must(encode_grants(roster, must(crypto::sha256(roster_message)), epoch, suite, content, time,
                                         route, camera.keys().identity, CommandSeq(3)));
  const Ask ask{Want::live, Challenge(0xc0ffee00c0ffee00), epoch, AskSeq(1000)};

  Command command;
  command.seq = CommandSeq(3);
  command.name = {CommandSeq(1), "Front door"};
  command.privacy = {CommandSeq(2), true};
  command.settings = {CommandSeq(3), {BitsPerSecond(1'500'000), CameraSettings::Size{1280, 720}, 25U}};
  Bytes ssid;
  append(ssid, as_bytes("sealcam-net"));
  command.wifi = {CommandSeq(3), {.ssid = ssid, .passphrase = must(Passphrase::parse("not a secret"))}};

  FrameHeader header{Codec::h264_annex_b,           640,          360, time, FrameNumber(25),
                     std::chrono::milliseconds(12), ask.challenge};
  Bytes plaintext(frame_header_size);
  write_frame_header(header, plaintext);
  append(plaintext, access_unit());
  auto key = must(sframe::SealingKey::open(suite, epoch, content.base_key));
  const FrameSealer sealer(route, camera.keys().identity);
  Bytes frame(sealer.message_size(key, plaintext.size()));
  must(sealer.seal(frame, key, FrameKind::key, plaintext));

  header = {Codec::none, 0, 0, time, FrameNumber(25), std::chrono::milliseconds(0), ask.challenge};
  Bytes report_plaintext(frame_header_size);
  write_frame_header(header, report_plaintext);
  append(report_plaintext, encode_report({roster.version, must(crypto::sha256(roster_message))}));
  Bytes report(sealer.message_size(key, report_plaintext.size()));
  must(sealer.seal(report, key, FrameKind::report, report_plaintext));

  ChannelBinding exported;
  std::ranges::copy(must(crypto::sha256(as_bytes("sealcam sample exporter"))), exported.fill().begin());
  const auto code = must(PairingCode::parse("abcdefg2"));
  PairingEnrolment enrolment;
  enrolment.broker_host = "broker.example";
  enrolment.broker_port = 8883;
  enrolment.ca_pem = "the authority's certificate";
  enrolment.certificate_pem = "the device's certificate";
  enrolment.name = "Front door";
  enrolment.roster = roster_message;
  const auto claim = must(encode_pairing_claim(code, exported, route.camera, owner.keys().identity));
  const auto proof = must(encode_pairing_proof(exported, camera.keys().identity));
  const auto enrolled = must(encode_pairing_enrolment(enrolment, exported, route.camera, owner.keys().identity));

  const Json samples = {
      {"about",
       "One sample of every message of sealcam/1. Byte strings in hexadecimal. Private keys are SHA-256 of "
       "'sealcam sample <device> <key>'."},
      {"account", route.account.to_string()},
      {"owner", owner.json()},
      {"camera", camera.json()},
      {"hub", hub.json()},
      {"base_key", to_hex(content.base_key.reveal().first(16))},
      {"messages",
       {{"roster", {{"topic", topic(route, Leaf::roster)}, {"message", to_hex(roster_message)}}},
        {"grants", {{"topic", topic(route, Leaf::grants)}, {"message", to_hex(grants)}}},
        {"ask",
         {{"topic", ask_topic(route, hub.keys().identity.id())},
          {"message", to_hex(must(encode_ask(ask, route, hub.keys().identity)))}}},
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
        {"enrolment", {{"message", to_hex(enrolled)}, {"exporter", to_hex(exported.reveal())}}},
        {"card", {{"message", to_hex(must(encode_card(Role::hub, hub.keys())))}}},
        {"admission",
         {{"message",
           to_hex(must(encode_admission({Role::camera, camera.keys().identity.id(), owner.keys().identity.public_key(),
                                         camera.keys().hpke.public_key()},
                                        owner.keys().identity)))}}}}}};
  const auto folder = std::filesystem::path(SEALCAM_BUILD_DIR) / "samples";
  std::filesystem::create_directories(folder);
  REQUIRE(write_file_durably(folder / "sealcam-1.json", as_bytes(samples.dump(2) + "\n")));

  // Read back as a second implementation would, from the file alone.
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
  const auto grant = must(open_grant(opened_grants, route, hub.keys().identity.id(), hub.keys().hpke));
  CHECK(to_hex(grant.base_key.reveal().first(16)) == read["base_key"].get<std::string>());
  CHECK(decode_ask(bytes_of("ask"), route, verifier_of("hub")));
  CHECK(decode_command(bytes_of("command"), route, verifier_of("owner"), camera.keys().hpke));
  CHECK(decode_status(bytes_of("status"), route, verifier_of("camera")));
  CHECK(decode_card(bytes_of("card")));
  CHECK(decode_admission(bytes_of("admission")));
  CHECK(check_pairing_proof(bytes_of("pairing-proof"), exported, verifier_of("camera")));
  CHECK(must(decode_pairing_claim(bytes_of("pairing-claim"), exported, route.camera)).code.matches(code));
  CHECK(decode_pairing_enrolment(bytes_of("enrolment"), exported, route.camera, verifier_of("owner")));
  const auto opening = must(sframe::OpeningKey::open(opened_grants.suite, opened_grants.epoch, grant.base_key));
  for (const char* name : {"frame", "report"}) {
    const auto message = bytes_of(name);
    const auto view = must(parse_frame(message));
    const FrameOpener opener(route);
    REQUIRE(opener.verify(view, verifier_of("camera")));
    Bytes out(view.sealed.size());
    const auto opened = must(opener.open(out, view, opening));
    CHECK(to_hex(ByteView(out).first(frame_header_size + opened.content.size())) ==
          read["messages"][name]["plaintext"].get<std::string>());
  }
}
