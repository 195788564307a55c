// SPDX-License-Identifier: Apache-2.0
#include "owner/record/inspector.hpp"

#include <catch2/catch_test_macros.hpp>

#include "protocol/status.hpp"
#include "protocol/view_request.hpp"
#include "support/actors.hpp"

namespace sealcam::owner {
namespace {

using protocol::Leaf;
using test::Actor;
using test::must;

struct World {
  Actor owner, camera, hub, stranger, stranger_camera;
  protocol::Route route = test::route_of(owner, camera);
  protocol::Roster roster = test::roster_of(camera, 4, {&hub});
  protocol::Epoch epoch{77};
  crypto::sframe::BaseKey base = make_base();
  crypto::sframe::SealingKey key =
      must(crypto::sframe::SealingKey::open(crypto::sframe::CipherSuite::aes_128_gcm_sha256_128, epoch, base));

  static crypto::sframe::BaseKey make_base() {
    crypto::sframe::BaseKey base;
    must(crypto::init());
    must(crypto::random(base.fill()));
    return base;
  }
  [[nodiscard]] AccountFile account() const {
    AccountFile file;
    file.account = owner.account();
    CameraRecord record;
    record.id = camera.id();
    record.name = "Front door";
    record.identity = camera.identity();
    record.hpke = camera.hpke();
    file.cameras.push_back(std::move(record));
    file.hubs.push_back({.id = hub.id(),
                         .name = "tablet",
                         .identity = hub.identity(),
                         .hpke = hub.hpke(),
                         .this_machine = true,
                         .integration = std::nullopt,
                         .denied = {}});
    return file;
  }
  [[nodiscard]] Inspector inspector(bool with_keys = true) const {
    return must(Inspector::open(account(), owner.identity(), with_keys ? std::optional(hub.keys()) : std::nullopt));
  }
  [[nodiscard]] Bytes grants() const {
    crypto::sframe::BaseKey copy(base.reveal());
    const protocol::GrantContent content{std::move(copy), "Front door"};
    return must(
        protocol::encode_grants({.roster = roster, .content = content, .epoch = epoch}, route, camera.keys().identity));
  }
  [[nodiscard]] Bytes frame(CaptureTime captured = {}) {
    const protocol::FrameHeader header{.width = 640,
                                       .height = 360,
                                       .captured = captured,
                                       .number = FrameNumber(9),
                                       .depends = key.next_counter(),
                                       .echoes = {}};
    const auto plain = protocol::frame_plaintext(header, Bytes(100));
    const protocol::FrameSealer sealer(route, camera.keys().identity);
    Bytes out(sealer.message_size(key, plain.size()));
    const auto sealed = must(sealer.seal(out, key, protocol::FrameKind::key, plain));
    return Bytes(sealed.begin(), sealed.end());
  }
};

Inspection inspect(Inspector& inspector, const std::string& topic, ByteView payload) {
  return inspector.inspect({.topic = topic, .payload = payload, .retained = false});
}

TEST_CASE("a frame opens after its grant arrived") {
  World w;
  auto inspector = w.inspector();
  const auto video = protocol::topic(w.route, Leaf::video);
  const auto before = inspect(inspector, video, w.frame());
  CHECK(before.verified);
  CHECK(before.opened == false);
  CHECK_FALSE(before.why.empty());
  CHECK(before.epoch == w.epoch);
  CHECK(before.counter == protocol::Counter(0));
  CHECK(before.kind == "key");
  CHECK(before.signer == w.camera.id().to_string());
  CHECK(before.camera == "Front door");

  const auto grants = inspect(inspector, protocol::topic(w.route, Leaf::grants), w.grants());
  INFO(grants.why);
  CHECK(grants.verified);
  CHECK(grants.opened == true);
  const auto after = inspect(inspector, video, w.frame());
  INFO(after.why);
  CHECK(after.opened == true);
  CHECK(after.content.contains("640x360"));
  CHECK(after.why.empty());
}

TEST_CASE("a camera may send any 64 bits as the capture time, also one without a calendar date") {
  World w;
  auto inspector = w.inspector();
  (void)inspect(inspector, protocol::topic(w.route, Leaf::grants), w.grants());
  const auto content = [&](std::chrono::microseconds captured) {
    const auto seen = inspect(inspector, protocol::topic(w.route, Leaf::video), w.frame(CaptureTime{captured}));
    CHECK(seen.opened == true);
    return seen.content;
  };
  CHECK(content(std::chrono::seconds(253'402'300'799)).contains("9999-12-31T23:59:59.000Z"));  // control
  for (const auto captured : {std::chrono::microseconds::min(), std::chrono::microseconds::max(),
                              std::chrono::microseconds(std::chrono::seconds(253'402'300'800))}) {
    const auto text = content(captured);
    CHECK(text.contains("an impossible time"));
    CHECK(text.contains("640x360"));
  }
}

TEST_CASE("without the keys of this machine, messages are verified but not opened") {
  World w;
  auto inspector = w.inspector(false);
  const auto grants = inspect(inspector, protocol::topic(w.route, Leaf::grants), w.grants());
  CHECK(grants.verified);
  CHECK(grants.opened == false);
  CHECK(inspect(inspector, protocol::topic(w.route, Leaf::video), w.frame()).opened == false);
}

TEST_CASE("a moved or changed message, or one of another signer, is not verified") {
  World w;
  auto inspector = w.inspector();
  REQUIRE(inspect(inspector, protocol::topic(w.route, Leaf::grants), w.grants()).opened == true);
  auto changed = w.frame();
  changed[changed.size() / 2] ^= std::byte{1};
  const auto flipped = inspect(inspector, protocol::topic(w.route, Leaf::video), changed);
  CHECK_FALSE(flipped.verified);
  CHECK(flipped.why.contains("signature"));

  // The published incident: a message of another account on a topic of this account.
  World other;
  const auto other_account = inspect(inspector, protocol::topic(w.route, Leaf::video), other.frame());
  CHECK_FALSE(other_account.verified);
  CHECK_FALSE(other_account.opened.value_or(false));
  CHECK(other_account.why.contains("signer"));
  CHECK_FALSE(inspect(inspector, protocol::topic(w.route, Leaf::grants), other.grants()).verified);

  const auto other_topic =
      inspect(inspector, protocol::topic({other.owner.account(), other.camera.id()}, Leaf::video), other.frame());
  CHECK(other_topic.why.contains("another account"));
  const auto unknown =
      inspect(inspector, protocol::topic({w.owner.account(), w.stranger.id()}, Leaf::video), w.frame());
  CHECK(unknown.why.contains("no such camera"));
}

TEST_CASE("control messages are distinguished and verified") {
  World w;
  auto inspector = w.inspector();
  const auto roster = must(protocol::encode_roster(w.roster, w.route, w.owner.keys().identity));
  const auto good = inspect(inspector, protocol::topic(w.route, Leaf::roster), roster);
  CHECK(good.verified);
  CHECK(good.content.contains("version 4"));
  CHECK(good.content.contains("this machine is on it"));
  const auto forged = must(protocol::encode_roster(w.roster, w.route, w.stranger.keys().identity));
  CHECK_FALSE(inspect(inspector, protocol::topic(w.route, Leaf::roster), forged).verified);

  const auto status = must(protocol::encode_status({.online = true, .started = {}}, w.route, w.camera.keys().identity));
  CHECK(inspect(inspector, protocol::topic(w.route, Leaf::status), status).verified);
  CHECK_FALSE(inspect(inspector, protocol::topic(w.route, Leaf::grants), status).verified);

  const auto request = must(protocol::encode_view_request({.kind = protocol::RequestKind::live,
                                                           .challenge = protocol::Challenge(1),
                                                           .epoch = w.epoch,
                                                           .seq = protocol::RequestSeq(5)},
                                                          w.route, w.hub.keys().identity));
  CHECK(inspect(inspector, protocol::request_topic(w.route, w.hub.id()), request).verified);
  CHECK_FALSE(inspect(inspector, protocol::request_topic(w.route, w.stranger.id()), request).verified);
}

TEST_CASE("a malformed message is described but not opened") {
  World w;
  auto inspector = w.inspector();
  CHECK_FALSE(inspect(inspector, "weather/today", as_bytes("rain")).topic);
  for (const auto leaf :
       {Leaf::roster, Leaf::command, Leaf::grants, Leaf::video, Leaf::still, Leaf::past, Leaf::status}) {
    for (const std::string_view payload : {"", "x", "\xd2\x84"}) {
      const auto out = inspect(inspector, protocol::topic(w.route, leaf), as_bytes(payload));
      CHECK_FALSE(out.verified);
      CHECK_FALSE(out.why.empty());
    }
  }
}

}  // namespace
}  // namespace sealcam::owner
