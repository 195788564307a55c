// SPDX-License-Identifier: Apache-2.0
#include "protocol/topic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <format>

#include "support/actors.hpp"

using namespace sealcam;
using namespace sealcam::protocol;

TEST_CASE("a topic survives the way through text") {
  const test::Actor owner, camera, hub;
  const Route route = test::route_of(owner, camera);
  for (Leaf leaf : {Leaf::roster, Leaf::command, Leaf::grants, Leaf::video, Leaf::still, Leaf::status})
    CHECK(parse_topic(topic(route, leaf)).value() == Topic{route, leaf, {}});
  CHECK(parse_topic(ask_topic(route, hub.id())).value() == Topic{route, Leaf::ask, hub.id()});
}

TEST_CASE("anything else is refused") {
  const std::string a(32, 'a');
  CHECK(parse_topic(std::format("sealcam/1/{}/{}/video", a, a)));
  for (const std::string& bad :
       {std::string(), std::string("sealcam"), std::string("sealcam/1/"), std::format("sealcam/2/{}/{}/video", a, a),
        std::format("sealcam/1/{}/{}", a, a), std::format("sealcam/1/{}/{}/", a, a),
        std::format("sealcam/1/{}/{}/video/", a, a), std::format("sealcam/1/{}/{}/ask", a, a),
        std::format("sealcam/1/{}/{}/ask/", a, a), std::format("sealcam/1/{}/{}/ask/{}/x", a, a, a),
        std::format("sealcam/1/{}/+/video", a), std::format("sealcam/1/{}x/{}/video", a, a),
        std::format("/sealcam/1/{}/{}/video", a, a)}) {
    INFO(bad);
    CHECK_FALSE(parse_topic(bad));
  }
}
