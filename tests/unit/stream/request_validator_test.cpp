// SPDX-License-Identifier: Apache-2.0
#include "stream/publish/request_validator.hpp"

#include <catch2/catch_test_macros.hpp>

#include "support/camera_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;

namespace {

/// The validator alone, with requests for one epoch.
struct RequestScene : CameraScene {
  Epoch epoch{77};

  RequestScene() {
    must(requests.set_roster(roster_of(camera, 1, {&hub, &second})));
    requests.set_epoch(epoch);
  }
  using CameraScene::request;
  [[nodiscard]] Bytes request(const Actor& by, std::uint64_t n, Epoch in) const {
    return must(protocol::encode_view_request(
        {protocol::RequestKind::live, protocol::Challenge(n + 1000), in, RequestSeq(n)}, route, by.keys().identity));
  }
  [[nodiscard]] Bytes request(std::uint64_t n) const { return request(hub, n, epoch); }
  std::optional<AcceptedRequest> offer(const Actor& topic, ByteView message) {
    clock.advance(1s);
    return requests.offer(topic.id(), message);
  }
};

}  // namespace

TEST_CASE("a view request of a hub on the roster is accepted") {
  RequestScene s;
  const auto first = s.offer(s.hub, s.request(1));
  REQUIRE(first);
  CHECK(first->request.challenge == protocol::Challenge(1001));
  CHECK(first->report_due);
  const auto second = s.offer(s.hub, s.request(2));
  REQUIRE(second);
  CHECK_FALSE(second->report_due);
  s.requests.set_epoch(Epoch(78));
  const auto third = s.offer(s.hub, s.request(s.hub, 3, Epoch(78)));
  REQUIRE(third);
  CHECK(third->report_due);
}

TEST_CASE("a replayed view request is rejected, also after a new roster") {
  RequestScene s;
  const Bytes message = s.request(5);
  REQUIRE(s.offer(s.hub, message));
  CHECK_FALSE(s.offer(s.hub, message));
  CHECK_FALSE(s.offer(s.hub, s.request(4)));
  CHECK(s.requests.counters().rejected[RejectReason::replayed] == 2);
  must(s.requests.set_roster(roster_of(s.camera, 2, {&s.hub})));
  CHECK_FALSE(s.offer(s.hub, message));
  CHECK(s.offer(s.hub, s.request(6)));  // control
}

TEST_CASE("a view request on another hub's topic, of a stranger or for another epoch is rejected") {
  RequestScene s;
  CHECK_FALSE(s.offer(s.hub, s.request(s.second, 1, s.epoch)));
  CHECK(s.requests.counters().rejected[RejectReason::other_signer] == 1);
  CHECK(s.requests.counters().verified == 0);  // no signature was checked
  CHECK_FALSE(s.offer(s.stranger, s.request(s.stranger, 1, s.epoch)));
  CHECK(s.requests.counters().rejected[RejectReason::unknown_hub] == 1);
  CHECK_FALSE(s.offer(s.hub, s.request(s.hub, 1, Epoch(76))));
  CHECK(s.requests.counters().rejected[RejectReason::wrong_epoch] == 1);
  s.requests.set_epoch(std::nullopt);
  CHECK_FALSE(s.offer(s.hub, s.request(1)));
  s.requests.set_epoch(s.epoch);
  CHECK(s.offer(s.second, s.request(s.second, 1, s.epoch)));  // control: on the topic of its signer
  CHECK(s.offer(s.hub, s.request(1)));                        // control: rejected requests do not use up the number
}

TEST_CASE("a modified view request and one for another camera are rejected") {
  RequestScene s;
  Bytes message = s.request(1);
  message.back() ^= std::byte{1};
  CHECK_FALSE(s.offer(s.hub, message));
  CHECK(s.requests.counters().rejected[RejectReason::bad_signature] == 1);
  const Actor second_camera;
  const auto for_other_camera =
      must(protocol::encode_view_request({protocol::RequestKind::live, protocol::Challenge(1), s.epoch, RequestSeq(1)},
                                         route_of(s.owner, second_camera), s.hub.keys().identity));
  CHECK_FALSE(s.offer(s.hub, for_other_camera));
  CHECK(s.requests.counters().rejected[RejectReason::bad_signature] == 2);
  CHECK_FALSE(s.offer(s.hub, Bytes(40)));
  CHECK_FALSE(s.offer(s.hub, Bytes(100'000)));
  CHECK(s.requests.counters().rejected[RejectReason::malformed] == 2);
  CHECK(s.offer(s.hub, s.request(1)));  // control
}

TEST_CASE("view requests of a removed hub and of a suspended integration are rejected") {
  RequestScene s;
  auto roster = roster_of(s.camera, 2, {&s.hub, &s.second});
  for (auto& entry : roster.hubs)
    if (entry.identity == s.second.identity()) entry.integration = protocol::Integration(9);
  roster.suspended = {protocol::Integration(9)};
  must(s.requests.set_roster(roster));
  CHECK_FALSE(s.offer(s.second, s.request(s.second, 1, s.epoch)));
  CHECK(s.offer(s.hub, s.request(1)));  // control
  must(s.requests.set_roster(roster_of(s.camera, 3, {})));
  CHECK_FALSE(s.offer(s.hub, s.request(2)));
  CHECK(s.requests.counters().rejected[RejectReason::unknown_hub] == 2);
}

TEST_CASE("the validator checks two signatures of a thousand view requests in a second") {
  RequestScene s;
  std::vector<Bytes> flood;
  for (std::uint64_t n = 1; n <= 20; ++n) flood.push_back(s.request(n));
  s.clock.advance(1s);
  for (std::size_t n = 0; n < 1000; ++n) {
    (void)s.requests.offer(s.hub.id(), flood[n % flood.size()]);
    s.clock.advance(900us);
  }
  CHECK(s.requests.counters().verified == 2);
  CHECK(s.requests.counters().rejected[RejectReason::too_often] == 998);
  CHECK(s.requests.offer(s.second.id(), s.request(s.second, 1, s.epoch)));  // other hubs are not affected
  s.clock.advance(1s);
  CHECK(s.requests.offer(s.hub.id(), s.request(2000)));
}

TEST_CASE("view requests for other epochs do not count towards the rate of the current one") {
  RequestScene s;
  for (std::uint64_t n = 1; n <= 30; n += 3) {
    s.clock.advance(1s);
    CHECK_FALSE(s.requests.offer(s.hub.id(), s.request(s.hub, n, Epoch(75))));
    CHECK_FALSE(s.requests.offer(s.hub.id(), s.request(s.hub, n + 1, Epoch(76))));
    CHECK(s.requests.offer(s.hub.id(), s.request(n + 2)));
  }
  CHECK(s.requests.counters().rejected[RejectReason::wrong_epoch] == 20);
  CHECK(s.requests.counters().verified == 10);
}

TEST_CASE("the rate of all hubs together is bounded") {
  RequestScene s;
  std::vector<Actor> crowd(40);
  auto roster = roster_of(s.camera, 2, {});
  for (const Actor& actor : crowd) roster.hubs.push_back(actor.as_hub());
  must(s.requests.set_roster(roster));
  for (const Actor& actor : crowd) (void)s.requests.offer(actor.id(), s.request(actor, 1, s.epoch));
  CHECK(s.requests.counters().verified == RequestValidator::max_total);
  CHECK(s.requests.counters().rejected[RejectReason::too_often] == 40 - RequestValidator::max_total);
}
