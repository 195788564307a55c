// SPDX-License-Identifier: Apache-2.0
// A hub opens the sensor with a nonce of the camera.
#include <catch2/catch_test_macros.hpp>

#include "support/camera_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;
using protocol::Nonce;

namespace {

/// Both hubs may switch privacy. Privacy is on.
struct ClosedCamera : CameraScene {
  ClosedCamera() {
    set_roster(1);
    run();
    must(privacy.set(true));
  }
  [[nodiscard]] Bytes roster_with_rights(std::uint64_t version) const {
    auto content = roster_of(camera, version, {&hub, &second});
    for (auto& entry : content.hubs) entry.may_switch_privacy = true;
    return must(protocol::encode_roster(content, route, owner.keys().identity));
  }
  void set_roster(std::uint64_t version) { stores.roster.content = roster_with_rights(version); }
  /// Delivers a message on the topic of `by` after a second. Returns true if the sensor may open.
  bool opens(const Actor& by, ByteView message) {
    clock.advance(1s);
    receive(protocol::request_topic(route, by.id()), message);
    const bool open = !privacy.on();
    must(privacy.set(true));
    return open;
  }
  [[nodiscard]] std::uint64_t rejected() const { return requests.counters().rejected[RejectReason::not_allowed]; }
};

}  // namespace

TEST_CASE("a hub opens the sensor with the nonce of a report that echoes its challenge") {
  ClosedCamera s;
  const Nonce nonce = s.nonce_for(s.hub);
  REQUIRE(nonce != Nonce());
  CHECK(s.publisher.leases().live == 0);
  CHECK(s.opens(s.hub, s.privacy_off(s.hub, nonce)));
  CHECK(s.rejected() == 0);
}

TEST_CASE("a nonce opens the sensor once, for its hub, in its epoch, and for ten seconds") {
  ClosedCamera s;
  const auto reject = [&](const Actor& by, Nonce nonce) {
    const auto before = s.rejected();
    CHECK_FALSE(s.opens(by, s.privacy_off(by, nonce)));
    CHECK(s.rejected() == before + 1);
  };
  reject(s.hub, Nonce(7));  // none was requested
  const Nonce used = s.nonce_for(s.hub);
  s.clock.advance(1s);
  CHECK(s.opens(s.hub, s.privacy_off(s.hub, used)));  // control
  reject(s.hub, used);
  s.clock.advance(1s);
  const Nonce of_hub = s.nonce_for(s.hub);
  reject(s.second, of_hub);
  const Nonce newer = s.nonce_for(s.hub);
  CHECK(newer != of_hub);
  reject(s.hub, of_hub);
  CHECK(s.opens(s.hub, s.privacy_off(s.hub, newer)));  // control: wrong nonces do not use it up
  s.clock.advance(1s);
  const Nonce old = s.nonce_for(s.hub);
  s.publisher.renew();
  s.client.settle();
  reject(s.hub, old);
  s.clock.advance(1s);
  const Nonce late = s.nonce_for(s.hub);
  s.clock.advance(9001ms);
  reject(s.hub, late);
  const Nonce in_time = s.nonce_for(s.hub);
  s.clock.advance(9s);
  CHECK(s.opens(s.hub, s.privacy_off(s.hub, in_time)));  // control
}

TEST_CASE("a nonce gets older while the camera sleeps") {
  ClosedCamera s;
  const Nonce nonce = s.nonce_for(s.hub);
  s.clock.suspend(1h);
  CHECK_FALSE(s.opens(s.hub, s.privacy_off(s.hub, nonce)));
  CHECK(s.rejected() == 1);
}

TEST_CASE("a hub without the right gets no nonce") {
  ClosedCamera s;
  s.receive_roster(s.roster(2, {&s.hub}));
  s.client.settle();
  CHECK(s.nonce_for(s.hub) == Nonce());
  CHECK(s.requests.counters().rejected[RejectReason::not_allowed] == 1);
}

TEST_CASE("1,000 held privacy-off requests open the sensor never, an hour later, in other epochs and for other hubs") {
  ClosedCamera s;
  std::vector<std::pair<const Actor*, Bytes>> held;
  for (int n = 0; n < 250; ++n) {
    s.clock.advance(1s);
    const Actor& by = n % 2 == 0 ? s.hub : s.second;
    held.emplace_back(&by, s.privacy_off(by, s.nonce_for(by)));
    std::erase_if(s.client.sent, [](const auto& sent) { return sent.topic.ends_with("/video"); });
  }
  std::size_t openings = 0;
  const auto deliver_all = [&] {
    for (const auto& [by, message] : held) openings += s.opens(*by, message) ? 1U : 0U;
  };
  s.clock.advance(1h);
  deliver_all();
  s.publisher.renew();  // another epoch
  s.client.settle();
  deliver_all();
  for (auto& [by, message] : held) by = by == &s.hub ? &s.second : &s.hub;
  deliver_all();
  for (auto& [by, message] : held) by = by == &s.hub ? &s.second : &s.hub;
  s.receive_roster(s.roster_with_rights(2));
  s.client.settle();
  deliver_all();
  CHECK(openings == 0);
  s.clock.advance(1s);
  CHECK(s.opens(s.hub, s.privacy_off(s.hub, s.nonce_for(s.hub))));  // control
}
